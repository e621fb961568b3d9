package kms

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/fourcc"
)

// A transaction is a change of state on its way: a copy of the current state
// that is changed, then checked as a whole, then committed, or thrown away
// (struct drm_atomic_state). What it looks up it holds until its end.
type transaction struct {
	m        *ModeConfig
	old, new *State

	// What was touched, changed or not: a commit waits for the next vblank of
	// each touched CRTC.
	planes     uint64 // by index
	crtcs      uint64
	connectors uint64

	held   []counted
	events map[int]*flipEvent // sent when the commit is shown, by CRTC index

	req        *drm.Request              // who sets fences; nil for nobody
	inFences   map[int]*fence.Fence      // waited for, by plane index
	outFences  map[int]*outFence         // signalled when the commit is shown, by CRTC index
	writebacks map[int]*writebackRequest // by connector index

	allowModeset bool
	// stealEncoders: a connector whose encoder is needed elsewhere is switched
	// off, as SETCRTC does it; other requests are refused instead.
	stealEncoders bool
	onSuccess     func() // called with ModeConfig.mu held
}

// maxObjects bounds planes, CRTCs, encoders and connectors, 32 bits of a mask
// each in the uAPI.
const maxObjects = 32

func (m *ModeConfig) begin() *transaction {
	old := m.state.Load()
	return &transaction{m: m, old: old, new: old.clone(), allowModeset: true}
}

// end gives up what the transaction holds, the events too when it was not
// committed.
func (t *transaction) end() {
	for _, e := range t.events {
		e.pending.Cancel()
	}
	t.events = nil
	for _, c := range t.held {
		t.m.objects.put(c)
	}
	t.held = nil
}

// hold keeps the caller's reference until the end.
func (t *transaction) hold(c counted) { t.held = append(t.held, c) }

// wantEvent orders an event for the file when the commit is shown on c.
// ENOMEM when the client has too many under way.
func (t *transaction) wantEvent(f *drm.File, c *CRTC, userData uint64) error {
	pending, err := f.ReserveEvent(vblankEventSize)
	if err != nil {
		return err
	}
	if t.events == nil {
		t.events = make(map[int]*flipEvent)
	}
	t.events[c.index] = &flipEvent{pending, userData}
	return nil
}

// plane returns the new state of p, to be changed.
func (t *transaction) plane(p *Plane) *PlaneState {
	t.planes |= 1 << p.index
	s := &t.new.planes[p.index]
	if s.CRTC != nil {
		t.crtc(s.CRTC)
	}
	return s
}

// crtc returns the new state of c, to be changed.
func (t *transaction) crtc(c *CRTC) *CRTCState {
	t.crtcs |= 1 << c.index
	return &t.new.crtcs[c.index]
}

// connector returns the new state of c, to be changed.
func (t *transaction) connector(c *Connector) *ConnectorState {
	t.connectors |= 1 << c.index
	s := &t.new.connectors[c.index]
	if s.CRTC != nil {
		t.crtc(s.CRTC)
	}
	return s
}

// The setters below keep dependent state together.

func (t *transaction) setPlaneCRTC(p *Plane, c *CRTC) {
	t.plane(p).CRTC = c
	if c != nil {
		t.crtc(c)
	}
}

func (t *transaction) setPlaneFB(p *Plane, fb *Framebuffer) {
	s := t.plane(p)
	s.FB = fb
	if fb != nil {
		s.HotX, s.HotY = fb.hotX, fb.hotY
	}
}

// disablePlane is __drm_atomic_helper_disable_plane.
func (t *transaction) disablePlane(p *Plane) {
	s := t.plane(p)
	*s = PlaneState{Rotation: s.Rotation, ColorEncoding: s.ColorEncoding, ColorRange: s.ColorRange}
}

func (t *transaction) setConnectorCRTC(c *Connector, crtc *CRTC) {
	t.connector(c).CRTC = crtc
	if crtc != nil {
		t.crtc(crtc)
	}
}

// setMode gives a CRTC a mode, nil for none. blob is the mode as the client
// gave it; without one it is made.
func (t *transaction) setMode(c *CRTC, mode *Mode, blob *Blob) {
	s := t.crtc(c)
	if mode == nil {
		s.Enable, s.Mode, s.ModeBlob = false, Mode{}, nil
		return
	}
	if blob == nil && s.ModeBlob != nil && s.Mode == *mode {
		blob = s.ModeBlob
	}
	if blob == nil {
		blob = t.m.newBlob(encodeMode(mode))
		t.hold(blob)
	}
	s.Enable, s.Mode, s.ModeBlob = true, *mode, blob
}

// addConnectors touches the connectors that c feeds, or fed.
func (t *transaction) addConnectors(c *CRTC) {
	for _, connector := range t.m.connectors {
		if t.old.connectors[connector.index].CRTC == c || t.new.connectors[connector.index].CRTC == c {
			t.connector(connector)
		}
	}
}

// needsModeset reports whether the change to c interrupts its signal.
func (t *transaction) needsModeset(c *CRTC) bool {
	old, new := &t.old.crtcs[c.index], &t.new.crtcs[c.index]
	if old.Enable != new.Enable || old.Active != new.Active || !old.Mode.sameTiming(&new.Mode) {
		return true
	}
	for i := range t.new.connectors {
		o, n := &t.old.connectors[i], &t.new.connectors[i]
		if (o.CRTC == c || n.CRTC == c) && (o.CRTC != n.CRTC || o.BestEncoder != n.BestEncoder || o.LinkStatus != n.LinkStatus) {
			return true
		}
	}
	return false
}

// check checks the new state as a whole and completes what follows from it:
// encoders, visibility. It changes nothing but the transaction.
func (t *transaction) check() error {
	for _, p := range t.m.planes {
		if t.planes&(1<<p.index) == 0 {
			continue
		}
		if err := t.checkPlane(p, &t.new.planes[p.index]); err != nil {
			return refusedPlane(p, err)
		}
	}
	if err := t.checkWritebacks(); err != nil {
		return err
	}
	if err := t.checkModeset(); err != nil {
		return err
	}
	for _, p := range t.m.planes {
		// A plane that is not touched has to be looked at when its CRTC gets
		// another mode.
		s := &t.new.planes[p.index]
		if t.planes&(1<<p.index) == 0 && (s.CRTC == nil || t.crtcs&(1<<s.CRTC.index) == 0) {
			continue
		}
		if err := t.placePlane(s); err != nil {
			return refusedPlane(p, err)
		}
	}
	if err := t.m.config.Driver.Check(t.old, t.new); err != nil {
		return err
	}
	if !t.allowModeset {
		for _, c := range t.m.crtcs {
			if t.crtcs&(1<<c.index) != 0 && t.needsModeset(c) {
				return invalid("CRTC %d would need a full modeset, which the request does not allow", c.id)
			}
		}
	}
	return nil
}

func refusedPlane(p *Plane, err error) error { return fmt.Errorf("kms: plane %d: %w", p.id, err) }

// checkModeset is drm_atomic_helper_check_modeset: every CRTC with a mode has
// connectors, every connector with a CRTC has an encoder of its own.
func (t *transaction) checkModeset() error {
	if err := t.routeConnectors(); err != nil {
		return err
	}
	for _, c := range t.m.crtcs {
		if t.crtcs&(1<<c.index) == 0 {
			continue
		}
		s := &t.new.crtcs[c.index]
		switch {
		case s.Active && !s.Enable:
			return invalid("CRTC %d is to be active without a mode", c.id)
		case s.Enable != t.new.connected(c):
			return invalid("CRTC %d has a mode but no connector, or a connector but no mode", c.id)
		}
		if err := t.checkClones(c); err != nil {
			return err
		}
	}
	return nil
}

// checkClones checks that the encoders of a CRTC may show one picture together
// (drm_atomic_check_valid_clones). A writeback goes with any of them.
func (t *transaction) checkClones(c *CRTC) error {
	var mask uint32
	for i := range t.new.connectors {
		if s := &t.new.connectors[i]; s.CRTC == c && s.BestEncoder != nil && !t.m.connectors[i].writeback() {
			mask |= 1 << s.BestEncoder.index
		}
	}
	for _, e := range t.m.encoders {
		if mask&(1<<e.index) != 0 && mask&^e.config.PossibleClones != 0 {
			return invalid("CRTC %d feeds encoders %#x, and encoder %d goes with %#x only", c.id, mask, e.id, e.config.PossibleClones)
		}
	}
	return nil
}

// routeConnectors gives each connector its encoder.
func (t *transaction) routeConnectors() error {
	taken := make(map[*Encoder]*Connector)
	for _, c := range t.m.connectors {
		if t.connectors&(1<<c.index) == 0 {
			continue
		}
		s := &t.new.connectors[c.index]
		s.BestEncoder = nil
		if s.CRTC == nil {
			continue
		}
		if len(c.encoders) == 0 {
			return invalid("connector %d has no encoder", c.id)
		}
		e := c.encoders[0]
		switch {
		case !e.possible(s.CRTC):
			return invalid("connector %d: its encoder %d cannot show CRTC %d", c.id, e.id, s.CRTC.id)
		case taken[e] != nil:
			return invalid("connectors %d and %d both need encoder %d", taken[e].id, c.id, e.id)
		}
		s.BestEncoder, taken[e] = e, c
	}
	// The connectors that nobody touched may hold an encoder that is needed.
	for _, c := range t.m.connectors {
		s := t.new.connectors[c.index]
		if t.connectors&(1<<c.index) != 0 || s.BestEncoder == nil || taken[s.BestEncoder] == nil {
			continue
		}
		if !t.stealEncoders {
			return invalid("connector %d uses encoder %d, which connector %d needs", c.id, s.BestEncoder.id, taken[s.BestEncoder].id)
		}
		crtc := s.CRTC
		t.setConnectorCRTC(c, nil)
		t.new.connectors[c.index].BestEncoder = nil
		if !t.new.connected(crtc) {
			t.setMode(crtc, nil, nil)
			t.crtc(crtc).Active = false
		}
	}
	return nil
}

// checkPlane is drm_atomic_plane_check.
func (t *transaction) checkPlane(p *Plane, s *PlaneState) error {
	switch {
	case s.CRTC != nil && s.FB == nil:
		return fmt.Errorf("it has a CRTC but no framebuffer: %w", unix.EINVAL)
	case s.CRTC == nil && s.FB != nil:
		return fmt.Errorf("it has a framebuffer but no CRTC: %w", unix.EINVAL)
	case s.CRTC == nil:
		return nil
	}
	if err := p.checkUse(s.CRTC, s.FB, s.CRTCX, s.CRTCY, s.CRTCW, s.CRTCH, s.SrcX, s.SrcY, s.SrcW, s.SrcH); err != nil {
		return err
	}
	if old := t.old.planes[p.index].CRTC; old != nil && old != s.CRTC {
		return fmt.Errorf("it cannot move from CRTC %d to CRTC %d at once: %w", old.id, s.CRTC.id, unix.EINVAL)
	}
	return nil
}

// placePlane is what vkms checks: no scaling, any position. It finds out
// whether the plane can be seen.
func (t *transaction) placePlane(s *PlaneState) error {
	s.Visible = false
	if s.CRTC == nil {
		return nil
	}
	srcW, srcH := s.SrcW, s.SrcH
	if rotatesBy90(s.Rotation) {
		srcW, srcH = srcH, srcW
	}
	if scales(srcW, s.CRTCW) || scales(srcH, s.CRTCH) {
		return fmt.Errorf("it cannot scale %d.%04dx%d.%04d to %dx%d: %w",
			srcW>>16, fraction(srcW), srcH>>16, fraction(srcH), s.CRTCW, s.CRTCH, unix.ERANGE)
	}
	crtc := &t.new.crtcs[s.CRTC.index]
	if crtc.Enable {
		w, h := crtc.Mode.size()
		s.Visible = s.CRTCW > 0 && s.CRTCH > 0 &&
			int64(s.CRTCX) < int64(w) && int64(s.CRTCX)+int64(s.CRTCW) > 0 &&
			int64(s.CRTCY) < int64(h) && int64(s.CRTCY)+int64(s.CRTCH) > 0
	}
	return nil
}

// scales reports whether src (in 1/65536 pixels) is not dst pixels long. A
// plane of no size does not scale.
func scales(src, dst uint32) bool { return dst != 0 && uint64(src) != uint64(dst)<<16 }

func fraction(v uint32) uint32 { return uint32(uint64(v&0xffff) * 10000 >> 16) }

func rotatesBy90(rotation uint32) bool { return rotation&(Rotate90|Rotate270) != 0 }

// checkUse checks whether the plane can show fb on c in the given way
// (__setplane_check).
func (p *Plane) checkUse(c *CRTC, fb *Framebuffer, crtcX, crtcY int32, crtcW, crtcH, srcX, srcY, srcW, srcH uint32) error {
	if !p.possible(c) {
		return fmt.Errorf("it cannot be shown on CRTC %d: %w", c.id, unix.EINVAL)
	}
	if !p.supports(fb.format.Code, fb.modifier) {
		return fmt.Errorf("it cannot show format %s with modifier %#x: %w", fourcc.String(fb.format.Code), fb.modifier, unix.EINVAL)
	}
	const limit = 1<<31 - 1
	if crtcW > limit || crtcH > limit || int64(crtcX) > limit-int64(crtcW) || int64(crtcY) > limit-int64(crtcH) {
		return fmt.Errorf("%dx%d at %d,%d: out of range: %w", crtcW, crtcH, crtcX, crtcY, unix.ERANGE)
	}
	return fb.checkSource(srcX, srcY, srcW, srcH)
}
