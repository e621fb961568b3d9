package mode

import (
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// Constants of VESA's Coordinated Video Timings 1.1 with reduced blanking.
// Times are in microseconds, clocks in kHz.
const (
	cvtClockStep  = 250
	cvtFrontPorch = 3 // lines
	cvtMinBack    = 6 // lines
	cvtCell       = 8 // pixels
	cvtVBlank     = 460
	cvtHBlank     = 160 // pixels
	cvtHPorch     = 48
	cvtHSync      = 32

	// Below fineBelow, steps of 250 kHz would change the refresh rate. No
	// display that CVT has in mind is so small.
	fineClockStep = 10
	fineBelow     = 25000
)

// cvtVSync returns the number of lines of vertical sync, which tells a monitor
// the aspect ratio.
func cvtVSync(width, height int) int {
	for _, shape := range []struct{ w, h, lines int }{{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}} {
		if height*shape.w/shape.h/cvtCell*cvtCell == width {
			return shape.lines
		}
	}
	return 10
}

// cvt computes a timing with reduced blanking for a size in pixels and a
// refresh rate in Hz, which it meets approximately.
func cvt(width, height int, refresh float64) Mode {
	line := (1e6/refresh - cvtVBlank) / float64(height)
	sync := cvtVSync(width, height)
	blank := max(int(math.Floor(cvtVBlank/line))+1, cvtFrontPorch+sync+cvtMinBack)
	hTotal, vTotal := width+cvtHBlank, height+blank
	exact := refresh * float64(hTotal) * float64(vTotal) / 1000
	clock := uint32(exact/cvtClockStep) * cvtClockStep
	if exact < fineBelow {
		clock = uint32(math.Round(exact/fineClockStep)) * fineClockStep
	}
	hSyncStart, vSyncStart := width+cvtHPorch, height+cvtFrontPorch
	t := timing{
		clock:    clock,
		hDisplay: uint16(width), hSyncStart: uint16(hSyncStart), hSyncEnd: uint16(hSyncStart + cvtHSync), hTotal: uint16(hTotal),
		vDisplay: uint16(height), vSyncStart: uint16(vSyncStart), vSyncEnd: uint16(vSyncStart + sync), vTotal: uint16(vTotal),
		flags: uapi.ModeFlagPHSync | uapi.ModeFlagNVSync,
	}
	return t.mode()
}
