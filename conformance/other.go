package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// otherCases are about buffers that two devices share.
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

// bring imports a buffer, and returns its handle.
func (f *file) bring(dmaBuf *file) uint32 {
	f.t.Helper()
	handle, err := f.Import(dmaBuf.FD())
	f.t.Must("importing a dma-buf", err)
	return handle
}

// otherShare is that both see the same memory, and know it again.
func otherShare(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	dmaBuf := export(f, dumb.Handle)
	handle := other.bring(dmaBuf)
	equal(t, "the handle of what the other has imported already", other.bring(dmaBuf), handle)
	again, err := export(other, handle).Mmap(0, int(dumb.Size))
	t.Must("mmap of what the other has exported", err)
	pixels[0] = 42
	equal(t, "what the other exports", again[0], 42)
	// It is not the other's to give offsets for; some can.
	other.Want("of a buffer of another device", uapi.IoctlModeMapDumb, &uapi.ModeMapDumb{Handle: handle}, unix.EINVAL, 0)
	other.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
	other.Want("again", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle}, unix.EINVAL, unix.ENOENT)
}

// otherBringBack is that a buffer that comes home is the one that left.
func otherBringBack(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	handle := other.bring(export(f, dumb.Handle))
	equal(t, "the handle of a buffer that came home", f.bring(export(other, handle)), dumb.Handle)
}

// otherShow is that a display shows what another device has made.
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
	f.Want("with a buffer of another device", uapi.IoctlModeSetCRTC, &arg)
	other.Must(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: theirs})
	t.Must("close", other.Close())
	equal(t, "what is shown when the other device has forgotten the buffer", s.GetCRTC().FBID, s.FB)
	s.Settle()
}

// otherUnplug is that a device that goes away leaves its buffers to those who
// have them.
func otherUnplug(t *tester) {
	f, other := t.Open(), t.OpenOther()
	dumb := t.NewDumb(f, 64, 64, 32)
	pixels, _ := mapDumb(f, &dumb)
	pixels[0] = 42
	handle := other.bring(export(f, dumb.Handle))
	t.Unplug()
	t.Must("close", f.Close())
	again, err := export(other, handle).Mmap(0, int(dumb.Size))
	t.Must("mmap of what the other has exported", err)
	equal(t, "what the buffer holds", again[0], 42)
	pixels[1] = 43
	equal(t, "what the buffer holds, written by an old mapping", again[1], 43)
	other.Want("", uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
}
