package kms

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// A Framebuffer is a picture in buffers, with a size and a format, that a plane
// can show (struct drm_framebuffer). It does not change. The file that created
// it and the state that shows it hold references.
type Framebuffer struct {
	objectBase
	refCount
	width, height    uint32
	format           *fourcc.Format
	modifier         uint64
	hotX, hotY       int32  // of a legacy cursor
	comm             string // of its creator, for debugfs
	console          bool   // the console made it
	pitches, offsets [4]uint32
	buffers          [4]*gem.Object // a reference each
	account          *drm.Account   // charged for the object
}

// maxFBsPerFile is the number of framebuffers that a client can have.
const maxFBsPerFile = 1 << 16

func (*Framebuffer) objectType() uint32 { return uapi.ModeObjectFB }

func (fb *Framebuffer) free() {
	fb.account.Refund(drm.Objects, 1)
	for _, o := range fb.buffers {
		if o != nil {
			o.Put()
		}
	}
}

// Size returns the size in pixels.
func (fb *Framebuffer) Size() (width, height uint32) { return fb.width, fb.height }

// Format returns the pixel format.
func (fb *Framebuffer) Format() *fourcc.Format { return fb.format }

// checkSource checks that the part to show, in 1/65536 pixels, lies inside
// (drm_framebuffer_check_src_coords).
func (fb *Framebuffer) checkSource(x, y, w, h uint32) error {
	fbW, fbH := uint64(fb.width)<<16, uint64(fb.height)<<16
	if uint64(x)+uint64(w) > fbW || uint64(y)+uint64(h) > fbH {
		return fmt.Errorf("%dx%d at %d,%d does not lie within framebuffer %d of %dx%d: %w",
			w>>16, h>>16, x>>16, y>>16, fb.id, fb.width, fb.height, unix.ENOSPC)
	}
	return nil
}

// findFB returns the framebuffer with a reference for the caller.
func (m *ModeConfig) findFB(id uint32) (*Framebuffer, error) {
	if fb, ok := findAs[*Framebuffer](&m.objects, id, uapi.ModeObjectFB); ok {
		return fb, nil
	}
	return nil, notFound(framebufferKind, id)
}

// createFB creates the framebuffer that a client requests, with one reference
// for the caller.
func (m *ModeConfig) createFB(f *drm.File, cmd *uapi.ModeFBCmd2, hotX, hotY int32) (*Framebuffer, error) {
	refuse := func(errno unix.Errno, format string, args ...any) (*Framebuffer, error) {
		return nil, fmt.Errorf("kms: framebuffer of %dx%d in %s: "+format+": %w",
			append(append([]any{cmd.Width, cmd.Height, fourcc.String(cmd.PixelFormat)}, args...), errno)...)
	}
	limits := &m.config.Limits
	format := fourcc.Lookup(cmd.PixelFormat)
	switch {
	case cmd.Flags&^(uapi.ModeFBInterlaced|uapi.ModeFBModifiers) != 0:
		return refuse(unix.EINVAL, "unknown flags %#x", cmd.Flags)
	case cmd.Flags&uapi.ModeFBModifiers != 0 && limits.NoModifiers:
		return refuse(unix.EINVAL, "the device has no modifiers")
	case cmd.Width < limits.MinWidth || cmd.Width > limits.MaxWidth:
		return refuse(unix.EINVAL, "width is not in [%d, %d]", limits.MinWidth, limits.MaxWidth)
	case cmd.Height < limits.MinHeight || cmd.Height > limits.MaxHeight:
		return refuse(unix.EINVAL, "height is not in [%d, %d]", limits.MinHeight, limits.MaxHeight)
	case format == nil:
		return refuse(unix.EINVAL, "unknown format")
	case cmd.Width == 0 || cmd.Height == 0:
		return refuse(unix.EINVAL, "no pixels")
	}
	if errno, why := checkFBPlanes(format, cmd); errno != 0 {
		return refuse(errno, "%s", why)
	}
	if !m.anyPlaneSupports(cmd.PixelFormat, cmd.Modifier[0]) {
		return refuse(unix.EINVAL, "no plane supports the format with modifier %#x", cmd.Modifier[0])
	}
	account := f.Client().Account
	if err := account.Charge(drm.Objects, 1, unix.ENOMEM); err != nil {
		return nil, err
	}
	fb := &Framebuffer{account: account,
		width: cmd.Width, height: cmd.Height, format: format, modifier: cmd.Modifier[0],
		hotX: hotX, hotY: hotY, comm: f.Client().Comm,
	}
	for i := range format.Planes {
		o, err := m.config.Buffers.Lookup(f, cmd.Handles[i])
		if err != nil {
			fb.free()
			return nil, err
		}
		fb.buffers[i], fb.pitches[i], fb.offsets[i] = o, cmd.Pitches[i], cmd.Offsets[i]
		w, h := format.PlaneSize(i, cmd.Width, cmd.Height)
		need := uint64(h-1)*uint64(cmd.Pitches[i]) + format.MinPitch(i, w) + uint64(cmd.Offsets[i])
		if tile, ok := format.Tile(i, fb.modifier); ok {
			if fb.pitches[i]%tile.Width != 0 {
				fb.free()
				return refuse(unix.EINVAL, "plane %d has a pitch of %d, which is no multiple of its tiles of %d bytes", i, cmd.Pitches[i], tile.Width)
			}
			need = tile.Size(h, fb.pitches[i]) + uint64(fb.offsets[i])
		}
		if o.Size() < need {
			size := o.Size()
			fb.free()
			return refuse(unix.EINVAL, "plane %d needs %d bytes, but its buffer has %d", i, need, size)
		}
	}
	m.objects.add(&fb.objectBase, fb)
	return fb, nil
}

// checkFBPlanes makes the checks of framebuffer_check that do not depend on the
// device.
func checkFBPlanes(format *fourcc.Format, cmd *uapi.ModeFBCmd2) (errno unix.Errno, why string) {
	modifiers := cmd.Flags&uapi.ModeFBModifiers != 0
	for i := range format.Planes {
		w, h := format.PlaneSize(i, cmd.Width, cmd.Height)
		pitch := format.MinPitch(i, w)
		switch {
		case format.BlockBytes[i] == 0 && cmd.Modifier[i] == uapi.FormatModLinear:
			return unix.EINVAL, "the format has no linear layout"
		case cmd.Handles[i] == 0:
			return unix.EINVAL, fmt.Sprintf("plane %d has no buffer", i)
		case pitch > math.MaxUint32,
			uint64(h)*uint64(cmd.Pitches[i])+uint64(cmd.Offsets[i]) > math.MaxUint32:
			return unix.ERANGE, fmt.Sprintf("plane %d is larger than 4 GiB", i)
		case uint64(cmd.Pitches[i]) < pitch:
			return unix.EINVAL, fmt.Sprintf("plane %d needs a pitch of at least %d, it has %d", i, pitch, cmd.Pitches[i])
		case cmd.Modifier[i] != 0 && !modifiers:
			return unix.EINVAL, fmt.Sprintf("plane %d has a modifier, but DRM_MODE_FB_MODIFIERS is not set", i)
		case cmd.Modifier[i] != cmd.Modifier[0]:
			return unix.EINVAL, fmt.Sprintf("plane %d and plane 0 have different modifiers", i)
		}
	}
	for i := format.Planes; i < len(cmd.Handles); i++ {
		// Clients from before modifiers may leave garbage in the other fields.
		if cmd.Modifier[i] != 0 || modifiers && (cmd.Handles[i] != 0 || cmd.Pitches[i] != 0 || cmd.Offsets[i] != 0) {
			return unix.EINVAL, fmt.Sprintf("plane %d is set, but the format has %d planes", i, format.Planes)
		}
	}
	return 0, ""
}

func (m *ModeConfig) anyPlaneSupports(format uint32, modifier uint64) bool {
	for _, p := range m.planes {
		if p.supports(format, modifier) {
			return true
		}
	}
	return false
}

// pending returns the fences of work that still writes to fb.
func (fb *Framebuffer) pending() (fences []*fence.Fence) {
	for _, o := range fb.buffers {
		if o != nil {
			fences = append(fences, o.Pending()...)
		}
	}
	return fences
}
