package lookalike

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// Constraints are what the hardware cannot do although its properties do not say
// so. A commit beyond them fails, also as a test. The zero value has none.
type Constraints struct {
	PlanesPerCRTC int // visible planes of a CRTC at once: ENOSPC
	Scalers       int // visible planes of the card that scale at once: ENOSPC
	NoScaler      bool
	// Bandwidth is how many bytes of framebuffers all CRTCs together can read in
	// a second: ENOSPC.
	Bandwidth uint64
	// CursorFormats are the formats of visible cursor planes, CursorSizes their
	// sizes: EINVAL.
	CursorFormats []uint32
	CursorSizes   []Size
	// NoAsync refuses all async flips, although Limits promise them: EINVAL.
	NoAsync bool
}

// A Size is a size in pixels.
type Size struct{ Width, Height uint32 }

type checker struct {
	constraints *Constraints
	display     *kms.ModeConfig
	crtcs       map[*kms.CRTC]*CRTC
}

// check is the function Check of package kms.
func (c *checker) check(a *kms.AtomicState) error {
	state := a.New()
	limits := c.constraints
	planes := make(map[*kms.CRTC]int)
	if limits.NoAsync && a.Async() {
		return fmt.Errorf("lookalike: constraint async_flips: the hardware refuses async flips: %w", unix.EINVAL)
	}
	for crtc := range a.CRTCs() {
		s := state.CRTC(crtc)
		if err := checkLUTs(crtc, &s, c.crtcs[crtc]); err != nil {
			return err
		}
	}
	scalers := 0
	var bytes uint64
	for _, p := range c.display.Planes() {
		s := state.Plane(p)
		if !s.Visible || !state.CRTC(s.CRTC).Active {
			continue
		}
		planes[s.CRTC]++
		if scales(&s) {
			scalers++
		}
		mode := state.CRTC(s.CRTC).Mode
		bytes += frameBytes(&s) * uint64(mode.VRefresh())
		if p.Type() == uapi.PlaneTypeCursor {
			if err := limits.checkCursor(p, &s); err != nil {
				return err
			}
		}
		if n := planes[s.CRTC]; limits.PlanesPerCRTC > 0 && n > limits.PlanesPerCRTC {
			return fmt.Errorf("lookalike: constraint planes_per_crtc: plane %d would be number %d on CRTC %d (limit %d): %w",
				p.ID(), n, s.CRTC.ID(), limits.PlanesPerCRTC, unix.ENOSPC)
		}
		if limits.Scalers > 0 && scalers > limits.Scalers || limits.NoScaler && scalers > 0 {
			return fmt.Errorf("lookalike: constraint scalers: plane %d scales and would need scaler %d (limit %d): %w",
				p.ID(), scalers, limits.Scalers, unix.ENOSPC)
		}
	}
	if limits.Bandwidth > 0 && bytes > limits.Bandwidth {
		return fmt.Errorf("lookalike: constraint bandwidth: the planes would read %d bytes a second (limit %d): %w", bytes, limits.Bandwidth, unix.ENOSPC)
	}
	return nil
}

func (c *Constraints) checkCursor(p *kms.Plane, s *kms.PlaneState) error {
	width, height := s.FB.Size()
	format := s.FB.Format().Code
	if c.CursorFormats != nil && !slices.Contains(c.CursorFormats, format) {
		return fmt.Errorf("lookalike: constraint cursor_formats: cursor plane %d cannot show format %s: %w", p.ID(), fourcc.String(format), unix.EINVAL)
	}
	if c.CursorSizes != nil && !slices.Contains(c.CursorSizes, Size{width, height}) {
		return fmt.Errorf("lookalike: constraint cursor_sizes: cursor plane %d cannot show a framebuffer of %dx%d: %w", p.ID(), width, height, unix.EINVAL)
	}
	return nil
}

// scales reports whether the plane shows its framebuffer in another size.
func scales(s *kms.PlaneState) bool {
	w, h := s.SrcW, s.SrcH
	if s.Rotation&(uapi.ModeRotate90|uapi.ModeRotate270) != 0 {
		w, h = h, w
	}
	return w != s.CRTCW<<16 || h != s.CRTCH<<16
}

// frameBytes returns how many bytes of the framebuffer a frame reads.
func frameBytes(s *kms.PlaneState) (bytes uint64) {
	format := s.FB.Format()
	for i := range format.Planes {
		w, h := format.PlaneSize(i, s.SrcW>>16, s.SrcH>>16)
		bytes += format.MinPitch(i, w) * uint64(h)
	}
	return bytes
}
