package srcu

import "sync/atomic"

// A word counts the open sections of one stripe under one index.
//
//	 63 attention  a waiter looks at this word: an exit that takes the count to
//	               zero must wake it. The sign bit, so that the test on the hot
//	               path is "negative?".
//	 62 closed     no section may begin here. Set once, never cleared, and always
//	               together with attention.
//	 61 drained    the count was zero after closed was set. Only a failing enter
//	               still touches the count, and only for a moment.
//	60…0 count     open sections.
type word struct {
	n atomic.Int64
	d *Domain // whom to wake; on the same cache line as n
}

const (
	attention int64 = -1 << 63
	closed    int64 = 1 << 62
	drained   int64 = 1 << 61
	count     int64 = drained - 1
)

// idle reports whether a word that read v holds no section.
func idle(v int64) bool { return v&count == 0 || v&drained != 0 }

// enter opens a section on w, which may have been chosen long ago: the closed
// bit of w itself decides.
func (w *word) enter() (Section, bool) {
	if v := w.n.Add(1); v < 0 {
		return w.entered(v)
	}
	return Section{w}, true
}

// entered is the rest of an enter that read v and found a bit set.
func (w *word) entered(v int64) (Section, bool) {
	if v&closed != 0 {
		Section{w}.Exit()
		return Section{}, false
	}
	return Section{w}, true
}

// exited is the rest of an exit that read v and found a bit set.
func (w *word) exited(v int64) {
	if v&count == count {
		w.underflowed()
	}
	for v&count == 0 && v < 0 && v&drained == 0 {
		next := int64(0)
		if v&closed != 0 {
			next = v | drained
		}
		if w.n.CompareAndSwap(v, next) {
			w.d.wakeWaiter()
			return
		}
		v = w.n.Load()
	}
}

// underflowed undoes an exit without an enter, and panics.
func (w *word) underflowed() {
	if w.n.Add(1); w.d.Closed() {
		w.n.Or(closed | attention) // the borrow may have eaten them
	}
	w.d.wakeWaiter()
	panic("srcu: Exit of a section that is not open: the Section was copied and both copies left, or it left twice")
}
