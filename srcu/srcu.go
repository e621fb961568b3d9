package srcu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// A Domain is a set of critical sections that can be waited for, and that can be
// ended for good. Make one with [NewDomain] or [NewShutDomain].
// All methods may be called from any goroutine.
type Domain struct {
	// The hot line: read by every enter, written only by a flip, Open and Close.
	state   atomic.Uint64
	words   unsafe.Pointer // of the first word of the first stripe
	mask    uintptr        // selects a stripe's offset, in bytes
	_       [64 - 3*8]byte
	stripes []stripe

	begun atomic.Uint64 // ordinal of the newest grace period that was begun

	// lead holds one token: its holder is the only waiter of the domain.
	lead chan struct{}
	done uint64        // ordinal of the newest grace period that completed; guarded by lead
	wake chan struct{} // an exit tells the waiter to look again
}

// state:
//
//	2 shut    not opened yet
//	1 closed  for good
//	0 index   which word of a stripe new sections use
const (
	stateIndex  = 1 << 0
	stateClosed = 1 << 1
	stateShut   = 1 << 2
)

// NewDomain returns an open domain.
func NewDomain() *Domain {
	d := NewShutDomain()
	d.Open()
	return d
}

// NewShutDomain returns a domain in which Enter fails until [Domain.Open].
func NewShutDomain() *Domain {
	d := &Domain{
		lead: make(chan struct{}, 1),
		wake: make(chan struct{}, 1),
	}
	d.lead <- struct{}{}
	d.state.Store(stateShut)
	d.makeStripes()
	return d
}

// Open lets sections begin. It has no effect on a domain that is open already,
// or closed.
func (d *Domain) Open() { d.state.And(^uint64(stateShut)) }

// Enter opens a section, or reports false when the domain is shut or closed.
// Sections nest. The section must be left exactly once, with [Section.Exit].
func (d *Domain) Enter() (Section, bool) {
	s := d.state.Load()
	if s > stateIndex {
		return Section{}, false
	}
	return d.word(uintptr(s)).enter()
}

// A Section is an open critical section. It is a value that belongs to its holder.
type Section struct{ w *word }

// Exit ends the section. It may run on another goroutine than Enter did, and
// must run exactly once.
func (s Section) Exit() {
	if v := s.w.n.Add(-1); v < 0 {
		s.w.exited(v)
	}
}

// Synchronize waits until every section that was open when it was called has
// ended; sections that begin later may go on. It returns an error only if ctx
// ends first. Calling it inside a section of d never returns.
func (d *Domain) Synchronize(ctx context.Context) error {
	begun := d.begun.Load()
	if d.idle() {
		return nil
	}
	if err := d.takeLead(ctx, "synchronize"); err != nil {
		return err
	}
	defer d.leaveLead()
	if d.done > begun {
		return nil // one that was begun after our call has completed
	}
	ordinal := d.begun.Add(1)
	index := d.state.Load() & stateIndex
	if err := d.await(ctx, "synchronize", index^stateIndex); err != nil {
		return err
	}
	if index == 0 {
		d.state.Or(stateIndex)
	} else {
		d.state.And(^uint64(stateIndex))
	}
	if err := d.await(ctx, "synchronize", index); err != nil {
		return err
	}
	d.done = ordinal
	return nil
}

// Close stops entry for good: when it returns, every later Enter fails.
// It does not wait for open sections; [Domain.Drain] does.
func (d *Domain) Close() {
	d.state.Or(stateClosed)
	for i := range d.stripes {
		for j := range d.stripes[i].index {
			d.stripes[i].index[j].n.Or(closed | attention)
		}
	}
}

var errNotClosed = errors.New("srcu: drain of a domain that is not closed: sections could begin for ever; call Close first")

// Drain waits until every section of a closed domain has ended. When ctx ends
// first it returns an error and the domain stays closed; Drain may be called
// again, also by many goroutines at once. Calling it inside a section of d never
// returns.
func (d *Domain) Drain(ctx context.Context) error {
	if !d.Closed() {
		return errNotClosed
	}
	d.Close() // another Close may not have come to every word yet
	if d.idle() {
		return nil
	}
	if err := d.takeLead(ctx, "drain"); err != nil {
		return err
	}
	defer d.leaveLead()
	for index := range uint64(2) {
		if err := d.await(ctx, "drain", index); err != nil {
			return err
		}
	}
	return nil
}

// Closed reports whether Close was called.
func (d *Domain) Closed() bool { return d.state.Load()&stateClosed != 0 }

// Sections returns the number of open sections, for reports: others begin and
// end while it counts.
func (d *Domain) Sections() int {
	n := int64(0)
	for i := range d.stripes {
		for j := range d.stripes[i].index {
			if v := d.stripes[i].index[j].n.Load(); !idle(v) {
				n += v & count
			}
		}
	}
	return int(n)
}

func (d *Domain) idle() bool {
	for i := range d.stripes {
		for j := range d.stripes[i].index {
			if !idle(d.stripes[i].index[j].n.Load()) {
				return false
			}
		}
	}
	return true
}

// spins is how often a waiter looks at a word before it parks.
const spins = 100

// await waits until each word of the index was seen idle.
// The caller holds lead.
func (d *Domain) await(ctx context.Context, what string, index uint64) error {
	for i := range d.stripes {
		w := &d.stripes[i].index[index]
		for n := 0; !idle(w.n.Load()); n++ {
			if n < spins {
				continue
			}
			if idle(w.n.Or(attention)) {
				break
			}
			select {
			case <-d.wake:
			case <-ctx.Done():
				return d.givenUp(ctx, what)
			}
		}
	}
	return nil
}

func (d *Domain) takeLead(ctx context.Context, what string) error {
	select {
	case <-d.lead:
		return nil
	case <-ctx.Done():
		return d.givenUp(ctx, what)
	}
}

func (d *Domain) leaveLead() { d.lead <- struct{}{} }

func (d *Domain) wakeWaiter() {
	select {
	case d.wake <- struct{}{}:
	default: // told already
	}
}

func (d *Domain) givenUp(ctx context.Context, what string) error {
	return fmt.Errorf("srcu: %s given up with %d sections open: %w", what, d.Sections(), context.Cause(ctx))
}
