//go:build srcu_membarrier && linux

package srcu

// newStriped returns a domain as it is where membarrier(2) is refused.
func newStriped() *Domain {
	defer func(was bool) { membarriers = was }(membarriers)
	membarriers = false
	return NewDomain()
}

// variants has the pair of the default build, without what the tag adds to it.
func variants(pairs int) map[string]func() {
	d := newStriped()
	return map[string]func(){"striped": func() {
		for range pairs {
			s, ok := enterStriped(d)
			if !ok {
				panic("closed")
			}
			s.word.Exit()
		}
	}}
}

//go:noinline
func enterStriped(d *Domain) (Section, bool) {
	s := d.state.Load()
	if s > stateIndex {
		return Section{}, false
	}
	w := d.word(uintptr(s))
	if w.enter() {
		return Section{w}, true
	}
	return Section{}, false
}
