package lookalike

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
)

// lutEntrySize is the size of struct drm_color_lut.
const lutEntrySize = 8

// checkLUTs refuses tables of a CRTC that are longer than the hardware's. Package kms
// leaves that to drivers, as the DRM core does.
func checkLUTs(crtc *kms.CRTC, state *kms.CRTCState, config *CRTC) error {
	if n := entries(state.GammaLUT); n > max(config.LUTSize, config.GammaSize) {
		return tooLong("GAMMA_LUT", crtc, n, config.LUTSize)
	}
	if n := entries(state.DegammaLUT); n > config.DegammaSize {
		return tooLong("DEGAMMA_LUT", crtc, n, config.DegammaSize)
	}
	return nil
}

// entries returns the length of a table, which may be nil.
func entries(lut *kms.Blob) int {
	if lut == nil {
		return 0
	}
	return len(lut.Data()) / lutEntrySize
}

func tooLong(name string, crtc *kms.CRTC, entries, limit int) error {
	return fmt.Errorf("lookalike: %s of CRTC %d with %d entries (limit %d): %w", name, crtc.ID(), entries, limit, unix.EINVAL)
}
