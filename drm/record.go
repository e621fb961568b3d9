package drm

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/udrm/udrm/srcu"
)

// An OpenGuard is a guard that is open, as reports of a slow unplug show it.
type OpenGuard struct {
	What   string    // the request ("MODE_PAGE_FLIP", "read", "close"), or "guard" when a driver took it
	Client Client    // the process that opened the file of the request, if any
	Since  time.Time // when it was taken
	Stack  string    // what took it, when guards are checked; see [ClassOptions]
}

// A purpose says what a guard is taken for.
type purpose struct {
	what string // or "", for an ioctl
	cmd  uint32 // the ioctl
	file *File  // the file of the request, or nil
}

// name returns the name of the request.
func (p purpose) name() string {
	if p.what != "" {
		return p.what
	}
	return ioctlName(p.cmd)
}

// client returns the process that opened the file of the request, if any. The one
// that sent it can be another, but asking for that takes system calls.
func (p purpose) client() Client {
	if p.file == nil {
		return Client{}
	}
	return p.file.client
}

// A record is an open guard with a known purpose: those of requests always, the
// others when guards are checked.
type record struct {
	purpose
	since   time.Duration // since the device was made
	section srcu.Section
	check   *check // when guards are checked

	in         *records
	prev, next *record // guarded by in.mu
}

// records are open guards, oldest first. The requests of a file are in a list
// of that file, so that requests of different files share no lock.
type records struct {
	mu          sync.Mutex
	first, last *record
	free        *record // exited ones, to be used again; linked by next
}

// enter takes a guard of d, records it in l, and returns its view.
func (l *records) enter(d *Device, p purpose) (*record, *RegisteredDevice, error) {
	section, ok := d.gate.Enter()
	if !ok {
		return nil, nil, d.refused()
	}
	view := &d.registered
	var c *check
	if d.checked {
		c = newCheck()
		view = &RegisteredDevice{Device: d, parent: view.parent, data: view.data, ctx: view.ctx, check: c}
	}
	since := time.Since(d.made)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.free
	if r != nil {
		l.free = r.next
	} else {
		r = new(record)
	}
	// Field by field: while the garbage collector runs, that is much faster.
	r.what, r.cmd, r.file = p.what, p.cmd, p.file
	r.since, r.section, r.check = since, section, c
	r.in, r.prev, r.next = l, l.last, nil
	if l.last != nil {
		l.last.next = r
	} else {
		l.first = r
	}
	l.last = r
	return r, view, nil
}

// exit ends the record and leaves the section. When guards are checked it
// panics if the guard was exited before, which the guard itself cannot see once
// it was copied.
func (r *record) exit() {
	if r.check != nil && r.check.exited.Swap(true) {
		panic("drm: second Exit of a registration guard, through a copy" + r.check.takenAt())
	}
	section := r.section
	r.in.remove(r)
	section.Exit()
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
	if r.check == nil { // else copies of the guard may still refer to r
		r.file = nil
		r.prev, r.next, l.free = nil, l.free, r
	}
}

// all calls yield for each record until it reports false, which all reports.
func (l *records) all(yield func(*record) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := l.first; r != nil; r = r.next {
		if !yield(r) {
			return false
		}
	}
	return true
}

// allRecords yields the records of the device and of its files, list by list.
// yield must not enter or exit a guard.
func (d *Device) allRecords(yield func(*record) bool) {
	lists := []*records{&d.records}
	d.fileMu.Lock()
	for f := range d.files {
		lists = append(lists, &f.records)
	}
	d.fileMu.Unlock()
	for _, l := range lists {
		if !l.all(yield) {
			return
		}
	}
}

// OpenGuards returns the guards that are open at this moment, oldest first, as
// far as they are known by name: those of requests always, those that a driver
// takes itself when guards are checked. [Device.Guards] counts all.
func (d *Device) OpenGuards() (open []OpenGuard) {
	for r := range d.allRecords {
		g := OpenGuard{What: r.name(), Client: r.client(), Since: d.made.Add(r.since)}
		if r.check != nil {
			g.Stack = formatStack(r.check.stack)
		}
		open = append(open, g)
	}
	slices.SortStableFunc(open, func(a, b OpenGuard) int { return a.Since.Compare(b.Since) })
	return open
}

// holds reports whether the calling goroutine has an open guard of the device.
// It knows only when guards are checked.
func (d *Device) holds() bool {
	if !d.checked {
		return false
	}
	self := goroutineID()
	for r := range d.allRecords {
		if r.check.goroutine == self {
			return true
		}
	}
	return false
}

// A check is what is known of a guard whose use is checked.
type check struct {
	goroutine string
	stack     []uintptr // what took it
	exited    atomic.Bool
}

// newCheck notes where a guard is taken: two calls further up.
func newCheck() *check {
	pcs := make([]uintptr, 32)
	return &check{goroutine: goroutineID(), stack: pcs[:runtime.Callers(3, pcs)]}
}

func (c *check) takenAt() string {
	return "\nthe guard was taken by goroutine " + c.goroutine + " at:\n" + formatStack(c.stack)
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
// its stack trace ("goroutine 17 …"). It takes a microsecond or two.
func goroutineID() string {
	var head [64]byte
	fields := strings.Fields(string(head[:runtime.Stack(head[:], false)]))
	return fields[1]
}
