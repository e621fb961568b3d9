package mode

import (
	"math"

	"github.com/udrm/udrm/drm/uapi"
)

// Constants of VESA's Generalized Timing Formula 1.1 with its default curve.
// The shape of its blanking is that of CVT.
const (
	gtfFrontPorch = 1 // lines
	gtfSync       = 3 // lines
)

// GTF computes a timing by VESA's Generalized Timing Formula for a size in
// pixels and a refresh rate in Hz. EDIDs before version 1.4 mean its timings.
func GTF(width, height int, refresh float64) Mode {
	line := (microseconds/refresh - cvtSyncBack) / float64(height+gtfFrontPorch)
	syncBack := int(math.Round(cvtSyncBack / line))
	vTotal := height + gtfFrontPorch + syncBack
	line = microseconds / refresh / float64(vTotal) // so that the rate is met
	duty := cvtDuty - cvtDutyPerMS*line/1000
	blank := int(math.Round(float64(width)*duty/(100-duty)/(2*cvtCell))) * 2 * cvtCell
	hTotal := width + blank
	hSync := int(math.Round(cvtSyncShare*float64(hTotal)/cvtCell)) * cvtCell
	t := timing{
		clock:    uint32(math.Round(float64(hTotal) / line * kHzPerMicrosecond)),
		hDisplay: uint16(width), hSyncStart: uint16(width + blank/2 - hSync), hSyncEnd: uint16(width + blank/2), hTotal: uint16(hTotal),
		vDisplay: uint16(height), vSyncStart: uint16(height + gtfFrontPorch), vSyncEnd: uint16(height + gtfFrontPorch + gtfSync),
		vTotal: uint16(vTotal),
		flags:  uapi.ModeFlagNHSync | uapi.ModeFlagPVSync,
	}
	return t.mode()
}
