package srcu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// waiting is what the waiters of a domain share.
type waiting struct {
	begun atomic.Uint64 // ordinal of the newest grace period that was begun

	// lead holds one token. Who has it is the only one to wait for sections, may flip
	// the index, and guards done. A channel, because waiting for it can be cancelled.
	lead chan struct{}
	done uint64 // ordinal of the newest grace period that was completed

	wake chan struct{} // an exit tells who has the lead to look again
}

func (w *waiting) init() {
	w.wake = make(chan struct{}, 1)
	w.lead = make(chan struct{}, 1)
	w.passLead()
}

// Synchronize waits for a grace period: until every section that was open when it
// was called has ended. Sections that begin later may go on, and the domain does.
// Callers at the same time share grace periods.
//
// An error means that ctx ended first, wraps [context.Cause] of it, and promises
// nothing about the sections.
//
// Preconditions: the caller is in no section of d, which would wait for itself.
//
// Why it holds: a section is counted by one word from its Enter to its Exit, so a
// word that is seen idle after the call holds none from before. New sections could
// keep a word busy for ever, hence the two indexes: first the words of the other
// index, where only enters that read the state before the last flip can still turn
// up; then the flip, which sends new sections there; then the words of the old one.
// Without the first step such a latecomer would be missed.
func (d *Domain) Synchronize(ctx context.Context) error {
	newest := d.begun.Load()
	if d.idle() {
		return nil
	}
	if err := d.takeLead(ctx); err != nil {
		return d.givenUp("Synchronize", err)
	}
	defer d.passLead()
	if d.done > newest {
		return nil // begun after the call, by somebody else, and completed
	}
	ordinal := d.begun.Add(1)
	old := d.state.Load() & stateIndex
	if err := d.await(ctx, old^stateIndex); err != nil {
		return d.givenUp("Synchronize", err)
	}
	d.flip(old)
	if err := d.await(ctx, old); err != nil {
		return d.givenUp("Synchronize", err)
	}
	d.done = ordinal
	return nil
}

// flip sends new sections to the other index than old.
// The caller has the lead.
func (d *Domain) flip(old uint64) {
	if old == 0 {
		d.state.Or(stateIndex)
	} else {
		d.state.And(^uint64(stateIndex))
	}
}

var errNotClosed = errors.New("srcu: Drain refused: the domain is not closed, so sections could begin for ever: call Close first")

// Drain waits until no section of a closed domain is open; none will ever be again.
//
// An error means that it did not come to that: ctx ended first, and the error wraps
// [context.Cause] of it, or the domain is not closed. The domain stays closed, and
// Drain may be called again, also by many goroutines at once.
//
// Preconditions: the caller is in no section of d, which would wait for itself.
func (d *Domain) Drain(ctx context.Context) error {
	if !d.Closed() {
		return errNotClosed
	}
	d.Close() // another goroutine's may not have come to every word yet
	if d.idle() {
		return nil
	}
	if err := d.takeLead(ctx); err != nil {
		return d.givenUp("Drain", err)
	}
	defer d.passLead()
	for index := range uint64(2) {
		if err := d.await(ctx, index); err != nil {
			return d.givenUp("Drain", err)
		}
	}
	return nil
}

// idle reports whether each word was seen idle.
func (d *Domain) idle() bool {
	if d.isPerP() {
		return d.perPIdle()
	}
	for w := range d.all {
		if !idle(atomic.LoadInt64(&w.n)) {
			return false
		}
	}
	return true
}

// spins is how often a waiter looks at a word before it parks: for sections that
// are about to end anyway. It must not yield while it spins: on a busy machine it
// would wait for its turn, not for the section.
const spins = 100

// await waits until each word of the index was seen idle, or for the end of ctx,
// whose cause it returns.
// The caller has the lead.
func (d *Domain) await(ctx context.Context, index uint64) error {
	if d.isPerP() {
		return d.perPAwait(ctx, index)
	}
	for w := range d.under(index) {
		for looks := 1; !idle(atomic.LoadInt64(&w.n)); looks++ {
			if looks < spins {
				continue
			}
			if idle(atomic.OrInt64(&w.n, attention)) {
				break
			}
			select {
			case <-d.wake:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// tellWaiter makes the waiter look again, or the next one look once too often.
func (w *waiting) tellWaiter() {
	select {
	case w.wake <- struct{}{}:
	default: // it is told already
	}
}

// takeLead waits for the lead, or for the end of ctx, whose cause it returns.
func (w *waiting) takeLead(ctx context.Context) error {
	select {
	case <-w.lead:
		return nil
	default:
	}
	select {
	case <-w.lead:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *waiting) passLead() { w.lead <- struct{}{} }

func (d *Domain) givenUp(what string, cause error) error {
	return fmt.Errorf("srcu: %s gave up with %d sections open: %w", what, d.Sections(), cause)
}
