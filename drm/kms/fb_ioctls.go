package kms

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

func (m *ModeConfig) addFB2(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd2) error {
	fb, err := m.createFB(req.File, arg, 0, 0)
	if err != nil {
		return err
	}
	if !m.file(req.File).addFB(fb) {
		m.objects.put(fb)
		return refuse(unix.ENOMEM, "ADDFB: too many framebuffers (limit %d per client); remove some first", maxFBsPerFile)
	}
	arg.FBID = fb.id
	return nil
}

func (m *ModeConfig) addFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd) error {
	code, ok := fourcc.Legacy(arg.BPP, arg.Depth)
	if !ok {
		return invalid("ADDFB: no format with %d bits per pixel and depth %d", arg.BPP, arg.Depth)
	}
	cmd := uapi.ModeFBCmd2{
		Width: arg.Width, Height: arg.Height, PixelFormat: code,
		Handles: [4]uint32{arg.Handle}, Pitches: [4]uint32{arg.Pitch},
	}
	if err := m.addFB2(dev, req, &cmd); err != nil {
		return err
	}
	arg.FBID = cmd.FBID
	return nil
}

// ownFB removes the framebuffer from the file. The caller gets the file's
// reference. It returns ENOENT if the file does not own the framebuffer.
func (m *ModeConfig) ownFB(f *drm.File, id uint32) (*Framebuffer, error) {
	fb, err := m.findFB(id)
	if err != nil {
		return nil, err
	}
	defer m.objects.put(fb)
	if !m.file(f).removeFB(fb) {
		return nil, refuse(unix.ENOENT, "framebuffer %d belongs to another client", id)
	}
	return fb, nil
}

// rmFB removes a framebuffer of the client and disables the planes that show
// it.
func (m *ModeConfig) rmFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	fb, err := m.ownFB(req.File, *arg)
	if err != nil {
		return err
	}
	m.removeFB(dev, fb, commitOptions{})
	return nil
}

// closeFB removes a framebuffer of the client. Planes keep showing it.
func (m *ModeConfig) closeFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCloseFB) error {
	if arg.Pad != 0 {
		return invalid("CLOSEFB: padding is not zero")
	}
	fb, err := m.ownFB(req.File, arg.FBID)
	if err != nil {
		return err
	}
	m.objects.put(fb)
	return nil
}

// removeFB disables the planes that show fb, then puts the caller's reference
// (drm_framebuffer_remove). If the driver refuses a CRTC without its primary
// plane, removeFB disables the CRTC as well.
func (m *ModeConfig) removeFB(dev *drm.RegisteredDevice, fb *Framebuffer, opts commitOptions) {
	defer m.objects.put(fb)
	if !m.objects.shared(fb) {
		return
	}
	for _, withCRTCs := range []bool{false, true} {
		err := m.commit(dev, opts, func(a *AtomicState) error {
			a.withdraw(fb, withCRTCs)
			return nil
		})
		if err == nil {
			return
		}
	}
}

// withdraw disables the planes that show fb, and with withCRTCs the CRTCs whose
// primary planes they are.
func (a *AtomicState) withdraw(fb *Framebuffer, withCRTCs bool) {
	for _, p := range a.m.planes {
		s := &a.new.planes[p.index]
		if s.FB != fb {
			continue
		}
		if crtc := s.CRTC; withCRTCs && crtc.config.Primary == p {
			for _, c := range a.m.Connectors() {
				if a.new.connectors[c.index].CRTC == crtc {
					a.setConnectorCRTC(c, nil)
				}
			}
			a.setMode(crtc, nil, nil)
			a.crtc(crtc).Active = false
		}
		a.setPlaneFB(p, nil)
		a.setPlaneCRTC(p, nil)
	}
}

// mayHaveHandles reports whether the client may get handles of other clients'
// framebuffers.
func mayHaveHandles(req *drm.Request) bool { return req.File.IsMaster() || req.Client().Admin }

func (m *ModeConfig) getFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd) error {
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	if fb.format.Planes > 1 {
		return invalid("GETFB: framebuffer %d has %d planes; use GETFB2", fb.id, fb.format.Planes)
	}
	arg.Width, arg.Height, arg.Pitch = fb.width, fb.height, fb.pitches[0]
	arg.BPP, arg.Depth = fb.format.BitsPerPixel(), fb.format.Depth
	arg.Handle = 0
	if mayHaveHandles(req) {
		arg.Handle = m.config.Buffers.CreateHandle(req.File, fb.buffers[0])
	}
	return nil
}

func (m *ModeConfig) getFB2(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd2) error {
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	*arg = uapi.ModeFBCmd2{
		FBID: fb.id, Width: fb.width, Height: fb.height, PixelFormat: fb.format.Code, Flags: uapi.ModeFBModifiers,
		Pitches: fb.pitches, Offsets: fb.offsets,
	}
	for i := range fb.format.Planes {
		arg.Modifier[i] = fb.modifier
	}
	if !mayHaveHandles(req) {
		return nil
	}
	for i := range fb.format.Planes {
		// Planes in the same buffer have the same handle.
		for j := range i {
			if fb.buffers[j] == fb.buffers[i] {
				arg.Handles[i] = arg.Handles[j]
			}
		}
		if arg.Handles[i] == 0 {
			arg.Handles[i] = m.config.Buffers.CreateHandle(req.File, fb.buffers[i])
		}
	}
	return nil
}
