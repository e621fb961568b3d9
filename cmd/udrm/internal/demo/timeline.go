package demo

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A timeline collects the events of the demo, in this process and in the client.
// Their common clock is CLOCK_MONOTONIC.
type timeline struct {
	mu     sync.Mutex
	events []timelineEvent
}

type timelineEvent struct {
	at           int64 // ns
	source, what string
}

func now() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail for this clock
	return t.Nano()
}

func (t *timeline) add(source, format string, args ...any) { t.addAt(now(), source, format, args...) }

func (t *timeline) addAt(at int64, source, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, timelineEvent{at, source, fmt.Sprintf(format, args...)})
}

// print writes the events in the order of their times, relative to zero.
func (t *timeline) print(w io.Writer, zero int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.events, func(a, b timelineEvent) int { return int(a.at - b.at) })
	for _, e := range t.events {
		since := time.Duration(e.at - zero).Round(time.Microsecond)
		fmt.Fprintf(w, "%12.3f ms  %-7s %s\n", float64(since)/float64(time.Millisecond), e.source, e.what)
	}
}
