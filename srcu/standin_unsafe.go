package srcu

import "unsafe"

// A standIn is a section of no domain, whose Exit calls a function.
type standIn struct {
	word word // first, so that its address leads back here
	exit func()
}

// nowhere is the domain of all stand-ins.
var nowhere Domain

// NewStandIn returns a section that no domain counts, and whose Exit calls
// exit. It stands for sections whose end must do more, or must fail, in rare
// cases: the common path then needs no test for them.
func NewStandIn(exit func()) Section {
	s := &standIn{exit: exit}
	s.word.d = &nowhere
	s.word.n = attention >> 1 // Exit reads a negative number, even after 2⁶² exits
	return Section{&s.word}
}

func (w *word) standIn() *standIn { return (*standIn)(unsafe.Pointer(w)) }
