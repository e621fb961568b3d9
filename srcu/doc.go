// Package srcu is sleepable RCU with a gate: critical sections that cost little, may
// sleep and may end on another goroutine, and writers that wait for them.
//
// # What it is for
//
// Something is in use by many, and one day it has to go: a device that is unplugged, a
// table that is replaced. A reference count keeps its memory; it does not say when the
// last user has left, and if all users share one it costs each of them a cache line
// that everybody writes. Here a user opens a section for as long as he uses the thing:
//
//	s, ok := domain.Enter()
//	if !ok {
//		return unix.ENODEV
//	}
//	defer s.Exit()
//
// and who takes the thing away either waits for a grace period with
// [Domain.Synchronize], after which nobody who was in a section still is, or ends the
// domain: [Domain.Close] lets nobody in any more, [Domain.Drain] waits until
// everybody is out. Between the two there is time to wake those who sleep in a
// section and wait for the thing itself.
//
// Package drm has one domain per device; its registration guard is a section that
// knows what it was taken for. Package srcu can be used without any of that.
//
// # How it works
//
// A domain has a number of stripes, each a cache line of its own, so that users on
// different processors need not write to the same one. A stripe has two words, one per
// index, of which the domain's state says which one is used now. To enter is to add one
// to the word, to leave is to subtract it again, and a [Section] is the address of the
// word. A waiter that has looked for long enough sets a bit in the word, from which the
// last one out learns that he must wake it; closing sets another, from which one who
// comes late learns that he is too late. The bits are drawn at type word; what is
// promised and why it holds stands at [Domain.Synchronize], [Domain.Close] and
// word.exited.
//
// Only sequentially consistent atomics are used, and no word is ever written but by
// read-modify-write. model/srcu.pml is the same algorithm for the model checker spin,
// and a test runs it.
//
// # Which stripe
//
// Any stripe is correct; a good choice is one that no other processor uses just now
// and that the same goroutine comes back to. The default is a hash of the address of
// the goroutine's stack: it takes a few instructions and nothing of the runtime. There
// are 8 stripes per P, so when all Ps run, fewer than one goroutine in 8, on average,
// shares its stripe with another and pays for that.
//
// The build tag srcu_procpin chooses by the P that the goroutine runs on instead. No
// two running goroutines share a stripe then, but the two calls that it takes made the
// pair slower in every measurement, and it needs go:linkname to runtime.procPin, which
// a coming Go version may refuse.
//
// The number of stripes is fixed when a domain is made, by the GOMAXPROCS of that
// moment; a larger one later makes sharing more likely, and nothing worse.
//
// # Figures
//
// Two locked adds on a line that nobody else touches, the floor of any scheme with
// atomics, are 1. Medians of interleaved rounds on two cores of an AMD EPYC, Go 1.26:
//
//	                               GOMAXPROCS=1   GOMAXPROCS=2
//	Enter and Exit                     1.09           1.10
//	the same with srcu_procpin         1.18           1.21
//	one atomic count for all           1.00           2.9
//	RWMutex.RLock and RUnlock          1.03           3.0
//
// Synchronize of an idle domain takes as long as three to five pairs. None of these
// allocates. BenchmarkPair and its neighbours measure it where you are.
//
// # Without locked instructions
//
// The build tag srcu_membarrier, on Linux and amd64, has sections counted by P, with
// plain increments under runtime.procPin, and waiters call membarrier(2): see
// perp_membarrier_amd64.go for the algorithm and why it holds. Where the kernel refuses
// that call, and elsewhere, the tag changes nothing but the time. It is not the
// default, and was built to see whether the pair can be had for 0.75 of two locked
// adds. It was not quite: the ratio depends on what else the machine does, from 0.64 to
// 0.84 in 17 runs of BenchmarkPair on two busy cores, with these medians, where the
// default had 1.08 at 1 P and 1.08 to 1.09 at 2 in the runs that measured both:
//
//	                               GOMAXPROCS=1   GOMAXPROCS=2
//	Enter and Exit                     0.76           0.77
//
// Pinning and unpinning alone, which no counting by P can do without, is 0.45 to 0.5
// of it, and as each of the four is a call, neither Enter nor Exit can be inlined;
// written out in the loop, the pair was at 0.5. What it costs:
//   - Synchronize of an idle domain takes a system call: about 0.47 µs without an
//     interrupt to another processor, more with one;
//   - an exit too many is not noticed by the exit, which knows one P's counts only,
//     but by the next Synchronize or Drain, which panics;
//   - the Ps that GOMAXPROCS adds after a domain was made share one slot, with atomics.
//
// # What it does not do
//
// A section does not know whose it is. To wait inside one's own section therefore
// waits for ever, unless the context ends; package drm, which does know, refuses it.
// For the same reason an exit too many is only noticed when its word has no section
// left; see [Section.Exit].
//
// # Locks
//
// There is one, the lead: a token that Synchronize and Drain hold while they wait for
// sections. Enter, Exit and Close never wait for it, nor for anything.
//
// # Where to start reading
//
// word.go, then srcu.go (entering, leaving, closing), then grace.go (waiting).
package srcu
