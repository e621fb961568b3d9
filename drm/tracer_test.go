package drm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// A script is a tracer that writes down the points of calls. change, if not
// nil, runs at each of them; in Begin with the point -1.
type script struct {
	log    *logbook
	change func(c *drm.Call, p drm.Point)
	event  func(e *drm.TraceEvent) // or nil
}

func (s *script) Begin(c *drm.Call) func(drm.Point) {
	s.point(c, -1)
	return func(p drm.Point) { s.point(c, p) }
}

func (s *script) point(c *drm.Call, p drm.Point) {
	if s.change != nil {
		s.change(c, p)
	}
	names := map[drm.Point]string{-1: "begin", drm.PointGuarded: "guarded", drm.PointHandled: "handled", drm.PointDone: "done"}
	words := []string{c.Op.String(), names[p], fmt.Sprint(c.Minor.Device().Guards())}
	if c.Err != nil {
		words = append(words, drm.Errno(c.Err).Error())
	}
	s.log.write(words...)
}

func (s *script) Event(e *drm.TraceEvent) {
	if s.event != nil {
		s.event(e)
	}
	s.log.write(e.Kind.String())
}

func TestTracerPoints(t *testing.T) {
	l := &logbook{}
	handler := func(*drm.RegisteredDevice, *drm.Request) error { l.write("handler"); return nil }
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(0, 0, handler)}})
	c := openAs(t, toy.dev.Primary(), user)

	s := &script{log: l}
	detach := toy.class.Trace(s)
	expectErr(t, "a traced request", call(c, 0), 0)
	l.expect(t, "ioctl begin 0", "ioctl guarded 1", "handler", "ioctl handled 1", "ioctl done 0")
	expectErr(t, "an unknown request", call(c, 1), unix.EINVAL)
	l.expect(t, "ioctl begin 0", "ioctl done 0 invalid argument")
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "unplug", "drained", "unplugged")
	expectErr(t, "a request after the unplug", call(c, 0), unix.ENODEV)
	l.expect(t, "ioctl begin 0", "ioctl done 0 no such device")
	detach()
	expectErr(t, "an untraced request", call(c, 0), unix.ENODEV)
	l.expect(t)
}

// TestTracerChanges refuses a request at each point, and lets a failed one
// succeed.
func TestTracerChanges(t *testing.T) {
	var fail error
	l := &logbook{}
	handler := func(*drm.RegisteredDevice, *drm.Request) error { l.write("handler"); return fail }
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(0, 0, handler)}})
	c := openAs(t, toy.dev.Primary(), user)
	for _, tc := range []struct {
		at       drm.Point
		err      error
		want     unix.Errno
		handlers int
	}{
		{-1, unix.ENOMEM, unix.ENOMEM, 0},
		{drm.PointGuarded, unix.EINTR, unix.EINTR, 0},
		{drm.PointHandled, unix.ENOSPC, unix.ENOSPC, 1},
	} {
		detach := toy.class.Trace(&script{log: &logbook{}, change: func(c *drm.Call, p drm.Point) {
			if p == tc.at {
				c.Err = tc.err
			}
		}})
		expectErr(t, fmt.Sprintf("refused at point %d", tc.at), call(c, 0), tc.want)
		if n := len(l.take()); n != tc.handlers {
			t.Errorf("refused at point %d: the handler ran %d times, want %d", tc.at, n, tc.handlers)
		}
		detach()
	}
	fail = unix.EIO
	defer toy.class.Trace(&script{log: &logbook{}, change: func(c *drm.Call, p drm.Point) {
		if p == drm.PointHandled {
			c.Err = nil
		}
	}})()
	expectErr(t, "a failed request, made to succeed", call(c, 0), 0)
}

// TestTracerRefusesOpen lets an open fail after it has succeeded: nothing of
// the file may be left.
func TestTracerRefusesOpen(t *testing.T) {
	drmtest.NoLeaks(t)
	released := 0
	toy := newToy(t, &drm.Driver{}, &part{release: func(*drm.RegisteredDevice, *drm.File) { released++ }})
	s := &script{log: &logbook{}}
	defer toy.class.Trace(s)()
	s.change = func(c *drm.Call, p drm.Point) {
		if c.Op == drm.OpOpen && p == drm.PointHandled {
			c.Err = unix.EMFILE
		}
	}
	_, err := drmtest.OpenAs(toy.dev.Primary(), user)
	expectErr(t, "a refused open", err, unix.EMFILE)
	if released != 1 {
		t.Errorf("the file was released %d times, want once", released)
	}
	s.log.expect(t, "open begin 0", "open guarded 1", "open handled 1 too many open files",
		"close begin 0", "close done 0", "open done 0 too many open files")
}

// TestTracerUnplugs unplugs the device at each point of a request, and waits
// for the end or, inside the guard, for the beginning of the unplug.
func TestTracerUnplugs(t *testing.T) {
	for _, tc := range []struct {
		at   drm.Point
		want unix.Errno
	}{{-1, unix.ENODEV}, {drm.PointGuarded, unix.EINTR}, {drm.PointHandled, 0}, {drm.PointDone, 0}} {
		toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(0, 0, func(dev *drm.RegisteredDevice, _ *drm.Request) error {
			if dev.Context().Err() != nil {
				return unix.EINTR
			}
			return nil
		})}})
		c := openAs(t, toy.dev.Primary(), user)
		begun, ended := make(chan struct{}), make(chan error, 1)
		s := &script{log: &logbook{}, event: func(e *drm.TraceEvent) {
			if e.Kind == drm.EventUnplug {
				close(begun)
			}
		}}
		s.change = func(c *drm.Call, p drm.Point) {
			if c.Op != drm.OpIoctl || p != tc.at {
				return
			}
			unplug := toy.reg.CloseLater()
			if p == drm.PointGuarded || p == drm.PointHandled {
				<-begun
				go func() { ended <- <-unplug }()
				return
			}
			ended <- <-unplug
		}
		detach := toy.class.Trace(s)
		expectErr(t, fmt.Sprintf("unplugged at point %d", tc.at), call(c, 0), tc.want)
		if err := <-ended; err != nil {
			t.Errorf("unplugged at point %d: %v", tc.at, err)
		}
		detach()
	}
}

// TestTracers attaches two tracers; both see every call, in order.
func TestTracers(t *testing.T) {
	toy := newToy(t, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { return nil })}})
	c := openAs(t, toy.dev.Primary(), user)
	first, second := &logbook{}, &logbook{}
	detachFirst := toy.class.Trace(&script{log: first})
	detachSecond := toy.class.Trace(&script{log: second})
	expectErr(t, "a request", call(c, 0), 0)
	detachFirst()
	expectErr(t, "a request", call(c, 0), 0)
	detachSecond()
	if a, b := first.take(), second.take(); len(a) != 4 || !slices.Equal(b, slices.Concat(a, a)) {
		t.Errorf("the first tracer saw %q, the second %q", a, b)
	}
}

func BenchmarkTracedIoctl(b *testing.B) {
	toy := newToy(b, &drm.Driver{Ioctls: []drm.Ioctl{toyIoctl(0, 0, func(*drm.RegisteredDevice, *drm.Request) error { return nil })}})
	c := openAs(b, toy.dev.Primary(), user)
	run := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := call(c, 0); err != nil {
				b.Fatal(errors.Unwrap(err))
			}
		}
	}
	b.Run("off", run)
	defer toy.class.Trace(nothing{})()
	b.Run("on", run)
}

// nothing is a tracer that is not interested.
type nothing struct{}

func (nothing) Begin(*drm.Call) func(drm.Point) { return nil }
func (nothing) Event(*drm.TraceEvent)           {}
