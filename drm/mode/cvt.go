package mode

import (
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// Constants of VESA's Coordinated Video Timings 1.1. Times are in microseconds,
// clocks in kHz.
const (
	cvtClockStep  = 250
	cvtFrontPorch = 3 // lines
	cvtMinBack    = 6 // lines
	cvtCell       = 8 // pixels

	// Below fineBelow, steps of 250 kHz would change the refresh rate. No
	// display that CVT has in mind is so small.
	fineClockStep = 10
	fineBelow     = 25000

	// Standard blanking, for cathode rays: sync and back porch take a fixed
	// time, and horizontal blanking is a share of a line that shrinks as the
	// line takes longer.
	cvtSyncBack       = 550
	cvtDuty           = 30  // percent
	cvtDutyPerMS      = 300 // percent less per millisecond of a line
	cvtMinDuty        = 20
	cvtSyncShare      = 0.08 // of a line
	microseconds      = 1e6
	kHzPerMicrosecond = 1000

	// Reduced blanking.
	cvtReducedVBlank = 460
	cvtReducedHBlank = 160 // pixels
	cvtReducedHPorch = 48
	cvtReducedHSync  = 32
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

// CVT computes a timing by VESA's Coordinated Video Timings for a size in pixels
// and a refresh rate in Hz, which it meets approximately.
func CVT(width, height int, refresh float64, reducedBlanking bool) Mode {
	if reducedBlanking {
		return cvtReduced(width, height, refresh)
	}
	line := (microseconds/refresh - cvtSyncBack) / float64(height+cvtFrontPorch)
	sync := cvtVSync(width, height)
	syncBack := max(int(cvtSyncBack/line)+1, sync+cvtMinBack)
	duty := max(cvtDuty-cvtDutyPerMS*line/1000, cvtMinDuty)
	blank := int(float64(width)*duty/(100-duty)/(2*cvtCell)) * 2 * cvtCell
	hTotal := width + blank
	hSync := int(cvtSyncShare*float64(hTotal)/cvtCell) * cvtCell
	t := timing{
		clock:    uint32(float64(hTotal)/line*kHzPerMicrosecond/cvtClockStep) * cvtClockStep,
		hDisplay: uint16(width), hSyncStart: uint16(width + blank/2 - hSync), hSyncEnd: uint16(width + blank/2), hTotal: uint16(hTotal),
		vDisplay: uint16(height), vSyncStart: uint16(height + cvtFrontPorch), vSyncEnd: uint16(height + cvtFrontPorch + sync),
		vTotal: uint16(height + cvtFrontPorch + syncBack),
		flags:  uapi.ModeFlagNHSync | uapi.ModeFlagPVSync,
	}
	return t.mode()
}

func cvtReduced(width, height int, refresh float64) Mode {
	line := (microseconds/refresh - cvtReducedVBlank) / float64(height)
	sync := cvtVSync(width, height)
	blank := max(int(math.Floor(cvtReducedVBlank/line))+1, cvtFrontPorch+sync+cvtMinBack)
	hTotal, vTotal := width+cvtReducedHBlank, height+blank
	exact := refresh * float64(hTotal) * float64(vTotal) / 1000
	clock := uint32(exact/cvtClockStep) * cvtClockStep
	if exact < fineBelow {
		clock = uint32(math.Round(exact/fineClockStep)) * fineClockStep
	}
	hSyncStart, vSyncStart := width+cvtReducedHPorch, height+cvtFrontPorch
	t := timing{
		clock:    clock,
		hDisplay: uint16(width), hSyncStart: uint16(hSyncStart), hSyncEnd: uint16(hSyncStart + cvtReducedHSync), hTotal: uint16(hTotal),
		vDisplay: uint16(height), vSyncStart: uint16(vSyncStart), vSyncEnd: uint16(vSyncStart + sync), vTotal: uint16(vTotal),
		flags: uapi.ModeFlagPHSync | uapi.ModeFlagNVSync,
	}
	return t.mode()
}
