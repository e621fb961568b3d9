package view

import (
	"testing"
	"time"
)

// TestPace counts the pictures of a second, each of which takes some time before
// and after it is seen by the pace.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		compose, send time.Duration
		want          int
	}{
		{0, 0, 24},
		{15 * time.Millisecond, 10 * time.Millisecond, 24},
		{50 * time.Millisecond, 50 * time.Millisecond, 10},
	} {
		var p pace
		begin := time.Unix(1000, 0)
		p.next(begin)
		pictures := 0
		for now := begin; now.Before(begin.Add(time.Second)); pictures++ {
			now = now.Add(tc.compose)
			next := p.next(now)
			if now = now.Add(tc.send); now.Before(next) {
				now = next
			}
		}
		if pictures < tc.want || pictures > tc.want+1 {
			t.Errorf("%d pictures a second if they take %v and %v, want %d", pictures, tc.compose, tc.send, tc.want)
		}
	}
}

// TestPaceAfterRest takes pictures after a time without changes: they do not
// come faster.
func TestPaceAfterRest(t *testing.T) {
	t.Parallel()
	var p pace
	begin := time.Unix(1000, 0)
	p.next(begin)
	later := begin.Add(time.Hour)
	first := p.next(later)
	if second := p.next(first); second.Sub(later) < frameTime {
		t.Errorf("the second picture is due %v after the first one", second.Sub(later))
	}
}
