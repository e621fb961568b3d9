// Package srcu is sleepable RCU with a gate. Critical sections cost little, may
// sleep, and may end on another goroutine. Writers wait for them.
//
// # What it is for
//
// A thing is used by many goroutines, and one day it has to go: a device is
// unplugged, a table is replaced. A reference count keeps the memory of the
// thing, but does not say when the last user has left; and if all users share
// one count, each of them writes to the same cache line. With this package, a
// user opens a section for as long as it uses the thing:
//
//	s, ok := domain.Enter()
//	if !ok {
//		return unix.ENODEV
//	}
//	defer s.Exit()
//
// The goroutine that takes the thing away waits for a grace period with
// [Domain.Synchronize]: then every section that was open before has ended. Or
// it ends the domain: after [Domain.Close], no section begins any more, and
// [Domain.Drain] waits until the last one has ended. Between the two there is
// time to wake goroutines that sleep in a section and wait for the thing.
//
// Package drm has one domain per device: a registration guard is a section.
// This package does not depend on that one.
//
// # How it works
//
// A domain has a number of stripes, each a cache line of its own, so that users
// on different processors need not write to the same line. A stripe has two
// words, one for each index; the state of the domain says which index is in
// use. Enter adds one to a word, Exit subtracts one, and a [Section] is the
// address of the word. A waiter that has spun for long enough sets a bit in the
// word, which tells the last exit to wake it. Close sets another bit, which
// tells a late Enter that it is too late. Type word draws the bits; the
// declarations of [Domain.Synchronize], [Domain.Close] and word.exited say what
// is promised and why it holds.
//
// All atomics are sequentially consistent, and words are written by
// read-modify-write only. model/srcu.pml is the same algorithm for the model
// checker spin; a test runs it.
//
// # Which stripe
//
// Any stripe is correct. A good one is used by no other processor at the
// moment, and the same goroutine comes back to it. By default a hash of the
// address of the goroutine's stack chooses: it takes a few instructions and
// needs nothing from the runtime. There are 8 stripes per P, so when all Ps
// run, fewer than one goroutine in 8, on average, shares its stripe with
// another.
//
// With the build tag srcu_procpin, the P that the goroutine runs on chooses.
// Two running goroutines never share a stripe then. But the two calls that this
// takes made the pair slower in every measurement, and it needs go:linkname to
// runtime.procPin, which a coming Go version may refuse.
//
// The number of stripes is fixed when a domain is made, by the GOMAXPROCS of
// that moment. A larger GOMAXPROCS later makes sharing more likely, and nothing
// worse.
//
// # Figures
//
// Enter and Exit take 1.1 times as long as two locked adds on a line that nothing
// else touches, which is the floor of any scheme with atomics. Synchronize of an
// idle domain takes two or three pairs. None of these allocates. docs/srcu.md has the
// figures, and "make bench" measures where you are.
//
// # Without locked instructions
//
// With the build tag srcu_membarrier, on Linux and amd64, sections are counted
// by P, with plain increments under runtime.procPin, and waiters call
// membarrier(2). See perp_membarrier_amd64.go for the algorithm and why it
// holds. Where the kernel refuses that call, and on other systems, the tag has
// no effect. It was built to find out whether a pair can take 0.75 of two
// locked adds. It is not the default, and it did not get there: the ratio
// depends on the load of the machine, from 0.64 to 0.84 in 17 runs of
// BenchmarkPair on two busy cores, with a median of 0.77.
//
// Pinning and unpinning alone, which every scheme that counts by P needs, is
// 0.45 to 0.5 of it. Each of the four is a call, so neither Enter nor Exit can
// be inlined; written out in the loop, the pair was at 0.5. The price is:
//   - Synchronize of an idle domain takes a system call: about 0.47 µs without an
//     interrupt to another processor, more with one;
//   - an exit too many is not noticed by the exit, which knows the counts of one
//     P only, but by the next Synchronize or Drain, which panics;
//   - Ps that GOMAXPROCS adds after a domain was made share one slot, with
//     atomics.
//
// # What it does not do
//
// A section does not know its owner. A wait inside the waiter's own section
// therefore never ends, unless the context does; package drm knows the owner
// and refuses such a wait. For the same reason an exit too many is noticed only
// when its word has no section left; see [Section.Exit].
//
// # Locks
//
// There is one, gpMutex: Synchronize and Drain hold it while they wait for
// sections. Enter, Exit and Close never wait, for it or for anything else.
//
// # Where to start reading
//
// word.go, then srcu.go (entering, leaving, closing), then grace.go (waiting).
package srcu
