package conformance

import (
	"maps"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/uapi"
)

// formats returns the formats of all planes that package fourcc knows.
func (f *file) formats() []uint32 {
	f.t.Helper()
	f.t.Must("SET_CLIENT_CAP UNIVERSAL_PLANES", f.SetClientCap(uapi.ClientCapUniversalPlanes, 1))
	planes, err := f.Planes()
	f.t.Must("GETPLANERESOURCES", err)
	found := make(map[uint32]bool)
	for _, id := range planes {
		formats, err := f.PlaneFormats(id)
		f.t.Must("GETPLANE", err)
		for _, format := range formats {
			if fourcc.Lookup(format) != nil {
				found[format] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// tight returns the argument for a framebuffer without gaps: each pitch is the
// least one, and the planes follow each other in the buffer. size is what the
// buffer needs.
func tight(format *fourcc.Format, width, height, handle uint32) (arg uapi.ModeFBCmd2, size uint32) {
	arg = uapi.ModeFBCmd2{Width: width, Height: height, PixelFormat: format.Code}
	for i := range format.Planes {
		w, h := format.PlaneSize(i, width, height)
		arg.Handles[i], arg.Pitches[i], arg.Offsets[i] = handle, uint32(format.MinPitch(i, w)), size
		size += arg.Pitches[i] * h
	}
	return arg, size
}

// fbFormats checks for each format of a plane which pitches and offsets a
// framebuffer can have. Sizes that are no multiple of the subsampling count.
func fbFormats(t *tester) {
	f := t.Open()
	for _, code := range f.formats() {
		format := fourcc.Lookup(code)
		for _, size := range [][2]uint32{{64, 64}, {65, 33}} {
			if format.BlockBytes[0] == 0 { // its layout is that of a modifier
				continue
			}
			_, need := tight(format, size[0], size[1], 0)
			dumb := t.NewDumb(f, 64, need/256+1, 32) // some drivers have no other pixels
			add := func(what string, change func(*uapi.ModeFBCmd2), errnos ...unix.Errno) {
				t.Helper()
				arg, _ := tight(format, size[0], size[1], dumb.Handle)
				change(&arg)
				if f.Want(fourcc.String(code)+" "+what, uapi.IoctlModeAddFB2, &arg, errnos...) && len(errnos) == 0 {
					f.Must(uapi.IoctlModeRmFB, &arg.FBID)
				}
			}
			add("without gaps", func(*uapi.ModeFBCmd2) {})
			for i := range format.Planes {
				_, lines := format.PlaneSize(i, size[0], size[1])
				add("with a pitch that is a byte too short", func(a *uapi.ModeFBCmd2) { a.Pitches[i]-- }, unix.EINVAL)
				add("without a handle", func(a *uapi.ModeFBCmd2) { a.Handles[i] = 0 }, unix.EINVAL)
				add("of a nonexistent handle", func(a *uapi.ModeFBCmd2) { a.Handles[i] = 999 }, unix.ENOENT)
				add("that ends with the buffer", func(a *uapi.ModeFBCmd2) { a.Offsets[i] = uint32(dumb.Size) - a.Pitches[i]*lines })
				add("a byte beyond the buffer", func(a *uapi.ModeFBCmd2) { a.Offsets[i] = uint32(dumb.Size) - a.Pitches[i]*lines + 1 }, unix.EINVAL)
				add("beyond 4 GiB", func(a *uapi.ModeFBCmd2) { a.Offsets[i] = math.MaxUint32 - a.Pitches[i]*lines + 1 }, unix.ERANGE)
			}
		}
	}
}

// fbOtherFormats checks that a format that no plane has is refused, although the
// device knows it.
func fbOtherFormats(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 512, 32)
	offered := f.formats()
	for _, name := range []string{
		"C8", "R8", "GR88", "RG16", "BG16", "XR12", "XR15", "RG24", "BG24", "XR24", "AR24", "XB24", "AB24", "RX24", "RA24",
		"XR30", "AR30", "XB30", "XR48", "AR48", "XR4H", "YUYV", "UYVY", "NV12", "NV21", "NV16", "NV24", "P010", "YU12", "YV12", "YU24",
	} {
		if format := fourcc.Parse(name); !slices.Contains(offered, format.Code) {
			arg, _ := tight(format, 64, 64, dumb.Handle)
			f.Want("in "+name+", which no plane has", uapi.IoctlModeAddFB2, &arg, unix.EINVAL)
		}
	}
}
