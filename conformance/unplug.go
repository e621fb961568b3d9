package conformance

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// unplugCases are about what a client sees of an unplugged device: as the
// section Device Hot-Unplug of the kernel's uAPI documentation says, and where
// that is open, as kernels behave.
var unplugCases = []Case{
	{"unplug/requests", NeedUnplug | NeedMaster, unplugRequests},
	{"unplug/render-node", NeedUnplug | NeedRender, unplugRender},
	{"unplug/open", NeedUnplug, unplugOpen},
	{"unplug/files", NeedUnplug, unplugFiles},
	{"unplug/memory", NeedUnplug | NeedDumb, unplugMemory},
	{"unplug/dma-buf", NeedUnplug | NeedPrime | NeedDumb, unplugDMABuf},
	{"unplug/flip", NeedUnplug | NeedDisplay | NeedDumb, unplugFlip},
	{"unplug/vblank-events", NeedUnplug | NeedVblank, unplugVblankEvents},
	{"unplug/vblank-wait", NeedUnplug | NeedVblank, unplugVblankWait},
	{"unplug/fence", NeedUnplug | NeedDisplay | NeedDumb | NeedAtomic, unplugFence},
	{"unplug/sync-file", NeedUnplug | NeedSyncobj, unplugSyncFile},
	{"unplug/fbdev", NeedUnplug | NeedFbdev, unplugFbdev},
	{"unplug/lease", NeedUnplug | NeedDisplay, unplugLease},
	{"unplug/uevents", NeedUnplug | NeedModeset | NeedSurroundings, unplugUevents},
	{"unplug/comes-back", NeedUnplug | NeedDisplay | NeedDumb, unplugComesBack},
}

// unplugRequests checks that every request is ENODEV, whatever else is wrong
// with it.
func unplugRequests(t *tester) {
	f, other := t.Open(), t.Open()
	t.Unplug()
	for _, r := range requests {
		f.Want("", r.cmd, t.buffer(), unix.ENODEV)
		f.Want("at a bad address", r.cmd, uintptr(t.BadAddr()), unix.ENODEV)
		other.Want("as non-master", r.cmd, t.buffer(), unix.ENODEV)
	}
	f.Want("", uapi.IOWR(0xff, 8), t.buffer(), unix.ENODEV)
	// ENOTTY: package host handles DRM ioctls only.
	t.Want("an ioctl of another type", f.Ioctl('x'<<8|1, t.buffer()), unix.ENODEV, unix.ENOTTY)
}

func unplugRender(t *tester) {
	f := t.OpenRender()
	t.Unplug()
	for _, r := range requests {
		f.Want("on a render node", r.cmd, t.buffer(), unix.ENODEV)
	}
}

// unplugOpen checks that the node cannot be opened.
func unplugOpen(t *tester) {
	primary, _ := t.nodes()
	t.Unplug()
	fd, err := t.target.System.Open(primary, unix.O_RDWR)
	if err == nil {
		t.File(fd, primary)
	}
	t.Want("open", err, unix.ENOENT, unix.ENXIO, unix.ENODEV)
}

// unplugFiles checks the calls on an open file. A read must not wait for events
// that never come.
func unplugFiles(t *tester) {
	f := t.Open()
	t.Unplug()
	n, err := f.Read(make([]byte, 128))
	t.Want("read", err, unix.EAGAIN, unix.ENODEV, 0) // 0: end of file
	equal(t, "bytes read", n, 0)
	if got := f.Poll(unix.POLLIN, 0); got&unix.POLLIN != 0 && got&unix.POLLHUP == 0 {
		t.Errorf("poll reports an event: %#x", got)
	}
	dup := f.Dup()
	dup.Want("by another descriptor", uapi.IoctlVersion, &uapi.Version{}, unix.ENODEV)
	t.Want("close", f.Close())
	dup.Want("by another descriptor", uapi.IoctlVersion, &uapi.Version{}, unix.ENODEV)
	t.Want("close", dup.Close())
}

// unplugMemory checks that mappings stay valid, pages that were never touched
// included, and that nothing new can be mapped.
func unplugMemory(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 1024, 1024, 32)
	pixels, offset := mapDumb(f, &dumb)
	pixels[0] = 42
	t.Unplug()
	for at := 0; at < len(pixels); at += unix.Getpagesize() {
		pixels[at] = byte(at) + 1
	}
	equal(t, "the byte that was written", pixels[0], 1)
	_, err := f.Mmap(offset, int(dumb.Size))
	t.Want("mmap", err, unix.ENODEV)
	t.Must("close", f.Close())
	pixels[len(pixels)-1] = 1 // a mapping outlives its descriptor
}

// unplugDMABuf checks that a dma-buf stays valid.
func unplugDMABuf(t *tester) {
	f := t.Open()
	dumb := t.NewDumb(f, 64, 64, 32)
	dmaBuf := export(f, dumb.Handle)
	before, err := dmaBuf.Mmap(0, int(dumb.Size))
	t.Must("mmap of the dma-buf", err)
	t.Unplug()
	before[0] = 42
	after, err := dmaBuf.Mmap(0, int(dumb.Size))
	if t.Want("mmap of the dma-buf", err, 0, unix.ENODEV) && err == nil {
		equal(t, "the contents of the dma-buf", after[0], 42)
	}
	dmaBuf.Want("", uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: uapi.DMABufSyncRW}, 0, unix.ENODEV)
	t.Must("close", f.Close())
	before[1] = 43
}

// unplugFlip checks that a pending flip sends its event.
func unplugFlip(t *tester) {
	s := t.Show()
	t.Must("PAGE_FLIP", s.Flip(s.Another(), 9))
	t.Unplug()
	e := s.Event()
	equal(t, "the type of the event", e.Type, uapi.EventTypeFlipComplete)
	equal(t, "the user data", e.UserData, 9)
}

// unplugVblankEvents checks that events for future vblanks are sent at once.
func unplugVblankEvents(t *tester) {
	s := t.Show()
	s.queueVblank(100000, 1)
	s.Must(uapi.IoctlCRTCQueueSequence,
		&uapi.CRTCQueueSequence{CRTCID: s.CRTC, Flags: uapi.CRTCSequenceRelative, Sequence: 100000, UserData: 2})
	t.Unplug()
	seen := map[uint64]bool{s.Event().UserData: true}
	seen[s.Event().UserData] = true
	if !seen[1] || !seen[2] {
		t.Errorf("the events have the user data %v, want 1 and 2", seen)
	}
}

// unplugVblankWait checks that a wait for a vblank ends. The kernel ends any
// wait after three seconds, with EBUSY.
func unplugVblankWait(t *tester) {
	s := t.Show()
	arg := uapi.WaitVblankRequest{Type: uapi.VblankRelative | s.pipe(), Sequence: 100000}
	waited := later(func() error { return s.Ioctl(uapi.IoctlWaitVblank, &arg) })
	// One vblank later the other thread most likely waits. If not, its request
	// is ENODEV.
	s.mustVblank(uapi.VblankRelative, 1)
	t.Unplug()
	t.Want("WAIT_VBLANK during the unplug", waited(), 0, unix.ENODEV)
}

// unplugFence checks that the fence of a pending commit is signalled.
func unplugFence(t *tester) {
	s := t.ShowScene()
	fd := []int32{-1}
	t.Must("MODE_ATOMIC with OUT_FENCE_PTR", s.atomic(nonblock, s.plane("FB_ID", uint64(s.Another())), s.crtc("OUT_FENCE_PTR", addr(t, fd))))
	fence := t.File(int(fd[0]), "a fence")
	t.Unplug()
	equal(t, "poll for the fence", fence.Poll(unix.POLLIN, timeout), unix.POLLIN)
	var info uapi.SyncFileInfo
	fence.Want("", uapi.SyncIOCFileInfo, &info)
	if info.Status != 1 && info.Status != -int32(unix.ENODEV) {
		t.Errorf("the status of the fence is %d, want 1 or -ENODEV", info.Status)
	}
}

// unplugSyncFile checks that a sync file stays valid, and that another device
// can import the sync object.
func unplugSyncFile(t *tester) {
	f := t.Open()
	syncFile := f.exportSyncobj(f.NewSyncobj(signaled), uapi.SyncobjHandleToFDFlagsExportSyncFile)
	object := f.exportSyncobj(f.NewSyncobj(signaled), 0)
	t.Unplug()
	var info uapi.SyncFileInfo
	syncFile.Want("", uapi.SyncIOCFileInfo, &info)
	equal(t, "the status", info.Status, 1)
	equal(t, "poll of the sync file", syncFile.Poll(unix.POLLIN, 0), unix.POLLIN)
	t.Must("close", f.Close())
	t.Replug()
	next := t.Open()
	t.Want("SYNCOBJ_WAIT for an object of the unplugged device", next.wait(0, 0, next.importSyncobj(object)))
}

// unplugFbdev checks that an open fbdev is dead after an unplug, and that its
// memory can still be written.
func unplugFbdev(t *tester) {
	f, _ := t.OpenFbdev()
	pixels, err := f.Mmap(0, unix.Getpagesize())
	t.Must("mmap", err)
	t.Unplug()
	var s fbScreen
	t.Want("FBIOGET_VSCREENINFO after an unplug", f.Ioctl(fbGetScreen, &s), unix.ENODEV)
	t.Want("FBIOBLANK after an unplug", f.Ioctl(fbBlank, uintptr(0)), unix.ENODEV)
	_, err = f.Mmap(0, unix.Getpagesize())
	t.Want("mmap after an unplug", err, unix.ENODEV)
	pixels[0]++
}

func unplugLease(t *tester) {
	l := t.Lessor()
	lessee, _ := l.Lease()
	t.Unplug()
	lessee.Want("as lessee", uapi.IoctlModeGetResources, &uapi.ModeCardRes{}, unix.ENODEV)
	arg := l.leaseArg(l.CRTC, l.Connector.ID, l.plane)
	l.Want("", uapi.IoctlModeCreateLease, &arg, unix.ENODEV)
	t.Want("close", lessee.Close())
}

// unplugComesBack checks that a device that is plugged in again is a new one:
// old files stay dead and do not disturb it.
func unplugComesBack(t *tester) {
	s := t.Show()
	t.Unplug()
	t.Replug()
	s.Want("on the old device", uapi.IoctlVersion, &uapi.Version{}, unix.ENODEV)
	next := t.Show()
	equal(t, "the framebuffer shown by the new device", next.GetCRTC().FBID, next.FB)
	t.Must("close", s.Close())
	t.Must("PAGE_FLIP on the new device", next.Flip(next.Another(), math.MaxUint64))
	equal(t, "the user data", next.Event().UserData, math.MaxUint64)
}

// unplugUevents checks that the connectors of a device that goes are removed
// before the card, and that those of a device that comes are added after it.
func unplugUevents(t *tester) {
	f := t.Open()
	_ = f.SetClientCap(uapi.ClientCapAtomic, 1) // if supported, as the next
	_ = f.SetClientCap(uapi.ClientCapWritebackConnectors, 1)
	var objects []string
	for _, id := range f.MustResources().Connectors {
		objects = append(objects, f.Socket(id).object)
	}
	card := f.card()
	t.Must("close", f.Close())
	l := t.Listen()
	// inOrder waits for an event of each object, before which no other object of the
	// card may have one.
	inOrder := func(action string, want ...string) {
		t.Helper()
		for len(want) > 0 {
			keys := t.Await(l, fmt.Sprintf("%s of %q", action, want), func(keys map[string]string) bool {
				return keys["ACTION"] == action && slices.Contains(append(objects, card), filepath.Base(keys["DEVPATH"]))
			})
			object, kind := filepath.Base(keys["DEVPATH"]), "drm_connector"
			if object == card {
				kind = "drm_minor"
				equal(t, "DEVNAME, "+action, keys["DEVNAME"], "dri/"+card)
			}
			equal(t, "the type of "+object, keys["DEVTYPE"], kind)
			i := slices.Index(want, object)
			if i < 0 {
				t.Fatalf("%s of %s comes before that of %q", action, object, want)
			}
			want = slices.Delete(want, i, i+1)
		}
	}
	t.Unplug()
	inOrder("remove", slices.Clone(objects)...)
	inOrder("remove", card)
	t.Replug()
	inOrder("add", card)
	inOrder("add", slices.Clone(objects)...)
}
