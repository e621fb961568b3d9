package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// setPlane handles SETPLANE: it updates one plane. Without a framebuffer it
// switches the plane off (drm_mode_setplane).
func (m *ModeConfig) setPlane(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeSetPlane) error {
	p, err := m.findPlane(req.File, arg.PlaneID)
	if err != nil {
		return err
	}
	opts := commitOptions{ctx: req.Context()}
	if arg.FBID == 0 {
		opts.unsynced = m.cursorOf(p, m.State().Plane(p).CRTC)
		return m.commit(dev, opts, func(a *AtomicState) error {
			a.disablePlane(p)
			return nil
		})
	}
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	opts.unsynced = m.cursorOf(p, c)
	return m.commit(dev, opts, func(a *AtomicState) error {
		return a.updatePlane(p, c, fb, PlaneState{
			CRTCX: arg.CRTCX, CRTCY: arg.CRTCY, CRTCW: arg.CRTCW, CRTCH: arg.CRTCH,
			SrcX: arg.SrcX, SrcY: arg.SrcY, SrcW: arg.SrcW, SrcH: arg.SrcH,
		})
	})
}

// cursorOf reports whether p is the legacy cursor of c, whose updates do not
// wait.
func (m *ModeConfig) cursorOf(p *Plane, c *CRTC) bool { return c != nil && c.config.Cursor == p }

// updatePlane shows fb on p. place says where; its other fields are ignored.
func (a *AtomicState) updatePlane(p *Plane, c *CRTC, fb *Framebuffer, place PlaneState) error {
	place.CRTC, place.FB = c, fb
	if err := p.checkUse(&place); err != nil {
		return refusedPlane(p, err)
	}
	a.setPlaneCRTC(p, c)
	a.setPlaneFB(p, fb)
	s := a.plane(p)
	s.CRTCX, s.CRTCY, s.CRTCW, s.CRTCH = place.CRTCX, place.CRTCY, place.CRTCW, place.CRTCH
	s.SrcX, s.SrcY, s.SrcW, s.SrcH = place.SrcX, place.SrcY, place.SrcW, place.SrcH
	return nil
}
