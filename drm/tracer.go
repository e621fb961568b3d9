package drm

import (
	"context"
	"slices"
	"time"
)

// A Tracer observes the calls of clients into the devices of a class, and may
// change them: tracepoints and fault injection in one place. [Class.Trace]
// attaches it. Its methods are called by many goroutines at once.
type Tracer interface {
	// Begin is called at the start of a call, before its guard. It returns
	// a function for the later points, or nil. The function runs in the
	// goroutine of the call, once for each point that the call reaches.
	Begin(c *Call) (at func(Point))

	// Event reports something that no client called for. The caller holds
	// locks: Event must not block, nor use the device.
	Event(e *TraceEvent)
}

// A Point is a moment of a [Call].
//
// A tracer that sets Call.Err in Begin or at PointGuarded refuses the call: its
// handler does not run. At PointHandled it replaces the outcome. A tracer may
// also wait at a point; it should then give up when Call.Context ends.
type Point int

const (
	PointGuarded Point = iota // inside the guard, before the handler
	PointHandled              // inside the guard, after the handler
	PointDone                 // after the guard, and after the answer is in client memory
)

// An Op is the kind of a call.
type Op int

const (
	OpIoctl Op = iota
	OpOpen
	OpClose // has no points but PointDone, and cannot be refused
	OpMmap
	OpRead // has no points but PointDone; a client with an [EventSink] does not call it
)

func (o Op) String() string {
	return [...]string{"ioctl", "open", "close", "mmap", "read"}[o]
}

// A Call is one call of a client into a device, as a [Tracer] sees it. It must
// not be used after PointDone.
type Call struct {
	Op      Op
	Context context.Context // ends when the calling thread is interrupted
	Minor   *Minor          // nil for a sync file or dma-buf, which belong to no device
	File    *File           // likewise; of an open: the new file, not usable before PointDone

	// Of an ioctl.
	Caller   Caller
	Memory   Memory // of the caller: a copy inside the guard holds up no unplug
	Cmd      uint32
	Addr     uint64 // the argument as the client passed it
	Argument []byte // copied in, and zero-extended; nil before PointGuarded, or without a Minor

	Flags          int    // of an open
	Offset, Length uint64 // of a mmap
	N              int    // bytes that a read returned

	// Err is the outcome: it wraps an errno and says why. See [Point] for
	// who may set it.
	Err error

	// Begun, Entered and Exited are the times of Begin, and of entering and
	// leaving the guard; the latter are zero if the device is unplugged.
	Begun, Entered, Exited time.Time

	class *Class // nil if Minor says it
	at    []func(Point)
}

// A TraceEvent is something that happens on a device.
type TraceEvent struct {
	Kind   EventKind
	Device *Device
	Time   time.Time

	CRTC     uint32 // id, of EventVblank, EventFlip and EventFrame
	Sequence uint64 // likewise: the vblank counter

	File *File  // of EventSent
	Data []byte // of EventSent: struct drm_event; valid during the call only

	// A tracer may set these of EventSent, and may shorten Data. Of EventFlip,
	// it may set Copies to 0: the commit is never shown.
	Copies int           // how often the event is delivered; 1, unless set
	Delay  time.Duration // the event is delivered this much later
}

// An EventKind is the kind of a [TraceEvent].
type EventKind int

const (
	EventRegistered EventKind = iota // the device is live
	EventUnplug                      // an unplug has begun: guards are refused, and contexts have ended
	EventDrained                     // the last guard has exited
	EventUnplugged                   // the unplug is complete
	EventVblank                      // a vblank that a client or commit waits for
	EventFrame                       // a commit is on the screen
	EventSent                        // an event for a client
	EventFlip                        // a vblank is about to put a commit on the screen
)

func (k EventKind) String() string {
	return [...]string{"registered", "unplug", "drained", "unplugged", "vblank", "frame", "event", "flip"}[k]
}

// Trace attaches t to all devices of the class, present and future. detach
// removes it; calls that have begun still reach their later points.
func (c *Class) Trace(t Tracer) (detach func()) {
	entry := &t
	c.changeTracers(func(list []*Tracer) []*Tracer { return append(list, entry) })
	return func() {
		c.changeTracers(func(list []*Tracer) []*Tracer {
			return slices.DeleteFunc(list, func(e *Tracer) bool { return e == entry })
		})
	}
}

func (c *Class) changeTracers(change func([]*Tracer) []*Tracer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*Tracer
	if old := c.tracers.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = change(list); len(list) == 0 {
		c.tracers.Store(nil)
		return
	}
	c.tracers.Store(&list)
}

// Ioctl serves a request on a [ClientFile] or dma-buf, and shows it to the
// tracers of the class: at Begin and PointDone, since no guard is involved. A
// [File] does so itself.
func (c *Class) Ioctl(ctx context.Context, f interface {
	Ioctl(ctx context.Context, caller Caller, cmd uint32, arg uint64) error
}, caller Caller, cmd uint32, arg uint64) error {
	if _, ok := f.(*File); ok || c.tracers.Load() == nil {
		return f.Ioctl(ctx, caller, cmd, arg)
	}
	call := &Call{Op: OpIoctl, Context: ctx, Caller: caller, Memory: caller, Cmd: cmd, Addr: arg, class: c}
	return call.run(func() error { return f.Ioctl(ctx, caller, cmd, arg) })
}

// traced reports whether a tracer is attached. This is all that an untraced
// call costs.
func (d *Device) traced() bool { return d.class.tracers.Load() != nil }

// The methods of a nil *Call, of a call that is not traced, do nothing.

// run runs a traced call: do is the call, with its guard.
func (c *Call) run(do func() error) error {
	err := c.begin()
	if err == nil {
		err = do()
	}
	return c.done(err)
}

// begin calls the tracers' Begin and returns the error of a tracer that refuses
// the call. Even then, done must follow.
func (c *Call) begin() error {
	class := c.class
	if class == nil {
		class = c.Minor.dev.class
	}
	list := class.tracers.Load()
	if list == nil {
		return nil // detached in the meantime
	}
	c.Begun = time.Now()
	for _, t := range *list {
		if at := (*t).Begin(c); at != nil {
			c.at = append(c.at, at)
		}
	}
	return c.Err
}

func (c *Call) reach(p Point) {
	for _, at := range c.at {
		at(p)
	}
}

// entered notes that the call is inside its guard.
func (c *Call) entered() {
	if c != nil {
		c.Entered = time.Now()
	}
}

// guarded is called before the handler. An error refuses the call.
func (c *Call) guarded(arg []uint64) error {
	if c == nil {
		return nil
	}
	c.Argument = asBytes(arg)
	c.reach(PointGuarded)
	return c.Err
}

// handled is called after the handler, with its error or that of guarded. It
// returns the outcome.
func (c *Call) handled(err error) error {
	if c == nil {
		return err
	}
	c.Err = err
	c.reach(PointHandled)
	return c.Err
}

// done ends the call with the error err, and returns it.
func (c *Call) done(err error) error {
	if !c.Entered.IsZero() {
		c.Exited = time.Now()
	}
	c.Err = err
	c.reach(PointDone)
	return err
}

// Tracepoint reports an event to the tracers of the device. It returns the event
// as they have changed it.
func (d *Device) Tracepoint(e TraceEvent) TraceEvent {
	d.tracepoint(&e)
	return e
}

func (d *Device) tracepoint(e *TraceEvent) {
	list := d.class.tracers.Load()
	if list == nil {
		return
	}
	e.Device, e.Time = d, time.Now()
	for _, t := range *list {
		(*t).Event(e)
	}
}
