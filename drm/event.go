package drm

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// EventBudget is how many bytes of events a file may have under way:
// reserved, or delivered and not yet read.
const EventBudget = 4096

// An EventSink takes the events of a file in place of the file's own queue.
// Its methods are called with the file's lock held: they must not block and
// must not call the file.
type EventSink interface {
	// Deliver passes on one whole event. The sink does not keep ev.
	Deliver(ev []byte) error
	// Unread returns how many bytes were delivered and not yet read by the
	// client. They count against [EventBudget].
	Unread() int
	// HangUp says that the device is unplugged: no event will come any more.
	HangUp()
}

// eventSpace is what a file has of events: the budget, what is reserved, and,
// without a sink, the queue.
type eventSpace struct {
	sink EventSink

	mu      sync.Mutex
	pending map[*PendingEvent]struct{}
	queue   [][]byte
	wake    chan struct{} // closed and replaced when the queue or hungUp changes
	hungUp  bool
	closed  bool
}

// A PendingEvent is an event that was promised to a client: its space is
// reserved. It ends with one Send or Cancel; after the file is closed both do
// nothing.
type PendingEvent struct {
	file *File
	size int
}

func (s *eventSpace) init(sink EventSink) {
	s.sink = sink
	s.pending = make(map[*PendingEvent]struct{})
	s.wake = make(chan struct{})
}

// ReserveEvent promises an event of size bytes. ENOMEM when the client has too
// many events under way.
func (f *File) ReserveEvent(size int) (*PendingEvent, error) {
	s := &f.events
	s.mu.Lock()
	defer s.mu.Unlock()
	if used := s.used(); used+size > EventBudget {
		return nil, fmt.Errorf("drm: an event of %d bytes for a client with %d of %d bytes under way; read events first: %w",
			size, used, EventBudget, unix.ENOMEM)
	}
	e := &PendingEvent{file: f, size: size}
	s.pending[e] = struct{}{}
	return e, nil
}

// used is called with mu held.
func (s *eventSpace) used() int {
	used := 0
	for e := range s.pending {
		used += e.size
	}
	for _, ev := range s.queue {
		used += len(ev)
	}
	if s.sink != nil {
		used += s.sink.Unread()
	}
	return used
}

// Send delivers the event: ev is a struct of drm.h that begins with struct
// drm_event, of the size that was reserved. Events for a closed file are
// dropped.
func (e *PendingEvent) Send(ev []byte) {
	if len(ev) != e.size {
		panic(fmt.Sprintf("drm: an event of %d bytes was reserved, one of %d is sent", e.size, len(ev)))
	}
	s := &e.file.events
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.take(e) {
		return
	}
	if s.sink == nil {
		s.queue = append(s.queue, append([]byte(nil), ev...))
		s.wakeAll()
		return
	}
	if err := s.sink.Deliver(ev); err != nil {
		e.file.minor.dev.reportLostEvent(e.file, err)
	}
}

// Cancel takes the promise back.
func (e *PendingEvent) Cancel() {
	s := &e.file.events
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take(e)
}

// take ends the promise; false when the file is closed or it has ended before.
func (s *eventSpace) take(e *PendingEvent) bool {
	_, ok := s.pending[e]
	delete(s.pending, e)
	return ok
}

func (s *eventSpace) wakeAll() {
	close(s.wake)
	s.wake = make(chan struct{})
}

func (s *eventSpace) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hungUp = true
	s.wakeAll()
	if s.sink != nil && !s.closed {
		s.sink.HangUp()
	}
}

func (s *eventSpace) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.pending)
	s.queue = nil
	s.wakeAll()
}

// dequeue moves whole events to p. wake ends when it is worth trying again.
func (s *eventSpace) dequeue(p []byte) (n int, more, hungUp bool, wake <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && len(s.queue[0]) <= len(p)-n {
		n += copy(p[n:], s.queue[0])
		s.queue = s.queue[1:]
	}
	return n, len(s.queue) > 0, s.hungUp || s.closed, s.wake
}

// Read reads whole events, as many as fit; 0 bytes when not even the first
// fits. Without an event it waits, or returns EAGAIN when nonblock is set. On
// an unplugged device it returns the events that are left, then ENODEV. The
// end of ctx is EINTR. Files with an [EventSink] have nothing to read here.
func (f *File) Read(ctx context.Context, p []byte, nonblock bool) (int, error) {
	d := f.minor.dev
	guard, err := d.RegistrationGuard()
	if err == nil {
		defer guard.Exit() // while it waits as well: hangUp comes before the drain
	}
	for {
		n, more, hungUp, wake := f.events.dequeue(p)
		switch {
		case n > 0 || more:
			return n, nil
		case hungUp:
			return 0, fmt.Errorf("drm: reading events of %s: %w", d.Name(), ErrUnplugged)
		case nonblock:
			return 0, unix.EAGAIN
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return 0, unix.EINTR
		}
	}
}

// Poll returns the events of poll(2) that hold now: POLLIN when there is an
// event to read, POLLHUP when the device is unplugged. Without any of them it
// waits for one, or for the end of ctx.
func (f *File) Poll(ctx context.Context) int16 {
	guard, err := f.minor.dev.RegistrationGuard()
	if err == nil {
		defer guard.Exit()
	}
	for {
		var events int16
		_, more, hungUp, wake := f.events.dequeue(nil)
		if more {
			events |= unix.POLLIN
		}
		if hungUp {
			events |= unix.POLLHUP
		}
		if events != 0 {
			return events
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return 0
		}
	}
}
