//go:build srcu_membarrier && linux

package srcu

import (
	"context"
	"runtime"
	"sync/atomic"
)

// This is the other way to count sections, behind the build tag
// srcu_membarrier: each P has counts of its own, to which plain increments are
// added, and a waiter has all processors execute a memory barrier, with
// membarrier(2), before it reads them. Where membarrier(2) is refused, domains
// use stripes, as without the tag.
//
// An enter adds to enters, then reads the state again, and is out again if the
// domain was closed. An exit adds to exits, then reads the attention bit of its
// index. A waiter calls barrier, sums exits, then enters; an index is idle if
// the sums agree.
//
// Why Drain is right: the domain was marked closed before the barrier. An enter
// that reads the state after the barrier came to its thread sees that, and
// fails. One that read it before, and succeeded, had stored its count before
// that read, so the barrier brought it to memory: it is in the sum of enters.
// So are the enters of all exits in the other sum (see sums), so the sums agree
// only if no such section is open. An enter that fails is in both sums, or
// makes Drain wait until it is.
//
// Why Synchronize is right: the same, for sections that had read the state
// before the barrier came to their threads. All others read what they use after
// the call, and need not be waited for. A grace period that was begun after the
// call has its barrier after the call too, and so can be shared.
//
// Why no waiter waits for ever: a waiter sets attention, calls barrier, and
// looks again, before it parks. An exit that read the bit before the barrier
// came to its thread had stored its count before that, so the waiter sees it;
// an exit that reads the bit later wakes the waiter.
//
// What of x86 this relies on: stores of a thread come to memory in their order
// and are then seen by all, loads are not moved before loads, and neither loads
// nor stores after later stores; only a load may come before an earlier store,
// and there is where the barrier is. So an exit needs none: what the section
// did comes to memory before the exit does. Aligned 64-bit stores are not torn.
//
// What of Go this relies on: see slot for procPin. The compiler has no reason
// to tear or to invent a store of an aligned int64, cannot move it across
// procPin and procUnpin, whose bodies it does not see, and the atomic load is
// after procUnpin. The language promises none of that for a plain store that
// others read, so TestPerPPlainIncrement looks at the machine code. An assembly
// function would be promised to stay as it is, but is one more call in each
// half of the pair. With the race detector, which could not know, the
// increments are atomic.
//
// model/membarrier.pml has all of this for spin, store buffers included.

// perP is the part of a domain that every enter and exit reads.
type perP struct {
	slots []slot // one for each P that there was when the domain was made; none: it uses stripes
}

// indexes is the rest of what a domain has that counts by P.
type indexes struct {
	// index has a word for each index, of which only the bit attention is used.
	// Its address is what a Section is.
	index [2]word
	_     [lineSize - 2*wordSize]byte

	// shared counts for the Ps that came later, when GOMAXPROCS was raised:
	// with atomics, since it is not known how many they are.
	shared slot
}

// A slot counts what happened on one P: by index, so that a waiter can let one
// run dry; and enters apart from exits, because a section may end on another P
// than it began on, so that only sums over all slots say something.
//
// Invariant: at any time at most one goroutine is about to add to a slot of
// perP. Why it holds: it is between procPin and procUnpin, so the runtime
// neither preempts it nor takes its P away, and a P runs one goroutine at a
// time. The goroutine that has the P next has synchronized with it through the
// scheduler, and a change of GOMAXPROCS stops the world.
type slot struct {
	count [2]struct{ enters, exits int64 }
	_     [lineSize - 32]byte
}

// initPerP makes d count by P, if this process may use membarrier(2).
func (d *Domain) initPerP() bool {
	if !membarriers {
		return false
	}
	d.slots = make([]slot, runtime.GOMAXPROCS(0))
	for i := range d.index {
		d.index[i].d = d
	}
	return true
}

func (d *Domain) isPerP() bool { return len(d.slots) != 0 }

// Enter opens a section, or reports false if the domain is shut or closed.
// It never waits. Sections nest: each Enter counts.
//
// The caller owns the section and must leave it with [Section.Exit]; until then
// [Domain.Drain] does not return.
//
// It is nosplit, as Exit is, because the check for room on the stack was
// measurable.
//
//go:nosplit
func (d *Domain) Enter() (Section, bool) {
	s := d.state.Load()
	if s > stateIndex {
		return Section{}, false
	}
	p := procPin()
	if uint(p) < uint(len(d.slots)) {
		increment(&d.slots[p].count[s].enters)
		procUnpin()
		if d.state.Load() <= stateIndex {
			return Section{&d.index[s]}, true
		}
		return d.index[s].late()
	}
	procUnpin()
	return d.enterElsewhere()
}

// late is the rest of an enter that was counted and then found the domain
// closed.
func (w *word) late() (Section, bool) {
	Section{w}.Exit()
	return Section{}, false
}

// enterElsewhere is an enter that is refused or comes on a P that has no slot.
func (d *Domain) enterElsewhere() (Section, bool) {
	s := d.state.Load()
	if s > stateIndex {
		return Section{}, false
	}
	if !d.isPerP() {
		if w := d.word(uintptr(s)); w.enter() {
			return Section{w}, true
		}
		return Section{}, false
	}
	w := &d.index[s]
	atomic.AddInt64(&d.shared.count[s].enters, 1)
	if d.state.Load() > stateIndex {
		return w.late()
	}
	return Section{w}, true
}

// Exit ends the section. It may run on another goroutine than Enter did. It
// never waits.
//
// Preconditions: Enter reported true for s, and neither s nor a copy of it was
// left before. Exits too many take the place of other sections' exits; when
// there are more than enters, the next Synchronize or Drain panics.
//
//go:nosplit
func (s Section) Exit() {
	w := s.word
	d := w.d
	p := procPin()
	if uint(p) < uint(len(d.slots)) {
		increment(&d.slots[p].count[d.indexOf(w)].exits)
		procUnpin()
		if atomic.LoadInt64(&w.n) < 0 {
			w.tell()
		}
		return
	}
	procUnpin()
	w.exitElsewhere()
}

// tell is the rest of an exit that was counted and then found attention set.
//
//go:noinline
func (w *word) tell() { w.d.wakeWaiter() }

// exitElsewhere is an exit on a P that has no slot.
func (w *word) exitElsewhere() {
	d := w.d
	if !d.isPerP() {
		w.Exit()
		return
	}
	atomic.AddInt64(&d.shared.count[d.indexOf(w)].exits, 1)
	if atomic.LoadInt64(&w.n) < 0 {
		w.tell()
	}
}

func (d *Domain) indexOf(w *word) int {
	if w == &d.index[0] {
		return 0
	}
	return 1
}

// sums returns how many enters and exits there were. No exit is in the sum
// whose enter is not: it can be seen only after the enter can, and is looked
// for first.
func (d *Domain) sums(index uint64) (enters, exits int64) {
	exits = atomic.LoadInt64(&d.shared.count[index].exits)
	for p := range d.slots {
		exits += atomic.LoadInt64(&d.slots[p].count[index].exits)
	}
	enters = atomic.LoadInt64(&d.shared.count[index].enters)
	for p := range d.slots {
		enters += atomic.LoadInt64(&d.slots[p].count[index].enters)
	}
	return enters, exits
}

func (d *Domain) indexIdle(index uint64) bool {
	enters, exits := d.sums(index)
	if exits > enters {
		panic("srcu: more sections ended than began: each Section, copies included, must be ended exactly once")
	}
	return enters == exits
}

func (d *Domain) perPSections() int {
	var n int64
	for index := range uint64(2) {
		enters, exits := d.sums(index)
		n += enters - exits
	}
	return int(max(n, 0))
}

// perPIdle reports whether each index was seen idle.
func (d *Domain) perPIdle() bool {
	barrier()
	return d.indexIdle(0) && d.indexIdle(1)
}

// perPAwait waits until the index was seen idle, or for the end of ctx, whose
// cause it returns. The caller holds gpMutex.
func (d *Domain) perPAwait(ctx context.Context, index uint64) error {
	barrier()
	for range spins {
		if d.indexIdle(index) {
			return nil
		}
	}
	w := &d.index[index]
	atomic.OrInt64(&w.n, attention)
	defer atomic.AndInt64(&w.n, ^attention)
	barrier()
	for !d.indexIdle(index) {
		select {
		case <-d.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
