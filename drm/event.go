package drm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// EventBudget is how many bytes of events a file may have pending: reserved, or
// delivered and not yet read.
const EventBudget = 4096

// An EventSink takes the events of a file, in place of the file's own queue.
// Its methods are called with locks of the file held: they must neither block nor
// call the file.
type EventSink interface {
	// Deliver delivers one whole event. The sink must not keep ev.
	Deliver(ev []byte) error
	// Unread returns how many delivered bytes the client has not read yet. They
	// count against [EventBudget]. It may be called while Deliver runs.
	Unread() int
	// HangUp tells that the device is unplugged and its last request has ended:
	// no more events will come.
	HangUp()
}

// eventSpace has the events of a file: reservations and, without a sink, the
// queue.
//
// The lock out is held while an event is on its way, and is taken before mu. A client
// that an event wakes often runs at once, instead of the thread that has sent it, and
// asks for the next one. So ReserveEvent takes mu only.
type eventSpace struct {
	sink EventSink
	out  sync.Mutex

	mu      sync.Mutex
	pending map[*PendingEvent]struct{}
	queue   [][]byte
	wake    chan struct{} // closed and replaced when the queue or hungUp changes
	hungUp  bool
	closed  bool
}

// A PendingEvent is a reservation of space for an event. One call of Send or
// Cancel ends it; after the file is closed both do nothing.
type PendingEvent struct {
	file *File
	size int
}

func (s *eventSpace) init(sink EventSink) {
	s.sink = sink
	s.pending = make(map[*PendingEvent]struct{})
	s.wake = make(chan struct{})
}

// ReserveEvent reserves space for an event of size bytes. It fails with ENOMEM
// if the client has too many events pending, and with EBADF if the file is
// closed.
func (f *File) ReserveEvent(size int) (*PendingEvent, error) {
	s := &f.events
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("drm: event for a closed file: %w", unix.EBADF)
	}
	if used := s.used(); used+size > EventBudget {
		return nil, fmt.Errorf("drm: no space for an event of %d bytes: %d of %d bytes are pending; read events first: %w",
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
// drm_event, of the reserved size. Events for a closed file are dropped.
func (e *PendingEvent) Send(ev []byte) {
	if len(ev) != e.size {
		panic(fmt.Sprintf("drm: Send of %d bytes; the event was reserved with %d", len(ev), e.size))
	}
	s := &e.file.events
	s.out.Lock()
	defer s.out.Unlock()
	if !s.end(e) {
		return
	}
	if dev := e.file.minor.dev; dev.traced() {
		sent := TraceEvent{Kind: EventSent, File: e.file, Data: ev, Copies: 1}
		dev.tracepoint(&sent)
		s.deliverTraced(e.file, &sent)
		return
	}
	s.deliver(e.file, ev)
}

// deliver delivers an event. The caller holds out.
func (s *eventSpace) deliver(f *File, ev []byte) {
	if s.sink == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.queue = append(s.queue, append([]byte(nil), ev...))
		s.wakeAll()
		return
	}
	if err := s.sink.Deliver(ev); err != nil {
		f.minor.dev.reportLostEvent(f, err)
	}
}

// deliverTraced delivers an event as the tracers want it. One that would come
// after the hang-up is lost. The caller holds out.
func (s *eventSpace) deliverTraced(f *File, sent *TraceEvent) {
	if sent.Delay <= 0 {
		for range sent.Copies {
			s.deliver(f, sent.Data)
		}
		return
	}
	late := *sent
	late.Data, late.Delay = append([]byte(nil), sent.Data...), 0
	time.AfterFunc(sent.Delay, func() {
		s.out.Lock()
		defer s.out.Unlock()
		if s.open() {
			s.deliverTraced(f, &late)
		}
	})
}

// Cancel gives the reserved space back.
func (e *PendingEvent) Cancel() { e.file.events.end(e) }

// end ends a reservation. It reports false if the file is closed or the
// reservation has ended before.
func (s *eventSpace) end(e *PendingEvent) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.pending[e]
	delete(s.pending, e)
	return ok
}

// open reports whether more events may come.
func (s *eventSpace) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && !s.hungUp
}

// wakeAll is called with mu held.
func (s *eventSpace) wakeAll() {
	close(s.wake)
	s.wake = make(chan struct{})
}

func (s *eventSpace) hangUp() {
	s.out.Lock()
	defer s.out.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.hungUp = true
	s.wakeAll()
	if s.sink != nil {
		s.sink.HangUp()
	}
}

func (s *eventSpace) close() {
	s.out.Lock() // an event on its way comes first
	defer s.out.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.pending)
	s.queue = nil
	s.wakeAll()
}

// dequeue moves whole events to p. more reports whether events are left. err
// says why no more events will come. wake is closed when there may be more to
// read.
func (s *eventSpace) dequeue(p []byte) (n int, more bool, wake <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && len(s.queue[0]) <= len(p)-n {
		n += copy(p[n:], s.queue[0])
		s.queue = s.queue[1:]
	}
	switch {
	case s.closed:
		err = unix.EBADF
	case s.hungUp:
		err = ErrUnplugged
	}
	return n, len(s.queue) > 0, s.wake, err
}

// await calls done, whenever the channel that it returned is closed, until it
// reports true. It returns false if ctx ends first.
//
// It waits inside a guard, if it can take one. When an unplug begins, it exits
// the guard and waits for the hang-up, which comes after the drain: requests in
// flight may still send events.
func (f *File) await(ctx context.Context, done func() (ok bool, wake <-chan struct{})) bool {
	d := f.minor.dev
	unplug := d.ctx.Done()
	r, _, err := f.records.enter(d, purpose{what: "read", file: f})
	guarded := err == nil
	defer func() {
		if guarded {
			r.exit()
		}
	}()
	for {
		ok, wake := done()
		if ok {
			return true
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return false
		case <-unplug:
			unplug = nil
			if guarded {
				guarded = false
				r.exit()
			}
		}
	}
}

// Read reads whole events, as many as fit: 0 bytes if not even the first fits.
// Without an event it waits, or fails with EAGAIN if nonblock is set. On an
// unplugged device it returns the events that are left, then fails with ENODEV.
// It fails with EINTR when ctx ends, and with EBADF when the file is closed.
// The events of a file with an [EventSink] cannot be read here.
func (f *File) Read(ctx context.Context, p []byte, nonblock bool) (n int, err error) {
	if err := f.use(); err != nil {
		return 0, err
	}
	defer f.leave()
	if f.minor.dev.traced() {
		call := &Call{Op: OpRead, Context: ctx, Minor: f.minor, File: f}
		if err := call.begin(); err != nil {
			return 0, call.done(err)
		}
		defer func() {
			call.N = n
			err = call.done(err)
		}()
	}
	read := f.await(ctx, func() (bool, <-chan struct{}) {
		var more bool
		var end error
		var wake <-chan struct{}
		n, more, wake, end = f.events.dequeue(p)
		switch {
		case n > 0 || more:
			return true, nil
		case end != nil:
			err = fmt.Errorf("drm: reading events of %s: %w", f.minor.Name(), end)
			return true, nil
		case nonblock:
			err = unix.EAGAIN
			return true, nil
		}
		return false, wake
	})
	if !read {
		return 0, unix.EINTR
	}
	return n, err
}

// Poll returns the present events of poll(2): POLLIN if there is an event to
// read, POLLHUP if the device is unplugged, POLLNVAL if the file is closed.
// Without any, it waits for one, or for the end of ctx.
func (f *File) Poll(ctx context.Context) (events int16) {
	if err := f.use(); err != nil {
		return unix.POLLNVAL
	}
	defer f.leave()
	f.await(ctx, func() (bool, <-chan struct{}) {
		_, more, wake, end := f.events.dequeue(nil)
		if more {
			events |= unix.POLLIN
		}
		switch end {
		case unix.EBADF:
			events |= unix.POLLNVAL
		case ErrUnplugged:
			events |= unix.POLLHUP
		}
		return events != 0, wake
	})
	return events
}
