package kms_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// 1024x768: 1344*806 clocks of 65 MHz.
const framePeriod = 16_665_600 * time.Nanosecond

func TestPageFlip(t *testing.T) { onEachDisplay(t, testPageFlip) }

func testPageFlip(f *fixture) {
	t := f.T
	a := f.enable()
	b := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.flip(b, uapi.ModePageFlipEvent, 42))
	f.noEvent()
	want(t, "a second flip", f.flip(a, uapi.ModePageFlipEvent, 43), unix.EBUSY)
	f.step()
	first := f.event()
	if first.Base.Type != uapi.EventTypeFlipComplete || first.Base.Length != 32 || first.UserData != 42 || first.CRTCID != f.crtc() {
		t.Errorf("event %+v", first)
	}
	f.noEvent()
	crtc := uapi.ModeCRTC{CRTCID: f.crtc()}
	f.must(ioctl(f, uapi.IoctlModeGetCRTC, &crtc))
	if crtc.FBID != b {
		t.Errorf("framebuffer %d is shown, want %d", crtc.FBID, b)
	}

	f.must(f.flip(a, uapi.ModePageFlipEvent, 44))
	f.step()
	second := f.event()
	if second.UserData != 44 || second.Sequence != first.Sequence+1 {
		t.Errorf("event %+v after %+v", second, first)
	}
	if d := eventTime(second) - eventTime(first); d != framePeriod.Truncate(time.Microsecond) && d != framePeriod.Round(time.Microsecond) {
		t.Errorf("events %v apart, want %v", d, framePeriod)
	}
	// A flip without event also keeps a second one waiting.
	f.must(f.flip(b, 0, 0))
	want(t, "a second flip", f.flip(a, 0, 0), unix.EBUSY)
	f.step()
	f.must(f.flip(a, 0, 0))
	f.noEvent()
}

func eventTime(e uapi.EventVblank) time.Duration {
	return time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond
}
