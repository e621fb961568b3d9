package edid

import "math"

// VESA's Coordinated Video Timings 1.1. Times are in microseconds, clocks in
// kHz.
const (
	cvtClockStep  = 250
	fineClockStep = 10    // where steps of 250 kHz would change the rate, which is below any display of CVT
	fineBelow     = 25000 // likewise
	cvtFrontPorch = 3     // lines
	cvtMinBack    = 6     // lines
	cvtCell       = 8     // pixels

	// Of cathode rays: sync and back porch take a time, the blanking of a line
	// a share that grows with the period of a line.
	cvtSyncBack       = 550
	cvtDuty           = 30  // percent
	cvtDutyPerMS      = 300 // percent less for each millisecond of a line
	cvtMinDuty        = 20
	cvtSyncShare      = 0.08 // of a line
	cvtReducedVBlank  = 460
	cvtReducedHBlank  = 160 // pixels
	cvtReducedHPorch  = 48
	cvtReducedHSync   = 32
	microseconds      = 1e6
	kHzPerMicrosecond = 1000
)

// cvtVSync returns the lines of sync, by which a monitor knows the shape.
func cvtVSync(width, height int) int {
	for _, shape := range []struct{ w, h, lines int }{{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}} {
		if height*shape.w/shape.h/cvtCell*cvtCell == width {
			return shape.lines
		}
	}
	return 10
}

// cvt computes a timing for the size and about the refresh rate.
func cvt(width, height int, refresh float64) Mode {
	line := (microseconds/refresh - cvtSyncBack) / float64(height+cvtFrontPorch)
	sync := cvtVSync(width, height)
	syncBack := max(int(cvtSyncBack/line)+1, sync+cvtMinBack)
	vTotal := height + cvtFrontPorch + syncBack
	duty := max(cvtDuty-cvtDutyPerMS*line/1000, cvtMinDuty)
	blank := int(float64(width)*duty/(100-duty)/(2*cvtCell)) * 2 * cvtCell
	hTotal := width + blank
	hSync := int(cvtSyncShare*float64(hTotal)/cvtCell) * cvtCell
	return Mode{
		Clock:    int(float64(hTotal)/line*kHzPerMicrosecond/cvtClockStep) * cvtClockStep,
		HDisplay: uint16(width), HSyncStart: uint16(width + blank/2 - hSync), HSyncEnd: uint16(width + blank/2), HTotal: uint16(hTotal),
		VDisplay: uint16(height), VSyncStart: uint16(height + cvtFrontPorch), VSyncEnd: uint16(height + cvtFrontPorch + sync), VTotal: uint16(vTotal),
		VSyncPositive: true,
	}
}

// cvtReduced is cvt with reduced blanking, for monitors without cathode rays.
func cvtReduced(width, height int, refresh float64) Mode {
	line := (microseconds/refresh - cvtReducedVBlank) / float64(height)
	sync := cvtVSync(width, height)
	blank := max(int(math.Floor(cvtReducedVBlank/line))+1, cvtFrontPorch+sync+cvtMinBack)
	hTotal, vTotal := width+cvtReducedHBlank, height+blank
	exact := refresh * float64(hTotal) * float64(vTotal) / 1000
	clock := int(exact/cvtClockStep) * cvtClockStep
	if exact < fineBelow {
		clock = int(math.Round(exact/fineClockStep)) * fineClockStep
	}
	return Mode{
		Clock:    clock,
		HDisplay: uint16(width), HSyncStart: uint16(width + cvtReducedHPorch), HSyncEnd: uint16(width + cvtReducedHPorch + cvtReducedHSync), HTotal: uint16(hTotal),
		VDisplay: uint16(height), VSyncStart: uint16(height + cvtFrontPorch), VSyncEnd: uint16(height + cvtFrontPorch + sync), VTotal: uint16(vTotal),
		HSyncPositive: true,
	}
}
