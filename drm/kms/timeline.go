package kms

import (
	"time"

	"github.com/udrm/udrm/drm/mode"
)

// A timeline computes when the vblanks of a CRTC begin. It has neither a clock
// nor a lock: callers pass the time.
//
// While the timeline runs, vblanks lie on an ideal grid: vblank number base + n
// begins n frames after epoch, to the nanosecond. So the counter and its
// timestamps are right even if no one looked for a while. The zero timeline is
// stopped at vblank 0.
//
// With a variable refresh rate, the grid has the longest frames that the monitor
// can show. A commit moves the next vblank forward, and the grid with it: see
// vary.
//
// If the driver has vblanks of its own, there is no grid: tick records each.
type timeline struct {
	external bool // the driver reports vblanks with tick
	running  bool
	mode     mode.Mode
	epoch    time.Duration // when it was started
	base     uint64        // the number of the vblank at epoch
	last     vblankTime    // while stopped or external, the last vblank

	longest time.Duration // a frame of a variable refresh rate; 0: frames last as the mode says
	pulled  bool          // until epoch, before is the last vblank
	before  vblankTime
}

// A vblankTime is the number of a vblank and the time when it began.
type vblankTime struct {
	count uint64
	at    time.Duration
}

// start starts the timeline with a vblank at time now, the one after the last.
func (t *timeline) start(m *mode.Mode, now time.Duration) {
	t.running, t.mode = true, *m
	t.epoch, t.base = now, t.last.count+1
	t.longest, t.pulled = 0, false
	if t.external {
		t.tick(now)
	}
}

// tick records the next vblank of an external timeline.
func (t *timeline) tick(at time.Duration) { t.last = vblankTime{t.last.count + 1, at} }

// stop stops the timeline at time now.
func (t *timeline) stop(now time.Duration) {
	t.last = t.now(now)
	t.running = false
}

// now returns the last vblank that began at or before time now.
func (t *timeline) now(now time.Duration) vblankTime {
	if !t.running || t.external {
		return t.last
	}
	switch {
	case t.pulled && now < t.epoch:
		return t.before
	case t.longest > 0:
		return t.at(t.base + uint64(max(now-t.epoch, 0)/t.longest))
	}
	return t.at(t.base + t.mode.FramesIn(now-t.epoch))
}

// vary begins a frame that may last up to longest, or, if longest is 0, as long as
// the mode says. It moves the next vblank forward: it begins now, but not before
// the last frame has lasted as long as the mode says.
func (t *timeline) vary(longest, now time.Duration) {
	last := t.now(now)
	t.before, t.pulled = last, true
	t.base, t.epoch = last.count+1, max(last.at+t.mode.FramesTime(1), now)
	t.longest = longest
}

// at returns the vblank with the given number, which is base or later or that of
// before, or the last vblank of an external timeline. The timeline must run.
func (t *timeline) at(count uint64) vblankTime {
	if t.external {
		return t.last
	}
	switch {
	case t.pulled && count < t.base:
		return t.before
	case t.longest > 0:
		return vblankTime{count, t.epoch + time.Duration(count-t.base)*t.longest}
	}
	return vblankTime{count, t.epoch + t.mode.FramesTime(count-t.base)}
}

// passed reports whether the counter has reached sequence. A sequence more than
// 2^23 vblanks ago counts as one in the future (drm_vblank_passed).
func passed(count, sequence uint64) bool { return count-sequence <= 1<<23 }

// widen returns the number with the given lower half that is nearest to the
// counter.
func widen(low uint32, near uint64) uint64 { return near + uint64(int64(int32(low-uint32(near)))) }
