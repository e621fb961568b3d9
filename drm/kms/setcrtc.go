package kms

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// setCRTC handles SETCRTC: it sets mode, framebuffer and connectors of a CRTC
// (drm_mode_setcrtc).
func (m *ModeConfig) setCRTC(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCRTC) error {
	if arg.X > math.MaxUint16 || arg.Y > math.MaxUint16 {
		return refuse(unix.ERANGE, "SETCRTC: position %d,%d is out of range", arg.X, arg.Y)
	}
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	// To switch a CRTC off, the client needs no lease of its plane.
	if primary := c.config.Primary; arg.ModeValid != 0 && !req.File.LeaseHeld(primary.id) {
		return leasedAway("SETCRTC", primary)
	}
	opts := commitOptions{ctx: req.Context()}
	if arg.ModeValid == 0 {
		if arg.CountConnectors > 0 {
			return invalid("SETCRTC: CRTC %d has %d connectors but no mode", c.id, arg.CountConnectors)
		}
		return m.commit(dev, opts, func(a *AtomicState) error {
			a.setConfig(c, nil, nil, 0, 0, nil)
			return nil
		})
	}

	// -1 keeps the framebuffer.
	var fb *Framebuffer
	if arg.FBID != math.MaxUint32 {
		if fb, err = m.findFB(arg.FBID); err != nil {
			return err
		}
		defer m.objects.put(fb)
	}
	if arg.Mode.Flags&uapi.ModeFlagPicARMask != 0 && !req.File.Caps().AspectRatio {
		return invalid("SETCRTC: the mode has an aspect ratio, but the client has not set DRM_CLIENT_CAP_ASPECT_RATIO")
	}
	timing, err := mode.FromInfo(&arg.Mode)
	if err != nil {
		return err
	}
	connectors, bad := m.readConnectors(req, arg)
	return m.commit(dev, opts, func(a *AtomicState) error {
		fb := fb
		if fb == nil {
			if fb = a.old.planes[c.config.Primary.index].FB; fb == nil {
				return invalid("SETCRTC: CRTC %d shows no framebuffer to keep", c.id)
			}
		}
		if err := a.checkViewport(c, &timing, fb, arg.X, arg.Y); err != nil {
			return err
		}
		if bad != nil {
			return bad
		}
		for _, connector := range connectors {
			if connector.freed {
				return notFound("connector", connector.id)
			}
		}
		a.setConfig(c, &timing, fb, arg.X, arg.Y, connectors)
		return nil
	})
}

// readConnectors reads the connectors of a SETCRTC with a mode.
func (m *ModeConfig) readConnectors(req *drm.Request, arg *uapi.ModeCRTC) ([]*Connector, error) {
	switch {
	case arg.CountConnectors == 0:
		return nil, invalid("SETCRTC: a mode, but no connectors")
	case uint64(arg.CountConnectors) > uint64(len(m.Connectors())):
		return nil, invalid("SETCRTC: %d connectors, but the device has %d", arg.CountConnectors, len(m.Connectors()))
	}
	list := userArray[uint32]{req: req, size: 4, addr: arg.SetConnectorsPtr}
	var connectors []*Connector
	for i := range arg.CountConnectors {
		id, err := list.next(arg.CountConnectors - i)
		if err != nil {
			return nil, err
		}
		c, err := m.findConnector(req.File, id)
		if err != nil {
			return nil, err
		}
		connectors = append(connectors, c)
	}
	return connectors, nil
}

// checkViewport checks that the framebuffer covers the mode from x, y on, and that
// the primary plane can show it.
func (a *AtomicState) checkViewport(c *CRTC, timing *mode.Mode, fb *Framebuffer, x, y uint32) error {
	primary := c.config.Primary
	if !primary.supports(fb.format.Code, fb.modifier) {
		return invalid("plane %d cannot show format %s with modifier %#x", primary.id, fourcc.String(fb.format.Code), fb.modifier)
	}
	w, h := timing.Size()
	if rotatesBy90(a.new.planes[primary.index].Rotation) {
		w, h = h, w
	}
	return fb.checkSource(x<<16, y<<16, w<<16, h<<16)
}

// setConfig makes the change of a SETCRTC (__drm_atomic_helper_set_config). A nil
// mode switches the CRTC off.
func (a *AtomicState) setConfig(c *CRTC, timing *mode.Mode, fb *Framebuffer, x, y uint32, connectors []*Connector) {
	a.stealEncoders = true
	a.setMode(c, timing, nil)
	a.crtc(c).Active = timing != nil
	primary := c.config.Primary
	if timing == nil {
		a.setPlaneCRTC(primary, nil)
		a.setPlaneFB(primary, nil)
	} else {
		a.setPlaneCRTC(primary, c)
		a.setPlaneFB(primary, fb)
		w, h := timing.Size()
		s := a.plane(primary)
		s.CRTCX, s.CRTCY, s.CRTCW, s.CRTCH = 0, 0, w, h
		if rotatesBy90(s.Rotation) {
			w, h = h, w
		}
		s.SrcX, s.SrcY, s.SrcW, s.SrcH = x<<16, y<<16, w<<16, h<<16
	}
	for _, connector := range a.m.Connectors() {
		if a.new.connectors[connector.index].CRTC == c {
			a.setConnectorCRTC(connector, nil)
			a.connector(connector).LinkStatus = uapi.ModeLinkStatusGood
		}
	}
	for _, connector := range connectors {
		a.setConnectorCRTC(connector, c)
	}
	// Switch off a CRTC that has lost its last connector.
	for _, other := range a.m.crtcs {
		if other != c && a.crtcs&(1<<other.index) != 0 && !a.new.connected(other) {
			a.setMode(other, nil, nil)
			a.crtc(other).Active = false
		}
	}
}
