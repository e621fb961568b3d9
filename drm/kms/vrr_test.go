package kms_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// shown reads the event of a flip, which must come at the time that it tells. It
// returns the number and the time of the vblank.
func (f *fixture) shown() (sequence uint32, at time.Duration) {
	f.Helper()
	e := f.event()
	at = time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond
	if late := f.clock.Now() - at; late < 0 || late >= time.Microsecond {
		f.Errorf("the event of vblank %d came %v late", e.Sequence, late)
	}
	return e.Sequence, f.clock.Now()
}

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
		_, at := f.shown()
		if got := at - last; got < want-2*time.Microsecond || got > want+2*time.Microsecond {
			t.Errorf("a flip %v after the last vblank was shown after %v, want %v", wait, got, want)
		}
		last = at
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

// TestVariableRefreshModel flips at random times, and compares each vblank with
// the rule of the kernel's documentation of VRR_ENABLED: the vertical front porch
// is extended until a flip, or until the longest frame ends. It is never shorter
// than that of the mode.
func TestVariableRefreshModel(t *testing.T) {
	for _, lowest := range []uint32{1, 24, 40, 59} {
		t.Run(fmt.Sprintf("%d Hz", lowest), func(t *testing.T) {
			p, f := newBare(t, policy{attach: func(p *bare) { p.connector.AttachVRRCapableProperty() }})
			f.guarded(func(dev *drm.RegisteredDevice) error {
				p.connector.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{Modes: []mode.Mode{mode1024}, MinRefresh: lowest, MaxRefresh: 60})
				return nil
			})
			fb := f.enable()
			f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.crtc, "VRR_ENABLED", 1)) }))
			flip := f.set(p.primary, "FB_ID", uint64(fb))
			showFlip := func() (sequence uint32, at time.Duration) {
				f.must(f.atomic(uapi.ModePageFlipEvent|uapi.ModeAtomicNonblock, 0, flip))
				f.step()
				return f.shown()
			}
			frame, longest := mode1024.FramesTime(1), time.Second/time.Duration(lowest)
			random := rand.New(rand.NewPCG(7, uint64(lowest)))
			sequence, at := showFlip()
			for range 300 {
				var wait time.Duration
				switch random.IntN(4) {
				case 0:
					wait = frame
				case 1:
					wait = longest + time.Duration(random.IntN(3)-1)
				default:
					wait = time.Duration(random.Int64N(int64(3 * longest)))
				}
				f.clock.Advance(wait)
				asked := f.clock.Now()
				for ; asked >= at+longest; sequence++ { // the last frame is repeated
					at += longest
				}
				sequence, at = sequence+1, max(at+frame, asked)
				gotSequence, got := showFlip()
				if gotSequence != sequence || got != at {
					t.Fatalf("a flip %v after the last was shown in vblank %d at %v, want %d at %v", wait, gotSequence, got, sequence, at)
				}
			}
		})
	}
}
