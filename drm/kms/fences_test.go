package kms_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

const (
	inFenceID  = 18
	outFenceID = 19
)

// outPtr returns the address of a place for the descriptor of an out-fence.
func (f *fixture) outPtr() (ptr uint64) { return drmtest.PutSlice(f.Arena, []int32{77}) }

func (f *fixture) fenceAt(ptr uint64) int32 {
	f.Helper()
	var b [4]byte
	f.must(f.CopyFromUser(b[:], ptr))
	fd := int32(binary.NativeEndian.Uint32(b[:]))
	if fd >= 0 {
		f.Cleanup(func() { _ = drmtest.CloseFD(fd) })
	}
	return fd
}

// inFence returns a fence and a sync file of it.
func (f *fixture) inFence() (*fence.Fence, uint64) {
	f.Helper()
	fen := fence.NewContext("test", "test").New()
	fd, err := fence.Install(f.Client, fen)
	f.must(err)
	f.Cleanup(func() { _ = drmtest.CloseFD(fd) })
	return fen, uint64(fd)
}

func (f *fixture) fenceInfo(fd int32) (uapi.SyncFileInfo, uapi.SyncFenceInfo) {
	f.Helper()
	fences := make([]uapi.SyncFenceInfo, 1)
	info := uapi.SyncFileInfo{NumFences: 1, SyncFenceInfo: drmtest.PutSlice(f.Arena, fences)}
	f.must(drmtest.FileIoctl(f.Client, fd, uapi.SyncIOCFileInfo, &info))
	f.must(drmtest.GetSlice(f.Arena, fences, info.SyncFenceInfo))
	return info, fences[0]
}

// lit is a fixture whose client knows ATOMIC and shows a framebuffer. The
// other two are to be flipped to.
func lit(t *testing.T) (f *fixture, second, third uint32) {
	f = newFixture(t)
	f.setCap(uapi.ClientCapAtomic, 1)
	f.enable()
	return f, f.fb(1024, 768, uapi.FormatXRGB8888), f.fb(1024, 768, uapi.FormatXRGB8888)
}

func TestOutFence(t *testing.T) {
	f, second, _ := lit(t)
	ptr := f.outPtr()
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 1,
		change{f.primary(), fbPropID, uint64(second)}, change{f.crtc(), outFenceID, ptr}))
	fd := f.fenceAt(ptr)
	if info, one := f.fenceInfo(fd); info.Status != 0 || cString(one.DriverName[:]) != "vkms" || cString(one.ObjName[:]) != "CRTC:38-crtc-0" {
		t.Errorf("before the flip: %+v, %+v", info, one)
	}
	f.step()
	e := f.event()
	info, one := f.fenceInfo(fd)
	at := time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond
	if info.Status != 1 || time.Duration(one.TimestampNs).Truncate(time.Microsecond) != at {
		t.Errorf("after the flip at %v: %+v, %+v", at, info, one)
	}

	// The fence of a blocking commit is signalled when the commit returns.
	f.must(f.blocking(func() error { return f.atomic(0, 0, change{f.crtc(), outFenceID, ptr}) }))
	if info, _ := f.fenceInfo(f.fenceAt(ptr)); info.Status != 1 {
		t.Errorf("after a blocking commit: %+v", info)
	}
}

func TestOutFenceOfFailures(t *testing.T) {
	f, second, third := lit(t)
	flip := change{f.primary(), fbPropID, uint64(second)}
	out := func() (uint64, change) {
		ptr := f.outPtr()
		return ptr, change{f.crtc(), outFenceID, ptr}
	}
	check := func(what string, ptr uint64, err error, errno unix.Errno) {
		t.Helper()
		want(t, what, err, errno)
		if fd := f.fenceAt(ptr); fd != -1 {
			t.Errorf("%s: descriptor %d, want -1", what, fd)
		}
	}
	ptr, c := out()
	check("a test", ptr, f.atomic(uapi.ModeAtomicTestOnly, 0, flip, c), 0)
	ptr, c = out()
	check("a bad commit", ptr, f.atomic(0, 0, change{f.primary(), fbPropID, 0}, c), unix.EINVAL)
	want(t, "a bad pointer", f.atomic(0, 0, flip, change{f.crtc(), outFenceID, 8}), unix.EFAULT)

	f.must(f.atomic(uapi.ModeAtomicNonblock, 0, flip))
	ptr, c = out()
	check("a second flip", ptr, f.atomic(uapi.ModeAtomicNonblock, 0, change{f.primary(), fbPropID, uint64(third)}, c), unix.EBUSY)
	f.step()

	f.disable()
	ptr, c = out()
	check("a CRTC that is off", ptr, f.atomic(0, 0, c), unix.EINVAL)
	ptr, c = out()
	check("a test of a CRTC that is off", ptr, f.atomic(uapi.ModeAtomicTestOnly, 0, c), 0)
}

func TestInFenceErrors(t *testing.T) {
	f, _, _ := lit(t)
	_, fd := f.inFence()
	for _, tc := range []struct {
		what    string
		changes []change
		errno   unix.Errno
	}{
		{"none", []change{{f.primary(), inFenceID, 1<<64 - 1}}, 0},
		{"one", []change{{f.primary(), inFenceID, fd}}, 0},
		{"two", []change{{f.primary(), inFenceID, fd}, {f.primary(), inFenceID, fd}}, unix.EINVAL},
		{"one and none", []change{{f.primary(), inFenceID, fd}, {f.primary(), inFenceID, 1<<64 - 1}}, unix.EINVAL},
		{"stdin", []change{{f.primary(), inFenceID, 0}}, unix.EINVAL},
		{"nothing", []change{{f.primary(), inFenceID, 1 << 30}}, unix.EINVAL},
	} {
		want(t, tc.what, f.atomic(uapi.ModeAtomicTestOnly, 0, tc.changes...), tc.errno)
	}
}

func TestInFenceBlocking(t *testing.T) {
	f, second, _ := lit(t)
	fen, fd := f.inFence()
	commit := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		arg := f.atomicArg(0, 0, change{f.primary(), fbPropID, uint64(second)}, change{f.primary(), inFenceID, fd})
		go func() { done <- drmtest.IoctlContext(ctx, f.Client, uapi.IoctlModeAtomic, arg) }()
		return done
	}
	ctx, interrupt := context.WithCancel(context.Background())
	done := commit(ctx)
	for len(f.File.Device().OpenGuards()) == 0 {
		time.Sleep(time.Millisecond)
	}
	interrupt()
	want(t, "an interrupted commit", <-done, unix.EINTR)
	if _, v := f.properties(f.primary(), uapi.ModeObjectPlane); v[fbPropID] == uint64(second) || v[inFenceID] != 1<<64-1 {
		t.Error("an interrupted commit has changed the state")
	}
	done = commit(context.Background())
	fen.Signal(unix.EIO) // an error counts as well
	f.must(f.blocking(func() error { return <-done }))
	if _, v := f.properties(f.primary(), uapi.ModeObjectPlane); v[fbPropID] != uint64(second) {
		t.Error("the framebuffer is not shown")
	}
}

// paint fills a new framebuffer with one color.
func (f *fixture) paint(color uint32) (fb uint32) {
	f.Helper()
	handle, pitch := f.dumb(1024, 768, 32)
	m := uapi.ModeMapDumb{Handle: handle}
	f.must(ioctl(f, uapi.IoctlModeMapDumb, &m))
	mapping, err := f.File.Mmap(m.Offset, uint64(pitch)*768)
	f.must(err)
	defer mapping.Release()
	data := make([]byte, pitch*768)
	for i := 0; i < len(data); i += 4 {
		binary.LittleEndian.PutUint32(data[i:], color)
	}
	_, err = unix.Pwrite(mapping.FD, data, mapping.Offset)
	f.must(err)
	arg := uapi.ModeFBCmd2{Width: 1024, Height: 768, PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch}}
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &arg))
	return arg.FBID
}

func (f *fixture) pixel() (red uint8) {
	f.Helper()
	picture, err := f.screenshot()
	f.must(err)
	return picture.Pix[picture.PixOffset(5, 5)]
}

// TestInFenceNonblocking checks that a nonblocking commit returns at once, and
// shows nothing before its fence is signalled.
func TestInFenceNonblocking(t *testing.T) {
	f, second, _ := lit(t)
	red := f.paint(0xff0000)
	fen, fd := f.inFence()
	ptr := f.outPtr()
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 5,
		change{f.primary(), fbPropID, uint64(red)}, change{f.primary(), inFenceID, fd}, change{f.crtc(), outFenceID, ptr}))
	out := f.fenceAt(ptr)
	if _, v := f.properties(f.primary(), uapi.ModeObjectPlane); v[fbPropID] != uint64(red) {
		t.Error("FB_ID of the plane does not name the framebuffer")
	}
	want(t, "a second flip", f.atomic(uapi.ModeAtomicNonblock, 0, change{f.primary(), fbPropID, uint64(second)}), unix.EBUSY)

	// Neither vblanks nor cursor updates show the framebuffer.
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 3, 0)) }))
	f.must(ioctl(f, uapi.IoctlModeCursor, &uapi.ModeCursor{CRTCID: f.crtc(), Flags: uapi.ModeCursorMove, X: 3, Y: 3}))
	f.noEvent()
	if info, _ := f.fenceInfo(out); info.Status != 0 || f.pixel() != 0 {
		t.Errorf("before the fence: out-fence %d, red %d", info.Status, f.pixel())
	}
	fen.Signal(nil)
	f.step()
	if e := f.event(); e.UserData != 5 {
		t.Errorf("event %d", e.UserData)
	}
	if info, _ := f.fenceInfo(out); info.Status != 1 || f.pixel() != 255 {
		t.Errorf("after the fence: out-fence %d, red %d", info.Status, f.pixel())
	}
}

// TestInFenceOfModeset checks that a modeset that waits for a fence does not
// change the signal before.
func TestInFenceOfModeset(t *testing.T) {
	f, _, _ := lit(t)
	small := f.fb(800, 600, uapi.FormatXRGB8888)
	fen, fd := f.inFence()
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset|uapi.ModePageFlipEvent, 5,
		append(f.scene(small, "800x600"), change{f.primary(), inFenceID, fd})...))
	before, _ := f.query()
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 1, 0)) }))
	f.noEvent()
	fen.Signal(nil)
	f.step()
	if e := f.event(); e.UserData != 5 || e.Sequence <= before+1 {
		t.Errorf("event %+v after vblank %d", e, before)
	}
}

// TestCursorAfterModeset checks that a legacy cursor waits for a modeset, but
// for nothing else.
func TestCursorAfterModeset(t *testing.T) {
	f, second, _ := lit(t)
	handle, _ := f.dumb(64, 64, 32)
	move := func() error {
		return ioctl(f, uapi.IoctlModeCursor2, &uapi.ModeCursor2{
			CRTCID: f.crtc(), Flags: uapi.ModeCursorMove | uapi.ModeCursorBO, X: 3, Y: 3, Width: 64, Height: 64, Handle: handle,
		})
	}
	f.must(f.flip(second, uapi.ModePageFlipEvent, 1))
	f.must(move())
	f.noEvent()
	f.step()
	f.event()
	small := f.fb(800, 600, uapi.FormatXRGB8888)
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModeAtomicAllowModeset|uapi.ModePageFlipEvent, 2, f.scene(small, "800x600")...))
	f.must(f.blocking(move))
	if e := f.event(); e.UserData != 2 {
		t.Errorf("event %d", e.UserData)
	}
}

// TestInFenceNever checks that a held commit completes when its CRTC is
// switched off or its device is unplugged, but not when its client closes its
// file.
func TestInFenceNever(t *testing.T) {
	for what, end := range map[string]func(f *fixture){
		"closed":    func(f *fixture) { f.must(f.File.Close()) },
		"unplugged": func(f *fixture) { f.must(f.parent.Remove(context.Background())) },
		"unbound":   func(f *fixture) { f.must(f.parent.Unbind(context.Background())) },
	} {
		t.Run(what, func(t *testing.T) {
			f, second, _ := lit(t)
			fen, fd := f.inFence()
			ptr := f.outPtr()
			f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 5,
				change{f.primary(), fbPropID, uint64(second)}, change{f.primary(), inFenceID, fd}, change{f.crtc(), outFenceID, ptr}))
			out := f.fenceAt(ptr)
			end(f)
			status := map[string]int32{"closed": 0, "unplugged": -int32(unix.ENODEV), "unbound": 1}[what]
			if info, _ := f.fenceInfo(out); info.Status != status {
				t.Errorf("out-fence %d, want %d", info.Status, status)
			}
			fen.Signal(nil)
			if what == "closed" { // the CRTC is still active
				f.step()
				if info, _ := f.fenceInfo(out); info.Status != 1 {
					t.Errorf("out-fence %d after the vblank", info.Status)
				}
			} else if e := f.event(); e.UserData != 5 {
				t.Errorf("event %d", e.UserData)
			}
		})
	}
}

// TestFenceStorm has fences signalled, CRTCs switched off and cards pulled
// while commits wait for them.
func TestFenceStorm(t *testing.T) {
	for range 30 {
		f, second, third := lit(t)
		pull := make(chan struct{})
		pulled := make(chan struct{})
		go func() {
			defer close(pulled)
			<-pull
			f.must(f.parent.Remove(context.Background()))
		}()
		ticking, stop := context.WithCancel(context.Background())
		ticked := make(chan struct{})
		go func() {
			defer close(ticked)
			for f.clock.Step(ticking) == nil {
			}
		}()
		for i := range 20 {
			if i == 12 {
				close(pull)
			}
			fb := []uint32{second, third}[i%2]
			fen, fd := f.inFence()
			go fen.Signal(nil)
			flags := uint32(uapi.ModePageFlipEvent)
			if i%3 != 0 {
				flags |= uapi.ModeAtomicNonblock
			}
			err := f.atomic(flags, 0, change{f.primary(), fbPropID, uint64(fb)}, change{f.primary(), inFenceID, fd})
			if err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOMEM) {
				t.Errorf("a commit: %v", err)
			}
		}
		<-pulled
		stop()
		<-ticked
	}
}

// TestImplicitFence checks that a commit waits for writers of its framebuffer,
// unless the client passes an in-fence.
func TestImplicitFence(t *testing.T) {
	f, _, _ := lit(t)
	handle, pitch := f.dumb(1024, 768, 32)
	fb := uapi.ModeFBCmd2{Width: 1024, Height: 768, PixelFormat: uapi.FormatXRGB8888, Handles: [4]uint32{handle}, Pitches: [4]uint32{pitch}}
	f.must(ioctl(f, uapi.IoctlModeAddFB2, &fb))
	prime := uapi.PrimeHandle{Handle: handle, Flags: uapi.Cloexec}
	f.must(ioctl(f, uapi.IoctlPrimeHandleToFD, &prime))
	f.Cleanup(func() { unix.Close(int(prime.FD)) })
	drawing, fd := f.inFence()
	arg := drmtest.PutSlice(f.Arena, []uint32{uapi.DMABufSyncWrite, uint32(fd)})
	if ok, err := gem.DMABufIoctl(context.Background(), f.Client, prime.FD, uapi.DMABufIoctlImportSyncFile, arg); !ok || err != nil {
		f.Fatal(err)
	}

	f.must(f.flip(fb.FBID, uapi.ModePageFlipEvent, 1))
	f.must(f.blocking(func() error { return ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative, 2, 0)) }))
	f.noEvent()
	drawing.Signal(nil)
	f.step()
	f.event()
}
