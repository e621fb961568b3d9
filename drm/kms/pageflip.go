package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// pageFlip handles PAGE_FLIP: it shows another framebuffer at the next vblank,
// or at once with the flag for async flips. It does not wait
// (drm_mode_page_flip_ioctl). The commit on its way is a crtcCommit.
func (m *ModeConfig) pageFlip(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCRTCPageFlip) error {
	async := arg.Flags&uapi.ModePageFlipAsync != 0
	switch {
	case arg.Flags&^uint32(uapi.ModePageFlipFlags) != 0:
		return invalid("PAGE_FLIP: unknown flags %#x", arg.Flags)
	case arg.Reserved != 0 && arg.Flags&uapi.ModePageFlipTarget == 0:
		return invalid("PAGE_FLIP: reserved field is not zero")
	case arg.Flags&uapi.ModePageFlipTarget == uapi.ModePageFlipTarget:
		return invalid("PAGE_FLIP: the target is both absolute and relative")
	case async && !m.config.Limits.AsyncPageFlip:
		return invalid("PAGE_FLIP: the device has no async flips")
	}
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	if !req.File.LeaseHeld(c.config.Primary.id) {
		return leasedAway("PAGE_FLIP", c.config.Primary)
	}
	if m.config.Limits.PageFlipTarget {
		if err := c.checkFlipTarget(arg); err != nil {
			return err
		}
	} else if arg.Flags&uapi.ModePageFlipTarget != 0 {
		return invalid("PAGE_FLIP: the device has no flips to a target vblank")
	}
	if m.State().Plane(c.config.Primary).FB == nil {
		return noFB(c)
	}
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)

	opts := commitOptions{ctx: req.Context(), nonblock: true, async: async}
	return m.commit(dev, opts, func(a *AtomicState) error {
		a.async = async
		if err := a.flipTo(c, fb); err != nil {
			return err
		}
		if arg.Flags&uapi.ModePageFlipEvent == 0 {
			return nil
		}
		return a.wantEvent(req.File, c, arg.UserData)
	})
}

// checkFlipTarget refuses targets beyond the next vblank. A flip to the next one or an
// earlier one is shown as any other. A CRTC that is off has no vblanks: EINVAL.
func (c *CRTC) checkFlipTarget(arg *uapi.ModeCRTCPageFlip) error {
	now, err := c.vblank.read()
	if err != nil {
		return err
	}
	target := arg.Reserved
	switch arg.Flags & uapi.ModePageFlipTarget {
	case uapi.ModePageFlipTargetAbsolute:
		if ahead := int32(target - uint32(now.count)); ahead > 1 {
			return invalid("PAGE_FLIP: the target vblank %d is %d ahead of CRTC %d (limit 1)", target, ahead, c.id)
		}
	case uapi.ModePageFlipTargetRelative:
		if target > 1 {
			return invalid("PAGE_FLIP: the target is %d vblanks ahead (limit 1)", target)
		}
	}
	return nil
}

func noFB(c *CRTC) error {
	return refuse(unix.EBUSY, "PAGE_FLIP: CRTC %d shows no framebuffer; use SETCRTC", c.id)
}

// flipTo changes only the framebuffer of the primary plane.
func (a *AtomicState) flipTo(c *CRTC, fb *Framebuffer) error {
	p := c.config.Primary
	s := a.plane(p)
	old := s.FB
	if old == nil {
		return noFB(c)
	}
	if err := fb.checkSource(s.SrcX, s.SrcY, s.SrcW, s.SrcH); err != nil {
		return err
	}
	if old.format != fb.format {
		return invalid("PAGE_FLIP: cannot change the format from %s to %s", fourcc.String(old.format.Code), fourcc.String(fb.format.Code))
	}
	if !a.crtc(c).Active {
		return invalid("PAGE_FLIP: CRTC %d is off", c.id)
	}
	a.setPlaneCRTC(p, c)
	a.setPlaneFB(p, fb)
	a.allowModeset = false
	return nil
}
