package srcu

import "unsafe"

// A standIn is a section of no domain, whose Exit calls a function.
type standIn struct {
	word word // first, so that its address leads back here
	exit func()
}

// nowhere is the domain of all stand-ins.
var nowhere Domain

// NewStandIn returns a section that no domain counts. Its Exit calls exit, each time:
// for a holder of sections that must do more than leave, or must not leave again, in
// rare cases, without a test on the way of all others.
func NewStandIn(exit func()) Section {
	s := &standIn{exit: exit}
	s.word.d = &nowhere
	s.word.n = attention >> 1 // what Exit finds is negative, now and after 2⁶² of them
	return Section{&s.word}
}

func (w *word) standIn() *standIn { return (*standIn)(unsafe.Pointer(w)) }
