package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

func (m *ModeConfig) cursor(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCursor) error {
	return m.cursor2(dev, req, &uapi.ModeCursor2{
		Flags: arg.Flags, CRTCID: arg.CRTCID, X: arg.X, Y: arg.Y, Width: arg.Width, Height: arg.Height, Handle: arg.Handle,
	})
}

// cursor2 sets the legacy cursor: an ARGB8888 buffer on the cursor plane, its
// position, or both (drm_mode_cursor_universal).
func (m *ModeConfig) cursor2(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCursor2) error {
	if arg.Flags == 0 || arg.Flags&^uint32(uapi.ModeCursorFlags) != 0 {
		return invalid("CURSOR: invalid flags %#x", arg.Flags)
	}
	c, err := m.findCRTC(req.File, arg.CRTCID)
	if err != nil {
		return err
	}
	setsBuffer, moves := arg.Flags&uapi.ModeCursorBO != 0, arg.Flags&uapi.ModeCursorMove != 0
	p := c.config.Cursor
	switch {
	case p == nil && setsBuffer:
		return refuse(unix.ENXIO, "CURSOR: CRTC %d has no cursor plane", c.id)
	case p == nil:
		return refuse(unix.EFAULT, "CURSOR: CRTC %d has no cursor plane", c.id)
	case !c.config.HardwareCursor && !req.File.LeaseHeld(p.id):
		return leasedAway("CURSOR", p)
	}
	var fb *Framebuffer
	if setsBuffer && arg.Handle != 0 {
		fb, err = m.createFB(req.File, &uapi.ModeFBCmd2{
			Width: arg.Width, Height: arg.Height, PixelFormat: uapi.FormatARGB8888,
			Handles: [4]uint32{arg.Handle}, Pitches: [4]uint32{arg.Width * 4},
		}, arg.HotX, arg.HotY)
		if err != nil {
			return err
		}
		defer m.objects.put(fb)
	}
	return m.commit(dev, commitOptions{ctx: req.Context(), unsynced: true}, func(a *AtomicState) error {
		fb := fb
		if !setsBuffer {
			fb = a.old.planes[p.index].FB
		}
		x, y := c.legacy.cursorX, c.legacy.cursorY
		if moves {
			x, y = arg.X, arg.Y
		}
		if fb == nil {
			a.disablePlane(p)
		} else if err := a.updatePlane(p, c, fb, PlaneState{
			CRTCX: x, CRTCY: y, CRTCW: fb.width, CRTCH: fb.height, SrcW: fb.width << 16, SrcH: fb.height << 16,
		}); err != nil {
			return err
		}
		if fb != nil && setsBuffer && p.hotspotX != nil {
			cursor := a.plane(p)
			cursor.HotX, cursor.HotY = fb.hotX, fb.hotY
		}
		a.onSuccess = func() { c.legacy.cursorX, c.legacy.cursorY = x, y }
		return nil
	})
}
