package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// otherCases are about buffers shared by two devices.
var otherCases = []Case{
	{"other/share", NeedOther | NeedPrime | NeedDumb, otherShare},
	{"other/bring-back", NeedOther | NeedPrime | NeedDumb, otherBringBack},
	{"other/show", NeedOther | NeedPrime | NeedDisplay | NeedDumb, otherShow},
	{"other/unplug", NeedOther | NeedPrime | NeedDumb | NeedUnplug, otherUnplug},
}

// OpenOther opens the node of the other device.
func (t *tester) OpenOther() *file {
	t.Helper()
	return t.OpenPath(t.target.Other, unix.O_RDWR|unix.O_NONBLOCK)
}

// bring imports a dma-buf and returns its handle.
func (f *file) bring(dmaBuf *file) uint32 {
	f.t.Helper()
	handle, err := f.Import(dmaBuf.FD())
	f.t.Must("importing a dma-buf", err)
	return handle
}

// otherShare checks that both devices see the same memory, and that a second
// import returns the same handle.
func otherShare(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	dmaBuf := export(f, dumb.Handle)
	handle := other.bring(dmaBuf)
	equal(t, "the handle of a second import", other.bring(dmaBuf), handle)
	again, err := export(other, handle).Mmap(0, int(dumb.Size))
	t.Must("mmap of the other device's dma-buf", err)
	pixels[0] = 42
	equal(t, "the contents of the other device's dma-buf", again[0], 42)
	// Some drivers give offsets for imported buffers.
	other.Want("of a buffer of another device", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: handle}, unix.EINVAL, 0)
	other.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
	other.Want("again", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle}, unix.EINVAL, unix.ENOENT)
}

// otherBringBack checks that a buffer imported back has its old handle.
func otherBringBack(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	handle := other.bring(export(f, dumb.Handle))
	equal(t, "the handle of the buffer imported back", f.bring(export(other, handle)), dumb.Handle)
}

// otherShow checks that a display can show a buffer of another device.
func otherShow(t *tester) {
	f, other := t.Open(), t.OpenOther()
	d := f.Display()
	dumb := t.NewDumb(other, uint32(d.Mode.HDisplay), uint32(d.Mode.VDisplay), 32)
	theirs := dumb.Handle
	dumb.Handle = f.bring(export(other, theirs))
	add := fbOf(&dumb)
	f.Must(uapi.IoctlModeAddFB2, &add)
	s := &screen{file: f, Display: d, FB: add.FBID}
	arg := s.SetCRTC()
	f.Want("of another device's buffer", uapi.IoctlModeSetCRTC, &arg)
	other.Must(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: theirs})
	t.Must("close", other.Close())
	equal(t, "the framebuffer after the other device closed the buffer", s.GetCRTC().FBID, s.FB)
	s.Settle()
}

// otherUnplug checks that the buffers of an unplugged device stay valid on
// other devices.
func otherUnplug(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	pixels[0] = 42
	handle := other.bring(export(f, dumb.Handle))
	t.Unplug()
	t.Must("close", f.Close())
	again, err := export(other, handle).Mmap(0, int(dumb.Size))
	t.Must("mmap of the other device's dma-buf", err)
	equal(t, "the contents of the buffer", again[0], 42)
	pixels[1] = 43
	equal(t, "the contents of the buffer, written by an old mapping", again[1], 43)
	other.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
}
