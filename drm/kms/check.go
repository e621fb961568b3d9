package kms

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// NeedsModeset reports whether the change interrupts the signal of c
// (drm_atomic_crtc_needs_modeset).
func (a *AtomicState) NeedsModeset(c *CRTC) bool {
	old, new := &a.old.crtcs[c.index], &a.new.crtcs[c.index]
	if old.Enable != new.Enable || old.Active != new.Active || !old.Mode.SameTiming(&new.Mode) {
		return true
	}
	for _, connector := range a.m.Connectors() {
		o, n := &a.old.connectors[connector.index], &a.new.connectors[connector.index]
		if (o.CRTC == c || n.CRTC == c) && (o.CRTC != n.CRTC || o.BestEncoder != n.BestEncoder || o.LinkStatus != n.LinkStatus ||
			connector.properties.interrupts(o.properties, n.properties)) {
			return true
		}
	}
	return false
}

// check checks the new state as a whole, and computes the encoders of connectors
// and the visibility of planes. It changes nothing but a.
func (a *AtomicState) check() error {
	for p := range a.Planes() {
		if err := a.checkPlane(p, &a.new.planes[p.index]); err != nil {
			return refusedPlane(p, err)
		}
	}
	if err := a.checkWritebacks(); err != nil {
		return err
	}
	if err := a.checkModeset(); err != nil {
		return err
	}
	a.addAffected()
	for p := range a.Planes() {
		if err := a.placePlane(p, &a.new.planes[p.index]); err != nil {
			return refusedPlane(p, err)
		}
	}
	a.normalizeZpos()
	a.forgetDamage()
	a.checkProtection()
	if err := a.checkProperties(); err != nil {
		return err
	}
	if err := a.m.config.Driver.check(a); err != nil {
		return err
	}
	if !a.allowModeset {
		for c := range a.CRTCs() {
			if a.NeedsModeset(c) {
				return invalid("CRTC %d would need a full modeset, which the request does not allow", c.id)
			}
		}
	}
	return nil
}

// addAffected adds the connectors and planes of each CRTC that needs a modeset
// (drm_atomic_add_affected_connectors, drm_atomic_add_affected_planes): a new
// mode concerns them too.
func (a *AtomicState) addAffected() {
	for c := range a.CRTCs() {
		if !a.NeedsModeset(c) {
			continue
		}
		for _, connector := range a.m.Connectors() {
			if a.old.connectors[connector.index].CRTC == c {
				a.connector(connector)
			}
		}
		for _, p := range a.m.planes {
			if a.old.planes[p.index].CRTC == c {
				a.plane(p)
			}
		}
	}
}

func refusedPlane(p *Plane, err error) error { return fmt.Errorf("kms: plane %d: %w", p.id, err) }

// checkModeset checks that every CRTC with a mode has connectors, and that every
// connector with a CRTC has an encoder of its own
// (drm_atomic_helper_check_modeset).
func (a *AtomicState) checkModeset() error {
	if err := a.routeConnectors(); err != nil {
		return err
	}
	for c := range a.CRTCs() {
		s := &a.new.crtcs[c.index]
		switch {
		case s.Active && !s.Enable:
			return invalid("CRTC %d cannot be active without a mode", c.id)
		case s.Enable != a.new.connected(c):
			return invalid("CRTC %d needs both a mode and a connector, or neither", c.id)
		}
		if err := a.checkClones(c); err != nil {
			return err
		}
	}
	return nil
}

// checkClones checks that the encoders of c can be clones of each other
// (drm_atomic_check_valid_clones). Writeback encoders can always be.
func (a *AtomicState) checkClones(c *CRTC) error {
	var mask uint32
	for _, connector := range a.m.Connectors() {
		if s := &a.new.connectors[connector.index]; s.CRTC == c && s.BestEncoder != nil && !connector.writeback() {
			mask |= 1 << s.BestEncoder.index
		}
	}
	for _, e := range a.m.allEncoders() {
		if mask&(1<<e.index) != 0 && mask&^e.config.PossibleClones != 0 {
			return invalid("CRTC %d feeds encoders %#x, and encoder %d can be cloned with %#x only", c.id, mask, e.id, e.config.PossibleClones)
		}
	}
	return nil
}

// routeConnectors gives each connector its encoder.
func (a *AtomicState) routeConnectors() error {
	taken := make(map[*Encoder]*Connector)
	for c := range a.Connectors() {
		s := &a.new.connectors[c.index]
		s.BestEncoder = nil
		if s.CRTC == nil {
			continue
		}
		if c.unregistered.Load() && a.new.crtcs[s.CRTC.index].Active {
			return invalid("connector %d is gone; it can only be switched off", c.id)
		}
		if len(c.encoders) == 0 {
			return invalid("connector %d has no encoder", c.id)
		}
		e := c.bestEncoder(s.CRTC)
		switch {
		case !e.possible(s.CRTC):
			return invalid("connector %d: its encoder %d cannot show CRTC %d", c.id, e.id, s.CRTC.id)
		case taken[e] != nil:
			return invalid("connectors %d and %d both need encoder %d", taken[e].id, c.id, e.id)
		}
		s.BestEncoder, taken[e] = e, c
	}
	// A connector that is not part of the change may hold an encoder that is
	// needed.
	for _, c := range a.m.Connectors() {
		s := a.new.connectors[c.index]
		if a.connectors&(1<<c.index) != 0 || s.BestEncoder == nil || taken[s.BestEncoder] == nil {
			continue
		}
		if !a.stealEncoders {
			return invalid("connector %d uses encoder %d, which connector %d needs", c.id, s.BestEncoder.id, taken[s.BestEncoder].id)
		}
		crtc := s.CRTC
		a.setConnectorCRTC(c, nil)
		a.new.connectors[c.index].BestEncoder = nil
		if !a.new.connected(crtc) {
			a.setMode(crtc, nil, nil)
			a.crtc(crtc).Active = false
		}
	}
	return nil
}

// checkPlane checks p, except for its size and position
// (drm_atomic_plane_check).
func (a *AtomicState) checkPlane(p *Plane, s *PlaneState) error {
	switch {
	case s.CRTC != nil && s.FB == nil:
		return fmt.Errorf("it has a CRTC but no framebuffer: %w", unix.EINVAL)
	case s.CRTC == nil && s.FB != nil:
		return fmt.Errorf("it has a framebuffer but no CRTC: %w", unix.EINVAL)
	case s.CRTC == nil:
		return nil
	}
	if err := p.checkUse(s); err != nil {
		return err
	}
	if a.async && !p.supportsAsync(s.FB.format.Code, s.FB.modifier) {
		return fmt.Errorf("an async flip cannot show format %s with modifier %#x: %w", fourcc.String(s.FB.format.Code), s.FB.modifier, unix.EINVAL)
	}
	if err := s.checkDamage(); err != nil {
		return err
	}
	if old := a.old.planes[p.index].CRTC; old != nil && old != s.CRTC {
		return fmt.Errorf("it cannot move from CRTC %d to CRTC %d in one commit; disable it first: %w", old.id, s.CRTC.id, unix.EINVAL)
	}
	return nil
}

// placePlane checks size and position of p against what its driver allows, and
// computes whether p is visible (drm_atomic_helper_check_plane_state).
func (a *AtomicState) placePlane(p *Plane, s *PlaneState) error {
	s.Visible = false
	if s.CRTC == nil {
		return nil
	}
	crtc := &a.new.crtcs[s.CRTC.index]
	if !crtc.Enable && p.config.NeedsEnabled {
		return fmt.Errorf("CRTC %d is disabled: %w", s.CRTC.id, unix.EINVAL)
	}
	srcW, srcH := s.SrcW, s.SrcH
	if rotatesBy90(s.Rotation) {
		srcW, srcH = srcH, srcW
	}
	if !p.scales(srcW, s.CRTCW) || !p.scales(srcH, s.CRTCH) {
		return fmt.Errorf("it cannot scale %d.%04dx%d.%04d to %dx%d: %w",
			srcW>>16, fraction(srcW), srcH>>16, fraction(srcH), s.CRTCW, s.CRTCH, unix.ERANGE)
	}
	if !crtc.Enable {
		return nil
	}
	width, height := crtc.Mode.Size()
	w, h := int64(width), int64(height)
	left, top := int64(s.CRTCX), int64(s.CRTCY)
	right, bottom := left+int64(s.CRTCW), top+int64(s.CRTCH)
	s.Visible = left < right && top < bottom && left < w && right > 0 && top < h && bottom > 0
	if s.Visible && p.config.MustCover && (left > 0 || top > 0 || right < w || bottom < h) {
		return fmt.Errorf("%dx%d at %d,%d does not cover CRTC %d of %dx%d: %w",
			s.CRTCW, s.CRTCH, left, top, s.CRTC.id, w, h, unix.EINVAL)
	}
	return nil
}

// scales reports whether the plane can show src, in 1/65536 pixels, as dst
// pixels (drm_rect_calc_hscale). A plane without pixels can have any size.
func (p *Plane) scales(src, dst uint32) bool {
	if dst == 0 {
		return true
	}
	scale := uint64(src) / uint64(dst)
	if uint64(src) > uint64(dst)<<16 { // round away from 1:1
		scale = (uint64(src) + uint64(dst) - 1) / uint64(dst)
	}
	return scale >= uint64(p.config.MinScale) && scale <= uint64(p.config.MaxScale)
}

func fraction(v uint32) uint32 { return uint32(uint64(v&0xffff) * 10000 >> 16) }

func rotatesBy90(rotation uint32) bool { return rotation&(uapi.ModeRotate90|uapi.ModeRotate270) != 0 }

// normalizeZpos numbers the planes of each CRTC of the change from the bottom
// (drm_atomic_normalize_zpos). A plane that gets another number becomes part of
// the change.
func (a *AtomicState) normalizeZpos() {
	for i := range a.new.planes {
		if a.new.planes[i].CRTC == nil {
			a.new.planes[i].NormalizedZpos = 0
		}
	}
	for c := range a.CRTCs() {
		var planes []*Plane
		for _, p := range a.m.planes {
			if a.new.planes[p.index].CRTC == c {
				planes = append(planes, p)
			}
		}
		slices.SortStableFunc(planes, func(p, q *Plane) int {
			if !a.m.hasZpos {
				return cmp.Compare(p.typeZpos(), q.typeZpos())
			}
			return cmp.Compare(a.new.planes[p.index].Zpos, a.new.planes[q.index].Zpos)
		})
		for zpos, p := range planes {
			if a.new.planes[p.index].NormalizedZpos != zpos {
				a.plane(p).NormalizedZpos = zpos
			}
		}
	}
}

// typeZpos returns the position that planes of the type have on a device without
// zpos.
func (p *Plane) typeZpos() int {
	return slices.Index([]int{uapi.PlaneTypePrimary, uapi.PlaneTypeOverlay, uapi.PlaneTypeCursor}, p.config.Type)
}

// checkUse checks whether the plane can show the framebuffer of s on its CRTC
// (__setplane_check).
func (p *Plane) checkUse(s *PlaneState) error {
	if !p.possible(s.CRTC) {
		return fmt.Errorf("it cannot be shown on CRTC %d: %w", s.CRTC.id, unix.EINVAL)
	}
	if !p.supports(s.FB.format.Code, s.FB.modifier) {
		return fmt.Errorf("it cannot show format %s with modifier %#x: %w", fourcc.String(s.FB.format.Code), s.FB.modifier, unix.EINVAL)
	}
	const limit = math.MaxInt32
	if s.CRTCW > limit || s.CRTCH > limit ||
		int64(s.CRTCX) > limit-int64(s.CRTCW) || int64(s.CRTCY) > limit-int64(s.CRTCH) {
		return fmt.Errorf("%dx%d at %d,%d: out of range: %w", s.CRTCW, s.CRTCH, s.CRTCX, s.CRTCY, unix.ERANGE)
	}
	return s.FB.checkSource(s.SrcX, s.SrcY, s.SrcW, s.SrcH)
}
