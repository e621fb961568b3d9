package drm

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/udrm/udrm/srcu"
)

// An OpenGuard is a guard that is open, as reports of a slow unplug show it.
type OpenGuard struct {
	What   string    // the request ("MODE_PAGE_FLIP", "read", "close"), or "guard" when a driver took it
	Client Client    // who sent the request; zero when there is none
	Since  time.Time // when it was taken
	Stack  string    // what took it, when guards are checked; see [ClassOptions]
}

// A record is an open guard that is known by name: those of requests always,
// the others when guards are checked.
type record struct {
	what   string
	client Client
	since  time.Time

	section srcu.Section // that the guard's own one stands in for

	// When guards are checked.
	checked   bool
	goroutine string
	stack     []uintptr
	exited    atomic.Bool

	in         *records
	prev, next *record // guarded by in.mu
}

// records are the known open guards of a device, oldest first.
type records struct {
	mu          sync.Mutex
	first, last *record
}

func (l *records) add(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.in, r.prev = l, l.last
	if l.last != nil {
		l.last.next = r
	} else {
		l.first = r
	}
	l.last = r
}

// exit ends the record and leaves the section. It panics when the guard was
// exited before, which the guard itself cannot see once it was copied.
func (r *record) exit() {
	if r.exited.Swap(true) {
		panic("drm: second Exit of a registration guard, by way of a copy" + r.takenAt())
	}
	r.in.remove(r)
	r.section.Exit()
}

func (l *records) remove(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		l.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		l.last = r.prev
	}
}

// check notes where a guard was taken.
func (r *record) check() {
	r.checked = true
	r.goroutine = goroutineID()
	pcs := make([]uintptr, 32)
	r.stack = pcs[:runtime.Callers(3, pcs)]
}

func (r *record) takenAt() string {
	if !r.checked {
		return ""
	}
	return "\nthe guard was taken by goroutine " + r.goroutine + " at:\n" + formatStack(r.stack)
}

func (r *record) open() OpenGuard {
	g := OpenGuard{What: r.what, Client: r.client, Since: r.since}
	if r.checked {
		g.Stack = formatStack(r.stack)
	}
	return g
}

// OpenGuards returns the guards that are open at this moment, oldest first, as
// far as they are known by name: those of requests always, those that a
// driver takes by itself when guards are checked. [Device.Guards] counts all.
func (d *Device) OpenGuards() []OpenGuard {
	d.records.mu.Lock()
	defer d.records.mu.Unlock()
	var open []OpenGuard
	for r := d.records.first; r != nil; r = r.next {
		open = append(open, r.open())
	}
	return open
}

// holds reports whether the calling goroutine has an open guard of the device.
// It knows only when guards are checked.
func (d *Device) holds() bool {
	if !d.checked {
		return false
	}
	self := goroutineID()
	d.records.mu.Lock()
	defer d.records.mu.Unlock()
	for r := d.records.first; r != nil; r = r.next {
		if r.goroutine == self {
			return true
		}
	}
	return false
}

func formatStack(pcs []uintptr) string {
	var b strings.Builder
	frames := runtime.CallersFrames(pcs)
	for more := len(pcs) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

// goroutineID returns the number of the calling goroutine, from the head of
// its stack trace ("goroutine 17 [running]:"). It takes a microsecond or two.
func goroutineID() string {
	var head [64]byte
	fields := strings.Fields(string(head[:runtime.Stack(head[:], false)]))
	return fields[1]
}
