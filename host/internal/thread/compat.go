package thread

// MakesCompatCalls says that the thread is in a call of 32-bit programs, and can
// make only such calls. translate turns a call of 64-bit programs into one of
// theirs. It must be called before the first Syscall.
func (x *Tracee) MakesCompatCalls(translate func(nr int, args [6]uint64) (int, [6]uint64)) {
	x.compat = translate
}
