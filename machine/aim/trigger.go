package aim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
)

// A Trigger is a rule that is aimed at a machine. All methods may be called
// concurrently.
type Trigger struct {
	rule    *Rule
	machine *machine.Machine
	card    *machine.Card // of the filter card=; nil: every card
	log     *slog.Logger
	detach  func()

	seen atomic.Uint64 // events that the filters let pass

	mu      sync.Mutex
	closed  bool
	fired   int
	times   []time.Time   // of the first times that it fired
	running int           // actions that have begun and not ended
	errs    []error       // of the first actions that failed
	more    int           // actions that failed after these
	changed chan struct{} // closed and replaced when any of the above changes
}

// Attach aims a rule at a machine. It fails if the rule names a card, connector
// or CRTC that does not exist. The logger hears when the rule fires, at level
// Info, and when its action fails, at level Error; nil discards both.
//
// Triggers that are aimed at the same event fire in the order of Attach.
func Attach(m *machine.Machine, rule *Rule, logger *slog.Logger) (*Trigger, error) {
	if err := rule.Check(m); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	t := &Trigger{rule: rule, machine: m, log: logger, changed: make(chan struct{})}
	if rule.Card != "" {
		t.card, _ = m.Card(rule.Card) // Check has checked it
	}
	if rule.Event.kind == kindStart {
		t.detach = m.BeforeStart(t.start)
	} else {
		t.detach = m.Class().Trace((*tracer)(t))
	}
	return t, nil
}

// Rule returns the rule of the trigger.
func (t *Trigger) Rule() *Rule { return t.rule }

// Fired returns how often the rule has fired.
func (t *Trigger) Fired() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fired
}

// Err returns the errors of the actions that have ended.
func (t *Trigger) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err()
}

// maxErrors is the number of errors that a trigger keeps. A rule can fire at each
// request of a program, and fail each time.
const maxErrors = 100

// err returns the errors of the actions that have ended. The caller holds mu.
func (t *Trigger) err() error {
	err := errors.Join(t.errs...)
	if t.more > 0 {
		err = fmt.Errorf("%w\nand %d more of its actions failed", err, t.more)
	}
	return err
}

// maxTimes is the number of times that Times returns at most.
const maxTimes = 1000

// Times returns when the rule has fired, for the first 1000 times.
func (t *Trigger) Times() []time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.times)
}

// Wait waits until the rule has fired, and the actions that it began are done.
// It returns the errors of the actions.
func (t *Trigger) Wait(ctx context.Context) error {
	for {
		t.mu.Lock()
		done, err, changed := t.fired > 0 && t.running == 0, t.err(), t.changed
		t.mu.Unlock()
		if done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %v: %w, and %w", t.rule, t.notFired(), context.Cause(ctx))
		}
	}
}

// ErrNotFired says that a rule has not fired.
var ErrNotFired = errors.New("it has not fired")

func (t *Trigger) notFired() error {
	if t.Fired() > 0 {
		return errors.New("its action is not done")
	}
	if n := t.seen.Load(); n > 0 {
		return fmt.Errorf("%w: it has seen %d of its events", ErrNotFired, n)
	}
	return fmt.Errorf("%w: its event has not happened", ErrNotFired)
}

// Close detaches the rule, and waits for the actions that it began. It returns
// their errors, or [ErrNotFired] if the rule never fired.
func (t *Trigger) Close() error {
	t.detach()
	for {
		t.mu.Lock()
		t.closed = true
		running, fired, err, changed := t.running, t.fired, t.err(), t.changed
		t.mu.Unlock()
		switch {
		case running > 0:
			<-changed
		case fired == 0:
			return t.notFired()
		default:
			return err
		}
	}
}

// change changes the fields that mu protects.
func (t *Trigger) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
	close(t.changed)
	t.changed = make(chan struct{})
}

// count counts an event, and reports whether the rule fires at it. Each true
// is followed by one call of ended.
//
// Why the count is exact: each event adds one to seen, atomically, and gets a
// number of its own.
func (t *Trigger) count() (n uint64, fires bool) {
	n = t.seen.Add(1)
	if !t.rule.When.matches(n) {
		return n, false
	}
	t.change(func() {
		if fires = !t.closed; fires {
			t.fired++
			if len(t.times) < maxTimes {
				t.times = append(t.times, time.Now())
			}
			t.running++
		}
	})
	return n, fires
}

func (t *Trigger) ended(err error) {
	if err != nil {
		t.log.Error(fmt.Sprintf("%v: %v", t.rule, err))
	}
	t.change(func() {
		t.running--
		switch {
		case err == nil:
		case len(t.errs) < maxErrors:
			t.errs = append(t.errs, err)
		default:
			t.more++
		}
	})
}

// act does what the rule does besides delays and errors.
func (t *Trigger) act(own *machine.Card) error {
	var errs []error
	begin := time.Now()
	if t.rule.Action != nil {
		errs = append(errs, t.rule.Action.Do(context.Background(), t.machine, own))
	}
	if t.rule.Func != nil {
		errs = append(errs, t.rule.Func(context.Background()))
	}
	err := errors.Join(errs...)
	if err == nil && len(errs) > 0 {
		t.log.Info(fmt.Sprintf("%v: done in %v", t.rule, time.Since(begin).Round(time.Microsecond)))
	}
	return err
}

// start is called before a program starts.
func (t *Trigger) start(program string) {
	n, fires := t.count()
	if !fires {
		return
	}
	t.log.Info(fmt.Sprintf("%v: fired at start %d, of %s", t.rule, n, program))
	time.Sleep(t.rule.Delay)
	t.ended(t.act(nil))
}

// A tracer is a trigger as a [drm.Tracer].
type tracer Trigger

// Begin implements [drm.Tracer].
func (t *tracer) Begin(c *drm.Call) func(drm.Point) {
	r := t.rule
	if !r.matches(c, t.card) {
		return nil
	}
	if r.Point == Before {
		(*Trigger)(t).call(c)
		return nil
	}
	if r.Succeed {
		fired := false
		return func(p drm.Point) {
			switch {
			case p == drm.PointGuarded:
				fired = (*Trigger)(t).call(c)
			case p == drm.PointHandled && fired:
				c.Err = nil
			}
		}
	}
	point := map[Point]drm.Point{Entered: drm.PointGuarded, Handled: drm.PointHandled, After: drm.PointDone}[r.Point]
	return func(p drm.Point) {
		if p == point {
			(*Trigger)(t).call(c)
		}
	}
}

// Event implements [drm.Tracer]. As its caller holds locks, all that takes time
// is left to another goroutine.
func (t *tracer) Event(e *drm.TraceEvent) {
	r := t.rule
	kind := r.Event.device
	if r.Lost && r.Event.frame() {
		kind = drm.EventFlip
	}
	if r.Event.kind != kindDevice || e.Kind != kind || r.CRTC != 0 && e.CRTC != r.CRTC || t.card != nil && !t.card.Owns(e.Device) {
		return
	}
	if e.File != nil && !r.isProgram(e.File.Client()) {
		return
	}
	n, fires := (*Trigger)(t).count()
	if !fires {
		return
	}
	where := fmt.Sprintf("on CRTC %d of %s", e.CRTC, e.Device.Name())
	var pid int
	if e.File != nil {
		pid, where = e.File.Client().PID, fmt.Sprintf("for %s (%d)", e.File.Client().Comm, e.File.Client().PID)
	}
	err := r.change(e)
	dev := e.Device
	go func() {
		t := (*Trigger)(t)
		t.log.Info(fmt.Sprintf("%v: fired at %s %d, %s", t.rule, t.rule.Event.name, n, where))
		if r.Signal != 0 {
			err = errors.Join(err, r.signal(pid))
		}
		t.ended(errors.Join(err, t.act(t.machine.CardOf(dev))))
	}()
}

// change changes an event that is about to be sent. It returns an error if the
// event is as it would be without the rule.
func (r *Rule) change(e *drm.TraceEvent) error {
	switch {
	case r.Lost:
		e.Copies = 0
	case r.Doubled:
		e.Copies *= 2
	}
	e.Delay += r.Delay
	switch {
	case r.Short == 0:
	case r.Short >= len(e.Data):
		return fmt.Errorf("the event has only %d bytes", len(e.Data))
	default:
		e.Data = e.Data[:r.Short]
	}
	return nil
}

// signal sends the signal of the rule.
func (r *Rule) signal(pid int) error {
	if err := unix.Kill(pid, r.Signal); err != nil {
		return fmt.Errorf("sending %s to process %d: %w", unix.SignalName(r.Signal), pid, err)
	}
	return nil
}

// call is called at the point of a call that matches the rule, and reports
// whether the rule fires.
func (t *Trigger) call(c *drm.Call) (fires bool) {
	n, fires := t.count()
	if !fires {
		return false
	}
	client := clientOf(c)
	t.log.Info(fmt.Sprintf("%v: fired at %s %d, of %s (%d)", t.rule, t.rule.Event.name, n, client.Comm, client.PID))
	if t.rule.Delay > 0 {
		timer := time.NewTimer(t.rule.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.Context.Done():
		}
	}
	var err error
	if t.rule.Signal != 0 {
		err = t.rule.signal(client.PID)
	}
	t.await(c, err)
	switch {
	case t.rule.Error != 0:
		c.Err = fmt.Errorf("aim: injected by %q: %w", t.rule.text, t.rule.Error)
	case t.rule.Succeed:
		c.Err = errNotHandled
	}
	return true
}

// errNotHandled keeps a request from its handler, until retval=0 lets it
// succeed.
var errNotHandled = errors.New("aim: not handled because of retval=0")

// await acts, and waits for it as the package comment says. err is the error of
// what came before.
func (t *Trigger) await(c *drm.Call, err error) {
	if t.rule.Action == nil && t.rule.Func == nil {
		t.ended(err)
		return
	}
	var own *machine.Card
	var unplug <-chan struct{} // nil: wait until all is done
	if c.Minor != nil {
		own = t.machine.CardOf(c.Minor.Device())
		if t.rule.Point == Entered || t.rule.Point == Handled || t.rule.Event.late() {
			unplug = unplugOf(c.Minor.Device())
		}
	}
	done := make(chan struct{})
	go func() {
		t.ended(errors.Join(err, t.act(own)))
		close(done)
	}()
	select {
	case <-done:
	case <-unplug:
	case <-c.Context.Done():
	}
}

// unplugOf returns a channel that is closed as soon as an unplug of the device
// has begun.
func unplugOf(dev *drm.Device) <-chan struct{} {
	begun := make(chan struct{})
	close(begun)
	unplug := (<-chan struct{})(begun)
	_ = dev.WithGuard(func(dev *drm.RegisteredDevice) error { // fails if an unplug has begun
		unplug = dev.Context().Done()
		return nil
	})
	return unplug
}
