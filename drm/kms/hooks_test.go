package kms_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestPrepareRefuses checks that a commit refused by Prepare leaves nothing behind.
func TestPrepareRefuses(t *testing.T) {
	var fail error
	p, f := newBare(t, policy{driver: kms.Driver{
		Prepare: func(*drm.RegisteredDevice, *kms.AtomicState) (*fence.Fence, error) { return nil, fail },
	}})
	fb := f.enable()
	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	fail = fmt.Errorf("bare: no memory to scan out from: %w", unix.ENOMEM)
	fd := drmtest.PutSlice(f.Arena, []int32{7})
	flip := f.set(p.primary, "FB_ID", uint64(other))
	err := f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 1, flip, f.set(p.crtc, "OUT_FENCE_PTR", fd))
	want(t, "ATOMIC", err, unix.ENOMEM)
	want(t, "PAGE_FLIP", f.flip(other, uapi.ModePageFlipEvent, 2), unix.ENOMEM)
	want(t, "a test", f.atomic(uapi.ModeAtomicTestOnly, 0, flip), 0)
	got := []int32{0}
	f.must(drmtest.GetSlice(f.Arena, got, fd))
	if got[0] != -1 {
		t.Errorf("the out-fence is %d, want -1", got[0])
	}
	f.noEvent()
	f.wantValue("after the refusal", p.primary, "FB_ID", uint64(fb))
	fail = nil
	f.must(f.flip(other, uapi.ModePageFlipEvent, 3))
	f.step()
	if e := f.event(); e.UserData != 3 {
		t.Errorf("event %+v, want that of the third flip", e)
	}
}

// TestLateCommit checks a commit that the driver holds back: clients see it,
// the hardware and the screen do not.
func TestLateCommit(t *testing.T) {
	var late *fence.Fence
	var programmed []uint32
	committed := make(chan struct{}, 100)
	var p *bare
	p, f := newBare(t, policy{driver: kms.Driver{
		Prepare: func(*drm.RegisteredDevice, *kms.AtomicState) (*fence.Fence, error) { return late, nil },
		Commit: func(_ *drm.RegisteredDevice, old, new *kms.State) error {
			if o, n := old.Plane(p.primary).FB, new.Plane(p.primary).FB; n != nil && o != n {
				programmed = append(programmed, n.ID())
			}
			committed <- struct{}{}
			return nil
		},
	}})
	fb := f.enable()
	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	late = fence.NewContext("bare", "late").New()
	f.must(f.flip(other, uapi.ModePageFlipEvent, 1))
	f.wantValue("while it is late", p.primary, "FB_ID", uint64(other))
	if len(programmed) != 1 || programmed[0] != fb {
		t.Errorf("the hardware was programmed with %v, want %d only", programmed, fb)
	}
	f.noEvent()
	want(t, "another flip", f.flip(fb, 0, 0), unix.EBUSY)

	signaled := late
	late = nil
	signaled.Signal(nil)
	f.step()
	if e := f.event(); e.UserData != 1 {
		t.Errorf("event %+v, want that of the flip", e)
	}
	if len(programmed) != 2 || programmed[1] != other {
		t.Errorf("the hardware was programmed with %v, want %d last", programmed, other)
	}

	// A blocking request returns when it is shown.
	for len(committed) > 0 {
		<-committed
	}
	late = fence.NewContext("bare", "late").New()
	done := make(chan error, 1)
	go func() { done <- f.atomic(0, 0, f.set(p.primary, "FB_ID", uint64(fb))) }()
	<-committed
	select {
	case err := <-done:
		t.Fatalf("the request returned %v before it was shown", err)
	default:
	}
	late.Signal(nil)
	f.step()
	f.must(<-done)

	// An unplug ends what is late.
	late = fence.NewContext("bare", "late").New()
	f.must(f.flip(other, uapi.ModePageFlipEvent, 4))
	if err := f.parent.Remove(context.Background()); err != nil {
		t.Error(err)
	}
	if e := f.event(); e.UserData != 4 {
		t.Errorf("event %+v, want that of the last flip", e)
	}
}

// TestFailingCommit checks a commit that fails in the hardware, after it could
// be refused.
func TestFailingCommit(t *testing.T) {
	var fail error
	reports := new(drmtest.Reports)
	p, f := newBare(t, policy{reports: reports, driver: kms.Driver{
		Commit: func(*drm.RegisteredDevice, *kms.State, *kms.State) error { return fail },
	}})
	f.enable()
	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	fail = fmt.Errorf("bare: the link is lost: %w", unix.EIO)
	fd := drmtest.PutSlice(f.Arena, []int32{7})
	f.must(f.atomic(uapi.ModeAtomicNonblock|uapi.ModePageFlipEvent, 1,
		f.set(p.primary, "FB_ID", uint64(other)), f.set(p.crtc, "OUT_FENCE_PTR", fd)))
	got := []int32{0}
	f.must(drmtest.GetSlice(f.Arena, got, fd))
	f.step()
	if e := f.event(); e.UserData != 1 {
		t.Errorf("event %+v, want that of the flip", e)
	}
	f.wantValue("after the failure", p.primary, "FB_ID", uint64(other))
	out, err := fence.Lookup(f.Client, got[0])
	f.must(err)
	if signaled, _, err := out.Status(); !signaled || !errors.Is(err, unix.EIO) {
		t.Errorf("the out-fence is signaled: %t, with %v; want EIO", signaled, err)
	}
	f.must(drmtest.CloseFD(got[0]))
	lines := reports.Take()
	if len(lines) != 1 || !strings.Contains(lines[0], "the link is lost") {
		t.Errorf("reports are %q, want one of the failure", lines)
	}
}

// TestVblankSource checks a driver that has vblanks of its own.
func TestVblankSource(t *testing.T) {
	var enabled []bool
	on := make(chan struct{}, 1)
	p, f := newBare(t, policy{
		crtc: kms.CRTCConfig{VblankSource: true},
		driver: kms.Driver{
			EnableVblank: func(*drm.RegisteredDevice, *kms.CRTC) {
				enabled = append(enabled, true)
				on <- struct{}{}
			},
			DisableVblank: func(*drm.RegisteredDevice, *kms.CRTC) { enabled = append(enabled, false) },
		},
	})
	vblank := func(at time.Duration) {
		f.must(p.Driver.Device.WithGuard(func(dev *drm.RegisteredDevice) error {
			p.crtc.HandleVblank(dev, at)
			return nil
		}))
	}
	vblank(time.Second) // of a CRTC that is off: ignored
	fb := f.fb(1024, 768, uapi.FormatXRGB8888)
	arg, done := f.setCRTCArg(fb, "1024x768"), make(chan error, 1)
	go func() { done <- ioctl(f, uapi.IoctlModeSetCRTC, arg) }()
	<-on
	vblank(2 * time.Second)
	f.must(<-done)
	now := uapi.CRTCGetSequence{CRTCID: f.crtc()}
	f.must(ioctl(f, uapi.IoctlCRTCGetSequence, &now))
	if now.Sequence != 2 || now.SequenceNs != int64(2*time.Second) {
		t.Errorf("the vblank is %d at %d ns, want 2 at 2 s", now.Sequence, now.SequenceNs)
	}
	f.must(f.flip(fb, uapi.ModePageFlipEvent, 5))
	f.noEvent()
	vblank(2500 * time.Millisecond)
	if e := f.event(); e.UserData != 5 || e.Sequence != 3 || e.TvSec != 2 || e.TvUsec != 500000 {
		t.Errorf("event %+v, want one for vblank 3 at 2.5 s", e)
	}
	f.disable()
	if fmt.Sprint(enabled) != "[true false]" {
		t.Errorf("vblanks were enabled: %v, want on, then off", enabled)
	}
}
