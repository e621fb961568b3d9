//go:build srcu_membarrier && linux

package srcu

import (
	"context"
	"runtime"
	"sync/atomic"
)

// perP is the part of a domain that every enter and exit reads.
type perP struct {
	slots []slot // one for each P that there was when the domain was made; none: it uses stripes
}

// indexes is the rest of what a domain has that counts by P.
type indexes struct {
	// index has a word for each index, of which only the bit attention is used. Its
	// address is what a Section is.
	index [2]word
	_     [lineSize - 2*wordSize]byte

	// shared counts for the Ps that came later, when GOMAXPROCS was raised: with
	// atomics, since it is not known how many they are.
	shared slot
}

// A slot counts what happened on one P: by index, so that a waiter can let one run
// dry; and enters apart from exits, because a section may end on another P than it
// began on, so that only sums over all slots say something.
//
// Invariant: at any time at most one goroutine is about to add to a slot of perP. Why
// it holds: it is between procPin and procUnpin, so the runtime neither preempts it
// nor takes its P away, and a P runs one goroutine at a time. Whoever has the P next
// has synchronized with it through the scheduler, and a change of GOMAXPROCS stops
// the world.
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

// late is the rest of an enter that was counted and then found the domain closed.
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

// Exit ends the section. It may run on another goroutine than Enter did. It never
// waits.
//
// Preconditions: Enter reported true for s, and neither s nor a copy of it was
// left before. Exits too many take the place of other sections' exits; when there are
// more than enters, the next Synchronize or Drain panics.
//
//go:nosplit
func (s Section) Exit() {
	w := s.w
	d := w.d
	p := procPin()
	if uint(p) < uint(len(d.slots)) {
		increment(&d.slots[p].count[d.indexOf(w)].exits)
		procUnpin()
		if w.n.Load() < 0 {
			w.tell()
		}
		return
	}
	procUnpin()
	w.exitElsewhere()
}

// tell is the rest of an exit that was counted and then found that somebody waits.
//
//go:noinline
func (w *word) tell() { w.d.tellWaiter() }

// exitElsewhere is an exit on a P that has no slot.
func (w *word) exitElsewhere() {
	d := w.d
	if !d.isPerP() {
		w.exit()
		return
	}
	atomic.AddInt64(&d.shared.count[d.indexOf(w)].exits, 1)
	if w.n.Load() < 0 {
		w.tell()
	}
}

func (d *Domain) indexOf(w *word) int {
	if w == &d.index[0] {
		return 0
	}
	return 1
}

// sums returns how many enters and exits there were. No exit is in the sum whose
// enter is not: it can be seen only after the enter can, and is looked for first.
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
		panic("srcu: more sections ended than began: each Section, copies included, is left exactly once")
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

// perPAwait waits until the index was seen idle, or for the end of ctx, whose cause
// it returns. The caller has the lead.
func (d *Domain) perPAwait(ctx context.Context, index uint64) error {
	barrier()
	for range spins {
		if d.indexIdle(index) {
			return nil
		}
	}
	w := &d.index[index]
	w.n.Or(attention)
	defer w.n.And(^attention)
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
