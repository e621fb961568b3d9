package kms_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A lateClock has timers that are late, as on a loaded machine.
type lateClock struct {
	kms.ManualClock
	late atomic.Int64 // ns
	set  atomic.Int64 // timers set so far
}

func (c *lateClock) At(t time.Duration, f func()) (stop func()) {
	defer c.set.Add(1)
	return c.ManualClock.At(t, f)
}

func (c *lateClock) Now() time.Duration {
	return c.ManualClock.Now() + time.Duration(c.late.Load())
}

// lateFixture returns an active display whose timers can be late.
func lateFixture(t *testing.T) (*fixture, *lateClock) {
	clock := new(lateClock)
	config := vkms.ConfigOf(drm.Linux612)
	config.Clock = clock
	f := newFixtureOf(t, config)
	f.clock = &clock.ManualClock
	f.enable()
	return f, clock
}

// TestLateTimer checks that events of several vblanks come in order, each with
// the number and time of its vblank, if one late timer delivers them all.
func TestLateTimer(t *testing.T) {
	f, clock := lateFixture(t)
	now, _ := f.query()
	ask := func(ahead uint32) {
		t.Helper()
		f.must(ioctl(f, uapi.IoctlWaitVblank, waitArg(uapi.VblankRelative|uapi.VblankEvent, ahead, uint64(ahead))))
	}
	ask(3)
	ask(1)
	ask(2)
	ask(9)
	clock.late.Store(int64(60 * time.Millisecond)) // some three frames
	f.step()
	var last time.Duration
	for ahead := uint32(1); ahead <= 3; ahead++ {
		e := f.event()
		at := time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond
		if e.UserData != uint64(ahead) || e.Sequence != now+ahead {
			t.Errorf("event %d at %d, want %d at %d", e.UserData, e.Sequence, ahead, now+ahead)
		}
		if frame := at - last; ahead > 1 && (frame < 16*time.Millisecond || frame > 17*time.Millisecond) {
			t.Errorf("event %d comes %v after the one before, want a frame", ahead, frame)
		}
		last = at
	}
	f.noEvent()
}

// TestLatePicture checks that a vblank with a late timer does not capture a
// flip that was made after the vblank.
func TestLatePicture(t *testing.T) {
	f, clock := lateFixture(t)
	white := f.paint(0xffffff)
	s, err := f.openCRC()
	f.must(err)
	defer s.Close()
	f.step()
	before := f.crc(s)
	clock.late.Store(int64(20 * time.Millisecond)) // more than a frame
	f.must(f.flip(white, uapi.ModePageFlipEvent, 0))
	clock.late.Store(0)
	for range 3 {
		f.step()
	}
	e := f.event()
	if e.Sequence != before.Frame+2 {
		t.Errorf("the flip is shown at %d, but was made after %d", e.Sequence, before.Frame+1)
	}
	for range 3 {
		if c := f.crc(s); (c.Value == before.Value) != (c.Frame < e.Sequence) {
			t.Errorf("frame %d has CRC %#x, with %#x before the flip at %d", c.Frame, c.Value, before.Value, e.Sequence)
		}
	}
}

// TestLateFlips checks that a client can flip again once the vblank of the last
// flip has begun, even if its timer is late.
func TestLateFlips(t *testing.T) {
	f, clock := lateFixture(t)
	other := f.fb(1024, 768, uapi.FormatXRGB8888)
	f.must(f.flip(other, uapi.ModePageFlipEvent, 1))
	clock.late.Store(int64(20 * time.Millisecond))
	f.must(f.flip(other, uapi.ModePageFlipEvent, 2))
	if e := f.event(); e.UserData != 1 {
		t.Errorf("event %d", e.UserData)
	}
	f.noEvent()
}

// TestLateWake checks that a request that is woken late returns the current
// vblank, as in the kernel.
func TestLateWake(t *testing.T) {
	f, clock := lateFixture(t)
	before, _ := f.query()
	arg := waitArg(uapi.VblankRelative, 1, 0)
	done := make(chan error, 1)
	set := clock.set.Load()
	go func() { done <- ioctl(f, uapi.IoctlWaitVblank, arg) }()
	for clock.set.Load() < set+2 { // for the vblank, and for the time limit
		time.Sleep(time.Millisecond)
	}
	clock.late.Store(int64(60 * time.Millisecond)) // some three frames
	f.step()
	f.must(<-done)
	if now, _ := f.query(); arg.Sequence != now || now < before+4 {
		t.Errorf("woken for vblank %d at %d, but got %d", before+1, now, arg.Sequence)
	}
}
