package srcu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// waiting is the state that the waiters of a domain share.
type waiting struct {
	begun atomic.Uint64 // ordinal of the newest grace period that was begun

	// gpMutex is a mutex, held to wait for sections and to flip the index. It
	// is a channel with one token, because waiting for it can be cancelled.
	gpMutex chan struct{}
	done    uint64 // ordinal of the newest complete grace period; guarded by gpMutex

	wake chan struct{} // wakes the holder of gpMutex
}

func (w *waiting) init() {
	w.wake = make(chan struct{}, 1)
	w.gpMutex = make(chan struct{}, 1)
	w.unlock()
}

// Synchronize waits for a grace period: until every section that was open at
// the call has ended. Sections that begin later may go on. Concurrent callers
// share grace periods.
//
// Synchronize fails only if ctx ends first. The error wraps [context.Cause] of
// ctx, and nothing is known about the sections then.
//
// Preconditions: the caller is in no section of d, for which it would wait.
//
// Why it holds: one word counts a section from its Enter to its Exit, so a word
// that is seen idle after the call holds no section from before. New sections
// could keep a word busy for ever, so there are two indexes. Synchronize first
// waits for the words of the other index: only enters that read the state
// before the last flip can still arrive there. Then it flips the index, which
// sends new sections there, and waits for the words of the old index. Without
// the first step it would miss such a late enter.
func (d *Domain) Synchronize(ctx context.Context) error {
	newest := d.begun.Load()
	if d.idle() {
		return nil
	}
	if err := d.lock(ctx); err != nil {
		return d.givenUp("Synchronize", err)
	}
	defer d.unlock()
	if d.done > newest {
		return nil // another caller has begun and completed one after the call
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

// flip sends new sections to the other index than old. The caller holds
// gpMutex.
func (d *Domain) flip(old uint64) {
	if old == 0 {
		d.state.Or(stateIndex)
	} else {
		d.state.And(^uint64(stateIndex))
	}
}

var errNotClosed = errors.New("srcu: Drain: the domain is not closed, so sections could begin for ever; call Close first")

// Drain waits until no section of a closed domain is open. No section ever
// begins again.
//
// Drain fails if the domain is not closed, or if ctx ends first; the error then
// wraps [context.Cause] of ctx. The domain stays closed, and Drain may be
// called again, also concurrently.
//
// Preconditions: the caller is in no section of d, for which it would wait.
func (d *Domain) Drain(ctx context.Context) error {
	if !d.Closed() {
		return errNotClosed
	}
	d.Close() // a concurrent Close may not have reached every word yet
	if d.idle() {
		return nil
	}
	if err := d.lock(ctx); err != nil {
		return d.givenUp("Drain", err)
	}
	defer d.unlock()
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

// spins is how often a waiter reads a word before it parks, for sections that
// are about to end. The waiter must not yield while it spins: on a busy machine
// it would wait for its turn, not for the section.
const spins = 100

// await waits until each word of the index was seen idle, or for the end of
// ctx, whose cause it returns. The caller holds gpMutex.
func (d *Domain) await(ctx context.Context, index uint64) error {
	if d.isPerP() {
		return d.perPAwait(ctx, index)
	}
	for w := range d.under(index) {
		for reads := 1; !idle(atomic.LoadInt64(&w.n)); reads++ {
			if reads < spins {
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

// wakeWaiter wakes the waiter. A spurious wake-up is harmless.
func (w *waiting) wakeWaiter() {
	select {
	case w.wake <- struct{}{}:
	default: // a wake-up is pending already
	}
}

// lock locks gpMutex, or waits for the end of ctx, whose cause it returns.
func (w *waiting) lock(ctx context.Context) error {
	select {
	case <-w.gpMutex:
		return nil
	default:
	}
	select {
	case <-w.gpMutex:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *waiting) unlock() { w.gpMutex <- struct{}{} }

func (d *Domain) givenUp(what string, cause error) error {
	return fmt.Errorf("srcu: %s gave up with %d sections open: %w", what, d.Sections(), cause)
}
