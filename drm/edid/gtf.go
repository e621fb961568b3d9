package edid

import "math"

// VESA's Generalized Timing Formula 1.1, with its default curve. It is what
// EDIDs before 1.4 mean; its blanking has the shape of that of [cvt].
const (
	gtfFrontPorch = 1 // lines
	gtfSync       = 3 // lines
)

// gtf computes a timing for the size and the refresh rate.
func gtf(width, height int, refresh float64) Mode {
	line := (microseconds/refresh - cvtSyncBack) / float64(height+gtfFrontPorch)
	syncBack := int(math.Round(cvtSyncBack / line))
	vTotal := height + gtfFrontPorch + syncBack
	line = microseconds / refresh / float64(vTotal) // so that the rate is met
	duty := cvtDuty - cvtDutyPerMS*line/1000
	blank := int(math.Round(float64(width)*duty/(100-duty)/(2*cvtCell))) * 2 * cvtCell
	hTotal := width + blank
	hSync := int(math.Round(cvtSyncShare*float64(hTotal)/cvtCell)) * cvtCell
	return Mode{
		Clock:    int(math.Round(float64(hTotal) / line * kHzPerMicrosecond)),
		HDisplay: uint16(width), HSyncStart: uint16(width + blank/2 - hSync), HSyncEnd: uint16(width + blank/2), HTotal: uint16(hTotal),
		VDisplay: uint16(height), VSyncStart: uint16(height + gtfFrontPorch), VSyncEnd: uint16(height + gtfFrontPorch + gtfSync), VTotal: uint16(vTotal),
		VSyncPositive: true,
	}
}
