package srcu

import "sync/atomic"

// A word counts the sections that one stripe holds under one index.
//
// word.n is organized as follows:
//
//	 63  62  61  60                                         0
//	┌───┬───┬───┬────────────────────────────────────────────┐
//	│ A │ C │ D │ count                                      │
//	└───┴───┴───┴────────────────────────────────────────────┘
//
// 1 bit - attention: a waiter waits for the count to reach zero, so the exit that
// takes it there must wake the waiter. It is the sign bit: an enter or exit that
// finds any bit set, or an exit that goes below zero, reads a negative number.
// That one test is all that the hot path pays.
// 1 bit - closed: no section may begin here. Never cleared, and never set without
// attention: a late enter would not notice it.
// 1 bit - drained: the count was zero after closed was set. From then on only
// enters that fail change the count, each for a moment.
// 61 bits - count: the number of open sections.
type word struct {
	_ [0]atomic.Int64 // aligns n for atomics on every architecture
	n int64           // not an atomic.Int64, whose methods make Exit too long to inline
	d *Domain         // the domain whose waiter to wake; on the same cache line as n
}

const (
	attention int64 = -1 << 63
	closed    int64 = 1 << 62
	drained   int64 = 1 << 61
	count     int64 = drained - 1
)

// idle reports whether a word that read v holds no section.
func idle(v int64) bool { return v&count == 0 || v&drained != 0 }

// enter opens a section on w. The caller may have chosen w long ago: the bits
// of w decide; see [Domain.Close].
func (w *word) enter() bool { return atomic.AddInt64(&w.n, 1) >= 0 || w.entered() }

// entered is the slow path of an enter that found a bit set.
func (w *word) entered() bool {
	if atomic.LoadInt64(&w.n)&closed == 0 {
		return true
	}
	w.Exit()
	return false
}

// Exit ends the section. It may run on another goroutine than Enter did. It
// never waits.
//
// Preconditions: Enter reported true for the section, and neither the section
// nor a copy of it was ended before. An exit too many ends another section; the
// one that finds no open section panics.
func (w *word) Exit() {
	// It is a method of the word, which a Section embeds, because the compiler
	// counts that as less. A method of package drm that calls it is then
	// inlined too, but only just.
	if v := atomic.AddInt64(&w.n, -1); v < 0 {
		w.exited(v)
	}
}

// exited is the slow path of an exit that left v behind and found a bit set.
//
// Invariant: a waiter that set attention while w held sections is woken after w
// has become idle.
//
// Why it holds: the exit that takes the count to zero finds attention set. Its
// swap succeeds only on the value that was tested; then it wakes the waiter.
// The swap fails for one of three reasons. If a section has begun since, the
// exit of that section finds attention still set, and wakes the waiter. If the
// word was closed since, the next turn of the loop sees that. If attention is
// cleared or drained is set, another exit has swapped, and wakes the waiter.
func (w *word) exited(v int64) {
	if w.d == &nowhere {
		w.standIn().exit()
		return
	}
	if v&count == count {
		w.underflowed()
	}
	for v < 0 && v&(drained|count) == 0 {
		next := v &^ attention
		if v&closed != 0 {
			next = v | drained
		}
		if atomic.CompareAndSwapInt64(&w.n, v, next) {
			w.d.wakeWaiter()
			return
		}
		v = atomic.LoadInt64(&w.n)
	}
}

// underflowed puts back what an exit without an enter has taken, and panics.
func (w *word) underflowed() {
	atomic.AddInt64(&w.n, 1)
	if w.d.Closed() {
		atomic.OrInt64(&w.n, closed|attention) // the borrow has cleared them
	}
	w.d.wakeWaiter()
	panic("srcu: Exit of a section that is not open: each Section, copies included, must be ended exactly once")
}
