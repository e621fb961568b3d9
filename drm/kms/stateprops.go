package kms

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// setProperty sets one property of o on behalf of the client of f
// (drm_atomic_set_property). Errors: EINVAL for a value that is not valid, EACCES
// for an object that the client does not lease.
func (a *AtomicState) setProperty(f *drm.File, o Object, p *Property, value uint64) error {
	if c, ok := o.(*Connector); ok && c.freed {
		return notFound("connector", c.id)
	}
	ref, ok := p.allows(&a.m.objects, value)
	if !ok {
		return p.refuses(o, value)
	}
	if c, ok := ref.(counted); ok {
		a.hold(c)
	}
	if ref != nil && leasable(ref.objectType()) && !f.LeaseHeld(ref.ID()) {
		return leasedAway("property "+p.name, ref)
	}
	at := o.props().lookup(p)
	if a.async && !a.m.flips(o, p) {
		return a.checkUnchanged(o, at, value)
	}
	if ref != nil {
		value = uint64(ref.ID())
	}
	if at.slot >= 0 {
		return a.setAttached(o, at, value, ref)
	}
	return o.set(&a.m.standard, a, p, value, ref)
}

// refuses returns the error for a value of o that is not valid.
func (p *Property) refuses(o Object, value uint64) error {
	text := fmt.Sprintf("property %s of object %d cannot be set to %#x", p.name, o.ID(), value)
	kind := ""
	switch {
	case p.is(uapi.ModePropBlob):
		kind = blobKind
	case p.is(uapi.ModePropObject) && p.values[0] == uapi.ModeObjectFB:
		kind = framebufferKind
	}
	if kind == "" || value > math.MaxUint32 {
		return invalid("%s", text)
	}
	return &drm.MissingError{Kind: kind, ID: uint32(value), Text: "kms: " + text, Errno: unix.EINVAL}
}

// flips reports whether an async flip may change the property of o. The kernel
// has no rule for operations of colour pipelines.
func (m *ModeConfig) flips(o Object, p *Property) bool {
	if _, ok := o.(*Colorop); ok {
		return true
	}
	plane, ok := o.(*Plane)
	return ok && plane.config.Type == uapi.PlaneTypePrimary &&
		(p == m.standard.fbID || p == m.standard.inFenceFD || p == m.standard.fbDamageClips)
}

// checkUnchanged refuses to change a property in an async flip, which may name
// it with the value that it has (drm_atomic_check_prop_changes). The object
// becomes part of the change.
func (a *AtomicState) checkUnchanged(o Object, at *attached, value uint64) error {
	o.touch(a)
	if old := a.m.property(o, a.new, at); old != value {
		return invalid("property %s of object %d is %#x: an async flip cannot set it to %#x",
			at.property.name, o.ID(), old, value)
	}
	return nil
}

func readOnly(o object, p *Property) error {
	return invalid("clients cannot set property %s of object %d", p.name, o.ID())
}

func optionalID[T interface {
	comparable
	ID() uint32
}](o T) uint64 {
	if o == *new(T) {
		return 0
	}
	return uint64(o.ID())
}

func boolValue(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (p *Plane) get(std *standardProperties, s *State, property *Property) uint64 {
	ps := &s.planes[p.index]
	switch property {
	case std.fbID:
		return optionalID(ps.FB)
	case std.inFenceFD:
		return ^uint64(0)
	case std.crtcID:
		return optionalID(ps.CRTC)
	case std.crtcX:
		return uint64(int64(ps.CRTCX))
	case std.crtcY:
		return uint64(int64(ps.CRTCY))
	case std.crtcW:
		return uint64(ps.CRTCW)
	case std.crtcH:
		return uint64(ps.CRTCH)
	case std.srcX:
		return uint64(ps.SrcX)
	case std.srcY:
		return uint64(ps.SrcY)
	case std.srcW:
		return uint64(ps.SrcW)
	case std.srcH:
		return uint64(ps.SrcH)
	case p.rotation:
		return uint64(ps.Rotation)
	case p.alpha:
		return uint64(ps.Alpha)
	case p.blendMode:
		return uint64(ps.BlendMode)
	case p.zpos:
		return uint64(ps.Zpos)
	case p.colorEncoding:
		return uint64(ps.ColorEncoding)
	case p.colorRange:
		return uint64(ps.ColorRange)
	case p.scalingFilter:
		return uint64(ps.ScalingFilter)
	case p.hotspotX:
		return uint64(int64(ps.HotX))
	case p.hotspotY:
		return uint64(int64(ps.HotY))
	case std.fbDamageClips:
		return blobID(ps.DamageClips)
	}
	return p.properties.value(property)
}

func (p *Plane) set(std *standardProperties, a *AtomicState, property *Property, value uint64, ref object) error {
	s := a.plane(p)
	switch property {
	case std.fbID:
		fb, _ := ref.(*Framebuffer)
		a.setPlaneFB(p, fb)
	case std.inFenceFD:
		return a.setInFence(p, int64(value))
	case std.crtcID:
		crtc, _ := ref.(*CRTC)
		a.setPlaneCRTC(p, crtc)
	case std.crtcX:
		s.CRTCX = int32(value)
	case std.crtcY:
		s.CRTCY = int32(value)
	case std.crtcW:
		s.CRTCW = uint32(value)
	case std.crtcH:
		s.CRTCH = uint32(value)
	case std.srcX:
		s.SrcX = uint32(value)
	case std.srcY:
		s.SrcY = uint32(value)
	case std.srcW:
		s.SrcW = uint32(value)
	case std.srcH:
		s.SrcH = uint32(value)
	case p.rotation:
		return p.setRotation(s, value)
	case p.alpha:
		s.Alpha = uint16(value)
	case p.blendMode:
		s.BlendMode = BlendMode(value)
	case p.zpos:
		s.Zpos = uint32(value)
	case p.colorEncoding:
		s.ColorEncoding = uint32(value)
	case p.colorRange:
		s.ColorRange = uint32(value)
	case p.scalingFilter:
		s.ScalingFilter = ScalingFilter(value)
	case p.hotspotX:
		s.HotX = int32(value)
	case p.hotspotY:
		s.HotY = int32(value)
	case std.fbDamageClips:
		blob, _ := ref.(*Blob)
		return p.setDamage(s, blob)
	default:
		return readOnly(p, property)
	}
	return nil
}

func (c *CRTC) get(std *standardProperties, s *State, property *Property) uint64 {
	cs := &s.crtcs[c.index]
	switch property {
	case std.active:
		return boolValue(cs.Active)
	case std.modeID:
		return blobID(cs.ModeBlob)
	case std.degammaLUT:
		return blobID(cs.DegammaLUT)
	case std.ctm:
		return blobID(cs.CTM)
	case std.gammaLUT:
		return blobID(cs.GammaLUT)
	case c.scalingFilter:
		return uint64(cs.ScalingFilter)
	case c.background:
		return cs.BackgroundColor
	case std.vrrEnabled:
		return boolValue(cs.VRREnabled)
	case std.outFencePtr:
		return 0
	}
	return c.properties.value(property)
}

func (c *CRTC) set(std *standardProperties, a *AtomicState, property *Property, value uint64, ref object) error {
	s := a.crtc(c)
	blob, _ := ref.(*Blob)
	switch property {
	case std.active:
		s.Active = value != 0
	case std.modeID:
		if blob == nil {
			a.setMode(c, nil, nil)
			return nil
		}
		mode, err := decodeMode(blob.data)
		if err != nil {
			return refuse(unix.EINVAL, "MODE_ID %d of CRTC %d: %v", blob.id, c.id, err)
		}
		a.setMode(c, &mode, blob)
	case std.degammaLUT, std.gammaLUT:
		if blob != nil && len(blob.data)%lutEntrySize != 0 {
			return invalid("%s of CRTC %d: %d bytes are not whole entries", property.name, c.id, len(blob.data))
		}
		if property == std.gammaLUT {
			s.GammaLUT = blob
		} else {
			s.DegammaLUT = blob
		}
	case std.ctm:
		if blob != nil && len(blob.data) != ctmSize {
			return invalid("CTM of CRTC %d: %d bytes, want %d", c.id, len(blob.data), ctmSize)
		}
		s.CTM = blob
	case c.scalingFilter:
		s.ScalingFilter = ScalingFilter(value)
	case c.background:
		s.BackgroundColor = value
	case std.vrrEnabled:
		s.VRREnabled = value != 0
	case std.outFencePtr:
		return a.setOutFence(c, value)
	default:
		return readOnly(c, property)
	}
	return nil
}

func (c *Connector) get(std *standardProperties, s *State, property *Property) uint64 {
	cs := s.connector(c)
	switch property {
	case std.edid:
		return blobID(c.lastProbe().edid)
	case std.tile:
		return blobID(c.lastProbe().tile)
	case std.nonDesktop:
		return boolValue(c.lastProbe().nonDesktop)
	case std.dpms:
		return uint64(cs.DPMS)
	case std.linkStatus:
		return uint64(cs.LinkStatus)
	case std.crtcID:
		return optionalID(cs.CRTC)
	}
	// Writeback framebuffers and fences are for one commit and read as 0.
	return c.properties.value(property)
}

func (c *Connector) set(std *standardProperties, a *AtomicState, property *Property, value uint64, ref object) error {
	s := a.connector(c)
	switch property {
	case std.crtcID:
		crtc, _ := ref.(*CRTC)
		a.setConnectorCRTC(c, crtc)
	case std.linkStatus:
		// Only the hardware can set a link to bad; a client sets it to good when
		// it has retrained the link.
		if s.LinkStatus != uapi.ModeLinkStatusGood {
			s.LinkStatus = uint32(value)
		}
	case std.writebackFBID:
		r := a.writeback(c)
		r.fb, _ = ref.(*Framebuffer)
		r.fbSet = true
	case std.writebackOutFencePtr:
		o, err := a.newOutFence(value)
		if err != nil {
			return err
		}
		a.writeback(c).out = o
	default:
		return readOnly(c, property)
	}
	return nil
}
