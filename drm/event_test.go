package drm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// event returns a struct drm_event with a number as its payload.
func event(size int, number uint64) []byte {
	ev := make([]byte, max(size, 16))
	binary.NativeEndian.PutUint32(ev, 0x1000)
	binary.NativeEndian.PutUint32(ev[4:], uint32(size))
	binary.NativeEndian.PutUint64(ev[8:], number)
	return ev[:size]
}

func send(t testing.TB, f *drm.File, size int, number uint64) {
	t.Helper()
	e, err := f.ReserveEvent(size)
	if err != nil {
		t.Fatal(err)
	}
	ev := event(size, number)
	e.Send(ev)
	clear(ev) // it is the sender's again
}

// The budget counts reserved events and events that are not read yet.
func TestEventBudget(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	f := drmtest.Open(t, toy.dev.Primary()).File
	stranger := drmtest.Open(t, toy.dev.Primary()).File
	var pending []*drm.PendingEvent
	fill := func(want int) {
		t.Helper()
		n := 0
		for {
			e, err := f.ReserveEvent(32)
			if err != nil {
				if drm.Errno(err) != unix.ENOMEM {
					t.Errorf("an event too many: %v, want ENOMEM", err)
				}
				break
			}
			pending = append(pending, e)
			n++
		}
		if n != want {
			t.Errorf("%d events of 32 bytes can be reserved, want %d", n, want)
		}
	}
	fill(drm.EventBudget / 32)
	send(t, stranger, 32, 0) // has a budget of its own
	for range 3 {            // twice is once
		pending[0].Cancel()
		pending[1].Send(event(32, 1))
	}
	fill(1) // what was cancelled is free, what was sent is not before it is read
	buf := make([]byte, 4096)
	if n, err := f.Read(context.Background(), buf, true); n != 32 || err != nil {
		t.Errorf("reading: %d, %v", n, err)
	}
	fill(1)
	for _, e := range pending {
		e.Cancel()
	}
	if _, err := f.ReserveEvent(drm.EventBudget + 1); drm.Errno(err) != unix.ENOMEM {
		t.Errorf("an event larger than the budget: %v, want ENOMEM", err)
	}
	whole, err := f.ReserveEvent(drm.EventBudget)
	if err != nil {
		t.Errorf("an event as large as the budget: %v", err)
	}
	expectPanic(t, "sending an event of another size than was reserved", func() { whole.Send(event(32, 0)) })
}

// read returns whole events, as many as fit.
func TestReadWholeEvents(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	f := drmtest.Open(t, toy.dev.Primary()).File
	sizes := []int{32, 24, 32, 16}
	for i, size := range sizes {
		send(t, f, size, uint64(i))
	}
	var rest []byte
	for i, size := range sizes {
		rest = append(rest, event(size, uint64(i))...)
	}
	for _, step := range []struct{ room, want int }{
		{0, 0}, {31, 0}, {32, 32}, {23, 0}, {55, 24}, {47, 32}, {15, 0}, {1000, 16},
	} {
		buf := bytes.Repeat([]byte{0xee}, step.room)
		n, err := f.Read(context.Background(), buf, false)
		if n != step.want || err != nil || !bytes.Equal(buf[:n], rest[:n]) {
			t.Errorf("with room for %d: %d bytes, %v, want %d:\n% x", step.room, n, err, step.want, buf[:max(n, 0)])
		}
		if !bytes.Equal(buf[n:], bytes.Repeat([]byte{0xee}, step.room-n)) {
			t.Errorf("with room for %d: bytes beyond the events were written", step.room)
		}
		rest = rest[step.want:]
	}
	for _, room := range []int{0, 100} {
		n, err := f.Read(context.Background(), make([]byte, room), true)
		if n != 0 || drm.Errno(err) != unix.EAGAIN {
			t.Errorf("without events, room for %d: %d, %v, want EAGAIN", room, n, err)
		}
	}
}

// An event, an unplug and the end of the context wake a blocked read and a
// blocked poll; nothing else does.
func TestBlockedReadAndPoll(t *testing.T) {
	for _, tc := range []struct {
		name   string
		wake   func(t *testing.T, toy *toy, f *drm.File, interrupt func())
		n      int
		errno  unix.Errno
		events int16
	}{
		{"event", func(t *testing.T, _ *toy, f *drm.File, _ func()) { send(t, f, 32, 7) }, 32, 0, unix.POLLIN},
		{"unplug", func(t *testing.T, toy *toy, _ *drm.File, _ func()) {
			if err := toy.parent.Remove(context.Background()); err != nil {
				t.Error(err)
			}
		}, 0, unix.ENODEV, unix.POLLHUP},
		{"interruption", func(_ *testing.T, _ *toy, _ *drm.File, interrupt func()) { interrupt() }, 0, unix.EINTR, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				toy := newToy(t, &drm.Driver{})
				f := drmtest.Open(t, toy.dev.Primary()).File
				ctx, interrupt := context.WithCancel(context.Background())
				defer interrupt()
				l := &logbook{}
				go func() {
					l.write("poll", fmt.Sprint(f.Poll(ctx)))
					buf := make([]byte, 64)
					n, err := f.Read(ctx, buf, false)
					l.write("read", fmt.Sprint(n, drm.Errno(err) == tc.errno))
				}()
				go func() {
					stranger := drmtest.Open(t, toy.dev.Primary()).File
					send(t, stranger, 32, 0)
				}()
				synctest.Wait()
				l.expect(t)
				if n := toy.dev.Guards(); n != 1 {
					t.Errorf("%d guards are open, want the one of the sleeper", n)
				}
				tc.wake(t, toy, f, interrupt)
				synctest.Wait()
				l.expect(t, fmt.Sprint("poll ", tc.events), fmt.Sprint("read ", tc.n, " true"))
			})
		})
	}
}

// Poll reports present events without waiting.
func TestPoll(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	f := drmtest.Open(t, toy.dev.Primary()).File
	over, cancel := context.WithCancel(context.Background())
	cancel()
	expect := func(when string, want int16) {
		t.Helper()
		if got := f.Poll(over); got != want {
			t.Errorf("%s: poll says %#x, want %#x", when, got, want)
		}
	}
	e, err := f.ReserveEvent(32)
	if err != nil {
		t.Fatal(err)
	}
	expect("with an event under way", 0)
	e.Send(event(32, 1))
	expect("with an event to read", unix.POLLIN)
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect("unplugged, with an event to read", unix.POLLIN|unix.POLLHUP)
	if n, err := f.Read(over, make([]byte, 32), false); n != 32 || err != nil {
		t.Errorf("reading on an unplugged device: %d, %v", n, err)
	}
	expect("unplugged", unix.POLLHUP)
	for _, nonblock := range []bool{false, true} {
		n, err := f.Read(context.Background(), make([]byte, 32), nonblock)
		if n != 0 || !errors.Is(err, drm.ErrUnplugged) {
			t.Errorf("reading once more: %d, %v, want ErrUnplugged", n, err)
		}
	}
}

// Events of requests that are in flight when the unplug begins arrive: the
// reader is told of the end after the last of them, and does not hold up the
// unplug while it waits.
func TestEventsDuringUnplug(t *testing.T) {
	for _, withSink := range []bool{false, true} {
		t.Run(fmt.Sprintf("sink=%v", withSink), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				l := &logbook{}
				toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{
					toyIoctl(0, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
						<-gate
						e, err := req.File.ReserveEvent(32)
						if err == nil {
							e.Send(event(32, 1))
						}
						return err
					})}})
				var eventSink drm.EventSink
				if withSink {
					eventSink = &sink{log: l}
				}
				f, err := toy.dev.Primary().Open(user, os.O_RDWR, eventSink)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				c := &drmtest.Client{Arena: drmtest.NewArena(), File: f, As: user}
				if !withSink {
					go func() {
						for {
							n, err := f.Read(context.Background(), make([]byte, 64), false)
							if err != nil {
								l.write("hang up")
								return
							}
							l.write("event", fmt.Sprint(n))
						}
					}()
				}
				go func() { expectErr(t, "the request", call(c, 0), 0) }()
				synctest.Wait()
				go func() {
					if err := toy.parent.Remove(context.Background()); err != nil {
						t.Error(err)
					}
					l.write("removed")
				}()
				synctest.Wait()
				l.expect(t)
				if n := toy.dev.Guards(); n != 1 {
					t.Errorf("%d guards hold up the unplug, want only that of the request", n)
				}
				close(gate)
				synctest.Wait()
				lines := l.take()
				order := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line == "removed" })
				if len(lines) != 3 || !slices.Equal(order, []string{"event 32", "hang up"}) {
					t.Errorf("it happened: %q, want the event, then the hang-up", lines)
				}
			})
		})
	}
}

// sink is an EventSink that keeps all events.
type sink struct {
	log    *logbook
	unread int
	err    error
	got    [][]byte
}

func (s *sink) Deliver(ev []byte) error {
	s.log.write("event", fmt.Sprint(len(ev)))
	if s.err != nil {
		return s.err
	}
	s.got = append(s.got, slices.Clone(ev))
	s.unread += len(ev)
	return nil
}

func (s *sink) Unread() int { return s.unread }
func (s *sink) HangUp()     { s.log.write("hang up") }

// slowSink is a sink whose deliveries end when release is closed.
type slowSink struct {
	sink
	delivering chan struct{}
	release    chan struct{}
}

func (s *slowSink) Deliver([]byte) error {
	close(s.delivering)
	<-s.release
	return nil
}

// TestReserveDuringDelivery checks that a client can have the next event reserved
// before the delivery of the last one has ended, and that a close waits for its end.
func TestReserveDuringDelivery(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	s := &slowSink{delivering: make(chan struct{}), release: make(chan struct{})}
	f, err := toy.dev.Primary().Open(user, os.O_RDWR, s)
	if err != nil {
		t.Fatal(err)
	}
	e, err := f.ReserveEvent(32)
	if err != nil {
		t.Fatal(err)
	}
	sent, closed := make(chan struct{}), make(chan struct{})
	go func() {
		e.Send(event(32, 1))
		close(sent)
	}()
	<-s.delivering
	reserved := make(chan error, 1)
	go func() {
		next, err := f.ReserveEvent(32)
		if err == nil {
			next.Cancel()
		}
		reserved <- err
	}()
	select {
	case err := <-reserved:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a reservation waits for a delivery")
	}
	go func() {
		f.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("the file was closed while an event was delivered")
	default:
	}
	close(s.release)
	<-sent
	<-closed
}

func TestEventSink(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	s := &sink{log: &logbook{}}
	f, err := toy.dev.Primary().Open(user, os.O_RDWR, s)
	if err != nil {
		t.Fatal(err)
	}
	send(t, f, 32, 1)
	send(t, f, 24, 2)
	s.log.expect(t, "event 32", "event 24")
	if !bytes.Equal(s.got[0], event(32, 1)) || !bytes.Equal(s.got[1], event(24, 2)) {
		t.Errorf("the sink got % x", s.got)
	}
	if _, err := f.ReserveEvent(drm.EventBudget - 55); drm.Errno(err) != unix.ENOMEM {
		t.Errorf("the budget does not count what the client has not read: %v", err)
	}
	s.unread = 0 // the client reads
	all, err := f.ReserveEvent(drm.EventBudget)
	if err != nil {
		t.Error(err)
	}
	all.Cancel()
	if n, err := f.Read(context.Background(), make([]byte, 64), true); n != 0 || drm.Errno(err) != unix.EAGAIN {
		t.Errorf("reading what went to the sink: %d, %v", n, err)
	}

	s.err = errors.New("the pipe is full")
	send(t, f, 32, 3)
	if said := strings.Join(toy.reports.Take(), "\n"); !strings.Contains(said, "the pipe is full") || !strings.Contains(said, "pid=100") {
		t.Errorf("an event that was lost is reported as %q", said)
	}
	s.log.take()

	e, err := f.ReserveEvent(32)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	e.Send(event(32, 4))
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.log.expect(t) // a closed file gets neither events nor a hang-up
}

// Events of a closed file are dropped.
func TestEventsOfClosedFile(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	c, err := drmtest.OpenAs(toy.dev.Primary(), user)
	if err != nil {
		t.Fatal(err)
	}
	send(t, c.File, 32, 0)
	var pending []*drm.PendingEvent
	for range 2 {
		e, err := c.File.ReserveEvent(32)
		if err != nil {
			t.Fatal(err)
		}
		pending = append(pending, e)
	}
	c.File.Close()
	pending[0].Send(event(32, 1))
	pending[1].Cancel()
	if _, err := c.File.ReserveEvent(32); drm.Errno(err) != unix.EBADF {
		t.Errorf("an event for a closed file: %v, want EBADF", err)
	}
}

// Senders, readers, pollers and an unplug at once: every event that was sent is
// read once, in the order of its sender, and the budget comes out even.
func TestEventStress(t *testing.T) {
	drmtest.NoLeaks(t)
	for range 10 {
		toy := newToy(t, &drm.Driver{})
		f := openAs(t, toy.dev.Primary(), user).File
		const senders, each = 4, 300
		var sending, reading sync.WaitGroup
		for s := range uint64(senders) {
			sending.Go(func() {
				for i := range uint64(each) {
					for {
						size := 16 + 8*rand.IntN(3)
						e, err := f.ReserveEvent(size)
						if err == nil {
							e.Send(event(size, s<<32|i))
							break
						}
						if drm.Errno(err) != unix.ENOMEM {
							t.Errorf("reserving: %v", err)
							return
						}
						runtime.Gosched() // until the readers have made room
					}
				}
			})
		}
		var mu sync.Mutex
		seen := map[uint64]bool{}
		for range 3 {
			reading.Go(func() {
				last := map[uint64]uint64{}
				for {
					buf := make([]byte, rand.IntN(200))
					n, err := f.Read(context.Background(), buf, false)
					if err != nil {
						expectErr(t, "reading", err, unix.ENODEV)
						return
					}
					for ev := buf[:n]; len(ev) > 0; {
						size := binary.NativeEndian.Uint32(ev[4:])
						number := binary.NativeEndian.Uint64(ev[8:])
						ev = ev[size:]
						s, i := number>>32, number&0xffffffff
						if before, ok := last[s]; ok && i <= before {
							t.Errorf("event %d of sender %d after %d", i, s, before)
						}
						last[s] = i
						mu.Lock()
						if seen[number] {
							t.Errorf("event %#x is read twice", number)
						}
						seen[number] = true
						mu.Unlock()
					}
				}
			})
		}
		sending.Wait()
		if err := toy.parent.Remove(context.Background()); err != nil {
			t.Error(err)
		}
		reading.Wait()
		if len(seen) != senders*each {
			t.Errorf("%d events were read, %d sent", len(seen), senders*each)
		}
		if e, err := f.ReserveEvent(drm.EventBudget); err != nil {
			t.Errorf("the budget is not free again: %v", err)
		} else {
			e.Cancel()
		}
	}
}
