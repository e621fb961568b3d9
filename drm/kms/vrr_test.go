package kms_test

import (
	"testing"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// TestVariableRefresh checks when flips are shown on a monitor of 40 to 75 Hz in
// a mode of 60 Hz: as soon as the last frame has lasted as long as the mode
// says. Without flips, a frame is repeated after 25 ms.
func TestVariableRefresh(t *testing.T) {
	p, f := newBare(t, policy{attach: func(p *bare) { p.connector.AttachVRRCapableProperty() }})
	f.wantValue("a monitor with a fixed rate", p.connector, "vrr_capable", 0)
	plug := func(low, high uint32) {
		t.Helper()
		f.guarded(func(dev *drm.RegisteredDevice) error {
			p.connector.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{Modes: []mode.Mode{mode1024}, MinRefresh: low, MaxRefresh: high})
			return nil
		})
	}
	plug(40, 75)
	f.wantValue("a monitor with a variable rate", p.connector, "vrr_capable", 1)
	fb := f.enable()
	frame, longest := mode1024.FramesTime(1), 25*time.Millisecond
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.crtc, "VRR_ENABLED", 1)) }))

	flip := f.set(p.primary, "FB_ID", uint64(fb))
	last := f.clock.Now()
	// flipAfter flips some time after the last vblank and checks when it is shown.
	flipAfter := func(wait, want time.Duration) {
		t.Helper()
		f.clock.Advance(last + wait - f.clock.Now())
		f.must(f.atomic(uapi.ModePageFlipEvent|uapi.ModeAtomicNonblock, 0, flip))
		f.step()
		e := f.event()
		at := time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond
		if got := at - last.Truncate(time.Microsecond); got < want-2*time.Microsecond || got > want+2*time.Microsecond {
			t.Errorf("a flip %v after the last vblank was shown after %v, want %v", wait, got, want)
		}
		last = f.clock.Now()
	}
	flipAfter(5*time.Millisecond, frame)
	flipAfter(20*time.Millisecond, 20*time.Millisecond)
	flipAfter(24*time.Millisecond, 24*time.Millisecond)
	flipAfter(frame, frame)
	flipAfter(30*time.Millisecond, longest+frame) // the last frame was repeated after 25 ms
	flipAfter(45*time.Millisecond, 45*time.Millisecond)

	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.crtc, "VRR_ENABLED", 0)) }))
	last = f.clock.Now()
	flipAfter(20*time.Millisecond, 2*frame)

	plug(0, 0)
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.crtc, "VRR_ENABLED", 1)) }))
	last = f.clock.Now()
	flipAfter(20*time.Millisecond, 2*frame)
}
