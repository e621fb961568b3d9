package srcu

import "sync/atomic"

// A Domain is a set of critical sections that a writer can wait for and can
// close. Make one with [NewDomain] or [NewShutDomain]. Use one domain for each
// thing that can go away, so that a wait includes no sections of other things.
//
// All methods may be called concurrently.
type Domain struct {
	gate
	_ [lineSize - gateSize]byte
	//lint:ignore U1000 empty without the build tag srcu_membarrier
	indexes
	waiting
	_ [lineSize - waitingSize]byte
}

// gate is the line that every enter reads. Only Open, a flip and Close write to
// it.
type gate struct {
	state atomic.Uint64
	perP
	stripes
}

// gate.state is organized as follows:
//
//	 63                                           2   1   0
//	┌───────────────────────────────────────────┬───┬───┬───┐
//	│ 0                                         │ C │ S │ I │
//	└───────────────────────────────────────────┴───┴───┴───┘
//
// 1 bit - index: which word of its stripe a new section uses.
// 1 bit - shut: sections cannot begin yet.
// 1 bit - closed: no section begins any more. Never cleared.
//
// A section may begin if nothing but the index is set.
const (
	stateIndex  = 1 << 0
	stateShut   = 1 << 1
	stateClosed = 1 << 2
)

// NewDomain returns an open domain with stripes for the present GOMAXPROCS.
func NewDomain() *Domain {
	d := NewShutDomain()
	d.Open()
	return d
}

// NewShutDomain returns a domain whose Enter fails until [Domain.Open] is
// called: for a thing that can be reached before it is ready.
func NewShutDomain() *Domain {
	d := new(Domain)
	d.state.Store(stateShut)
	if !d.initPerP() {
		d.stripes = newStripes(d)
	}
	d.waiting.init()
	return d
}

// Open lets sections begin in a domain from [NewShutDomain]. It does nothing if
// the domain is open already, and does not reopen a closed domain.
func (d *Domain) Open() { d.state.And(^uint64(stateShut)) }

// A Section is an open critical section: the address of the word that counts
// it, so that Exit needs no look-up.
type Section struct{ *word }

// Close stops entry for good: every Enter that begins after Close returned
// fails. Close does not wait for open sections, as [Domain.Drain] does. Calling
// it again has no effect.
//
// Why it holds: an enter that reads the state from now on fails. An enter that
// read the state before meets the closed bit of its word. Enter and Close each
// change that word in one step, so one of them is first. If it is the enter,
// the section is counted, and Drain waits for it. If it is Close, the enter
// sees the bit and fails.
func (d *Domain) Close() {
	d.state.Or(stateClosed)
	for w := range d.all {
		if atomic.LoadInt64(&w.n)&closed == 0 { // cheap when Drain closes again
			atomic.OrInt64(&w.n, closed|attention)
		}
	}
}

// Closed reports whether Close was called.
func (d *Domain) Closed() bool { return d.state.Load()&stateClosed != 0 }

// Sections returns the number of open sections, for reports: while it counts,
// sections begin and end.
func (d *Domain) Sections() int {
	if d.isPerP() {
		return d.perPSections()
	}
	var n int64
	for w := range d.all {
		if v := atomic.LoadInt64(&w.n); !idle(v) {
			n += v & count
		}
	}
	return int(n)
}
