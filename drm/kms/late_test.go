package kms_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// lateClock is a clock whose timers come late, as they do on a loaded machine.
type lateClock struct {
	kms.ManualClock
	late atomic.Int64 // ns
}

func (c *lateClock) Now() time.Duration {
	return c.ManualClock.Now() + time.Duration(c.late.Load())
}

// What was due at different vblanks comes in their order, each with its own
// number and time, when the timer is late by several of them.
func TestLateTimer(t *testing.T) {
	clock := new(lateClock)
	config := vkms.DefaultConfig()
	config.Clock = clock
	f := newFixtureOf(t, config)
	f.clock = &clock.ManualClock
	f.light()
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
