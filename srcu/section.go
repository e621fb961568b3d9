//go:build !(srcu_membarrier && linux && amd64)

package srcu

import "context"

// Enter opens a section, or reports false if the domain is shut or closed. It
// never waits. Sections nest: each Enter counts.
//
// The caller must end the section with [Section.Exit]; until then
// [Domain.Drain] does not return.
func (d *Domain) Enter() (Section, bool) {
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

// Without the build tag srcu_membarrier, no domain counts by P.
type (
	perP struct{}
	//lint:ignore U1000 embedded in Domain
	indexes struct{}
)

func (*Domain) initPerP() bool                          { return false }
func (*Domain) isPerP() bool                            { return false }
func (*Domain) perPSections() int                       { panic("srcu: unreachable") }
func (*Domain) perPIdle() bool                          { panic("srcu: unreachable") }
func (*Domain) perPAwait(context.Context, uint64) error { panic("srcu: unreachable") }
