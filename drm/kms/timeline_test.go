package kms

import (
	"math"
	"testing"
	"time"

	"github.com/udrm/udrm/drm/mode"
)

// slowMode has frames of exactly 20 ms.
var slowMode = mode.Mode{Clock: 100_000, HTotal: 2000, VTotal: 1000}

func TestTimeline(t *testing.T) {
	const frame = 20 * time.Millisecond
	var l timeline
	if now := l.now(time.Hour); now != (vblankTime{}) {
		t.Errorf("before the start: %+v", now)
	}
	l.start(&slowMode, time.Second)
	for _, tc := range []struct {
		now  time.Duration
		want vblankTime
	}{
		{0, vblankTime{1, time.Second}}, // a clock that steps back
		{time.Second, vblankTime{1, time.Second}},
		{time.Second + frame - 1, vblankTime{1, time.Second}},
		{time.Second + frame, vblankTime{2, time.Second + frame}},
		{time.Second + 3*frame + 5, vblankTime{4, time.Second + 3*frame}},
		{time.Second + 1e9*frame, vblankTime{1e9 + 1, time.Second + 1e9*frame}},
	} {
		if got := l.now(tc.now); got != tc.want {
			t.Errorf("at %v: %+v, want %+v", tc.now, got, tc.want)
		}
		if got := l.at(tc.want.count); got != tc.want {
			t.Errorf("vblank %d: %+v, want %+v", tc.want.count, got, tc.want)
		}
	}

	l.stop(time.Second + 10*frame + 1)
	stopped := vblankTime{11, time.Second + 10*frame}
	if now := l.now(time.Hour); now != stopped {
		t.Errorf("after the stop: %+v, want %+v", now, stopped)
	}
	l.start(&slowMode, 2*time.Hour)
	if now := l.now(2 * time.Hour); now != (vblankTime{12, 2 * time.Hour}) {
		t.Errorf("after another start: %+v", now)
	}
}

// TestExternalTimeline checks that a driver's vblanks need no grid.
func TestExternalTimeline(t *testing.T) {
	l := timeline{external: true}
	l.start(&slowMode, time.Second)
	if now := l.now(time.Hour); now != (vblankTime{1, time.Second}) {
		t.Errorf("after the start: %+v", now)
	}
	l.tick(3 * time.Second)
	want := vblankTime{2, 3 * time.Second}
	if now := l.now(time.Hour); now != want || l.at(7) != want {
		t.Errorf("after a tick: %+v and %+v, want %+v", now, l.at(7), want)
	}
	l.stop(time.Hour)
	if now := l.now(time.Hour); now != want {
		t.Errorf("after the stop: %+v, want %+v", now, want)
	}
}

func TestPassed(t *testing.T) {
	for _, tc := range []struct {
		count, sequence uint64
		want            bool
	}{
		{10, 10, true}, {10, 9, true}, {10, 11, false},
		{1 << 23, 0, true}, {1<<23 + 1, 0, false},
		{0, math.MaxUint64, true}, {math.MaxUint64, 0, false},
	} {
		if got := passed(tc.count, tc.sequence); got != tc.want {
			t.Errorf("passed(%d, %d) = %v", tc.count, tc.sequence, got)
		}
	}
}

func TestWiden(t *testing.T) {
	for _, tc := range []struct {
		low        uint32
		near, want uint64
	}{
		{7, 5, 7}, {5, 7, 5},
		{1, 1<<32 - 1, 1<<32 + 1},
		{math.MaxUint32, 1 << 32, 1<<32 - 1},
		{3, 5<<32 + 2, 5<<32 + 3},
	} {
		if got := widen(tc.low, tc.near); got != tc.want {
			t.Errorf("widen(%d, %d) = %d, want %d", tc.low, tc.near, got, tc.want)
		}
	}
}
