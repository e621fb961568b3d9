package conformance

import (
	"bytes"
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var dumbCases = []Case{
	{"dumb/create", NeedDumb, dumbCreate},
	{"dumb/create-nothing-or-too-much", NeedDumb, dumbCreateBad},
	{"dumb/map", NeedDumb, dumbMap},
	{"dumb/map-errors", NeedDumb, dumbMapErrors},
	{"dumb/destroy", NeedDumb, dumbDestroy},
	{"dumb/change-handle", NeedChangeHandle, dumbChangeHandle},
	{"dumb/other-file", NeedDumb, dumbOtherFile},
}

// dumbChangeHandle checks that a buffer gets the handle that the client asks for,
// also for an import of its dma-buf, and that the old one is free.
func dumbChangeHandle(t *tester) {
	f := t.Open()
	dumb, second := t.NewDumb(f, 64, 64, 32), t.NewDumb(f, 64, 64, 32)
	export := uapi.PrimeHandle{Handle: dumb.Handle, Flags: uapi.Cloexec}
	f.Must(uapi.IoctlPrimeHandleToFD, &export)
	t.File(int(export.FD), "the dma-buf")
	change := func(what string, from, to uint32, want ...unix.Errno) {
		t.Helper()
		f.Want(what, uapi.IoctlGEMChangeHandle, &uapi.GEMChangeHandle{Handle: from, NewHandle: to}, want...)
	}
	const large = 123456789
	change("to its own", dumb.Handle, dumb.Handle)
	change("to a large one", dumb.Handle, large)
	f.Want("with the old one", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: dumb.Handle}, unix.ENOENT)
	f.Want("with the new one", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: large})
	again := uapi.PrimeHandle{FD: export.FD}
	f.Must(uapi.IoctlPrimeFDToHandle, &again)
	equal(t, "the handle of the imported buffer", again.Handle, large)
	change("of a nonexistent handle", dumb.Handle, 7777, unix.ENOENT)
	change("to that of another buffer", large, second.Handle, unix.ENOSPC)
	change("to a negative one", large, 1<<31, unix.EINVAL)
	change("back", large, dumb.Handle)
	f.Want("with the first one", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: dumb.Handle})
	third := t.NewDumb(f, 64, 64, 32)
	if third.Handle == dumb.Handle || third.Handle == second.Handle {
		t.Errorf("a new buffer has the handle %d of another one", third.Handle)
	}
	equal(t, "the second buffer is closed", f.Ioctl(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: second.Handle}), nil)
}

func dumbCreate(t *tester) {
	f := t.Open()
	handles := make(map[uint32]bool)
	for _, bpp := range []uint32{8, 16, 24, 32, 64} {
		for _, size := range [][2]uint32{{1, 1}, {63, 65}, {1024, 768}} {
			// The device ignores the output fields.
			dumb := uapi.ModeCreateDumb{Width: size[0], Height: size[1], BPP: bpp, Handle: 77, Pitch: 1, Size: 3}
			if !f.Want("", uapi.IoctlModeCreateDumb, &dumb) {
				continue
			}
			if least := uint64(size[0]) * uint64(bpp) / 8; uint64(dumb.Pitch) < least {
				t.Errorf("%dx%d at %d: pitch %d, want at least %d", size[0], size[1], bpp, dumb.Pitch, least)
			}
			if least := uint64(dumb.Pitch) * uint64(size[1]); dumb.Size < least {
				t.Errorf("%dx%d at %d: size %d, want at least %d", size[0], size[1], bpp, dumb.Size, least)
			}
			if dumb.Handle == 0 || handles[dumb.Handle] {
				t.Errorf("handle %d is zero or that of another buffer", dumb.Handle)
			}
			handles[dumb.Handle] = true
		}
	}
}

func dumbCreateBad(t *tester) {
	f := t.Open()
	const most = math.MaxUint32
	for _, dumb := range []uapi.ModeCreateDumb{
		{},
		{Width: 0, Height: 64, BPP: 32},
		{Width: 64, Height: 0, BPP: 32},
		{Width: 64, Height: 64, BPP: 0},
		{Width: most, Height: 64, BPP: 32},
		{Width: 64, Height: most, BPP: 32},
		{Width: 64, Height: 64, BPP: most},
		{Width: most, Height: most, BPP: most},
		{Width: 1 << 16, Height: 1 << 16, BPP: 32},
		{Width: 1 << 31, Height: 2, BPP: 8},
	} {
		f.Want("zero or oversized", uapi.IoctlModeCreateDumb, &dumb, unix.EINVAL)
	}
}

// mapDumb maps a dumb buffer.
func mapDumb(f *file, dumb *uapi.ModeCreateDumb) (pixels []byte, offset uint64) {
	f.t.Helper()
	offset, err := f.MapDumb(dumb.Handle)
	f.t.Must("a dumb buffer's offset", err)
	pixels, err = f.Mmap(offset, int(dumb.Size))
	f.t.Must("mmap", err)
	return pixels, offset
}

// dumbMap checks that all mappings of a buffer share its memory, which is zero
// at first.
func dumbMap(t *tester) {
	f := t.Open()
	dumb, second := t.NewDumb(f, 64, 64, 32), t.NewDumb(f, 64, 64, 32)
	pixels, offset := mapDumb(f, &dumb)
	if !bytes.Equal(pixels, make([]byte, dumb.Size)) {
		t.Errorf("a new buffer has nonzero bytes")
	}
	others, otherOffset := mapDumb(f, &second)
	if offset == otherOffset {
		t.Errorf("two buffers have the offset %#x", offset)
	}
	copy(pixels, "first")
	copy(others, "other")
	again, sameOffset := mapDumb(f, &dumb)
	equal(t, "the offset of the buffer, requested again", sameOffset, offset)
	equal(t, "the contents of a second mapping", string(again[:5]), "first")
	again[len(again)-1] = 7
	equal(t, "the last byte of the first mapping", pixels[len(pixels)-1], 7)
	equal(t, "the contents of the other buffer", string(others[:5]), "other")
}

func dumbMapErrors(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	for _, handle := range []uint32{0, dumb.Handle + 1, math.MaxUint32} {
		f.Want("of a nonexistent handle", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: handle}, unix.ENOENT)
	}
	_, offset := mapDumb(f, &dumb)
	_, err := f.Mmap(offset, int(dumb.Size)+unix.Getpagesize())
	t.Want("mmap of more than the buffer", err, unix.EINVAL)
	_, err = f.Mmap(0, unix.Getpagesize())
	// EACCES: package host does not support it.
	t.Want("mmap at an offset of no buffer", err, unix.EINVAL, unix.EACCES)
}

// dumbDestroy checks that a handle can be closed while the buffer is mapped.
func dumbDestroy(t *tester) {
	f := t.Open()
	for name, destroy := range map[string]func(handle uint32) error{
		"DESTROY_DUMB": func(handle uint32) error {
			return f.Ioctl(uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: handle})
		},
		"GEM_CLOSE": func(handle uint32) error { return f.Ioctl(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle}) },
	} {
		dumb := t.NewDumb(f, 64, 64, 32)
		pixels, offset := mapDumb(f, &dumb)
		pixels[0] = 42
		t.Want(name, destroy(dumb.Handle))
		t.Want(name+" again", destroy(dumb.Handle), unix.EINVAL, unix.ENOENT)
		t.Want(name+" of handle 0", destroy(0), unix.EINVAL, unix.ENOENT)
		f.Want("after "+name, uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: dumb.Handle}, unix.ENOENT)
		equal(t, "the contents of the mapping", pixels[0], 42)
		pixels[len(pixels)-1] = 1
		_, err := f.Mmap(offset, int(dumb.Size))
		t.Want("mmap at the old offset without a handle", err, unix.EACCES, unix.EINVAL)
	}
}

// dumbOtherFile checks that handles and offsets are valid for one file only.
func dumbOtherFile(t *tester) {
	f, other := t.Open(), t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	_, offset := mapDumb(f, &dumb)
	other.Want("of another file's handle", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: dumb.Handle}, unix.ENOENT)
	other.Want("of another file's handle", uapi.IoctlModeDestroyDumb, &uapi.ModeDestroyDumb{Handle: dumb.Handle}, unix.EINVAL, unix.ENOENT)
	other.Want("of another file's handle", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}, unix.EINVAL, unix.ENOENT)
	_, err := other.Mmap(offset, int(dumb.Size))
	t.Want("mmap of another file's buffer", err, unix.EACCES)
}
