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
		return refuse(unix.ENOMEM, "ADDFB: the client has %d framebuffers already; remove some first", maxFBsPerFile)
	}
	arg.FBID = fb.id
	return nil
}

func (m *ModeConfig) addFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd) error {
	code, ok := fourcc.Legacy(arg.BPP, arg.Depth)
	if !ok {
		return invalid("ADDFB: no format has %d bits a pixel and depth %d", arg.BPP, arg.Depth)
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

// ownFB takes the framebuffer from the file: the caller gets the file's
// reference. ENOENT when it is not the file's.
func (m *ModeConfig) ownFB(f *drm.File, id uint32) (*Framebuffer, error) {
	fb, err := m.findFB(id)
	if err != nil {
		return nil, err
	}
	defer m.objects.put(fb)
	if !m.file(f).removeFB(fb) {
		return nil, refuse(unix.ENOENT, "framebuffer %d is another client's", id)
	}
	return fb, nil
}

// rmFB removes a framebuffer of the client. Planes that show it are switched
// off.
func (m *ModeConfig) rmFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uint32) error {
	fb, err := m.ownFB(req.File, *arg)
	if err != nil {
		return err
	}
	m.removeFB(dev, fb, commitOptions{})
	return nil
}

// closeFB gives up the client's framebuffer. What shows it goes on to.
func (m *ModeConfig) closeFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCloseFB) error {
	if arg.Pad != 0 {
		return invalid("CLOSEFB: the padding is not zero")
	}
	fb, err := m.ownFB(req.File, arg.FBID)
	if err != nil {
		return err
	}
	m.objects.put(fb)
	return nil
}

// removeFB is drm_framebuffer_remove: it gives the caller's reference back,
// having switched off the planes that show fb; their CRTCs as well, when the
// driver does not light one without its primary plane.
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

// withdraw switches off the planes that show fb.
func (a *AtomicState) withdraw(fb *Framebuffer, withCRTCs bool) {
	for _, p := range a.m.planes {
		s := &a.new.planes[p.index]
		if s.FB != fb {
			continue
		}
		if crtc := s.CRTC; withCRTCs && crtc.config.Primary == p {
			for _, c := range a.m.connectors {
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

// mayHaveHandles reports whether the client may get handles of framebuffers
// that it did not make.
func mayHaveHandles(req *drm.Request) bool { return req.File.IsMaster() || req.Client().Admin }

func (m *ModeConfig) getFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBCmd) error {
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	if fb.format.Planes > 1 {
		return invalid("GETFB of framebuffer %d with %d planes; use GETFB2", fb.id, fb.format.Planes)
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
		// The same buffer gets one handle.
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

// clipSize is the size of struct drm_clip_rect.
const clipSize = 8

// dirtyFB checks what the client says and answers that there is nothing to
// do: the display shows the buffer itself.
func (m *ModeConfig) dirtyFB(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeFBDirtyCmd) error {
	fb, err := m.findFB(arg.FBID)
	if err != nil {
		return err
	}
	defer m.objects.put(fb)
	copies := arg.Flags&uapi.ModeFBDirtyAnnotateCopy != 0
	switch {
	case (arg.NumClips == 0) != (arg.ClipsPtr == 0):
		return invalid("DIRTYFB with %d clips at %#x", arg.NumClips, arg.ClipsPtr)
	case copies && arg.NumClips%2 != 0:
		return invalid("DIRTYFB: copies come in pairs of clips, not %d", arg.NumClips)
	case arg.NumClips > uapi.ModeFBDirtyMaxClips:
		return invalid("DIRTYFB with %d clips, the limit is %d", arg.NumClips, uapi.ModeFBDirtyMaxClips)
	}
	if arg.NumClips > 0 {
		if err := req.CopyFromUser(make([]byte, arg.NumClips*clipSize), arg.ClipsPtr); err != nil {
			return err
		}
	}
	m.changes.announce()
	return refuse(unix.ENOSYS, "DIRTYFB: framebuffers are shown as they are")
}
