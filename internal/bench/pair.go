package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A load is a number of goroutines that enter and leave at the same time.
type load struct {
	name       string
	goroutines int
	yieldAfter int // pairs; 0: never
}

const (
	one     = "one goroutine"
	onePerP = "one per P"
)

func pairLoads(procs int) []load {
	loads := []load{{one, 1, 0}}
	if procs > 1 {
		loads = append(loads, load{onePerP, procs, 0})
	}
	return append(loads, load{"64 per P, yielding", 64 * procs, 256})
}

// pairsInTurn is the number of sections of all goroutines of a contender in a
// turn. They take half a millisecond, which is short enough to be undisturbed
// often.
const pairsInTurn = 1 << 16

// reportPairs writes what an enter and its exit cost: a row for each contender,
// a column for each load.
func reportPairs(w io.Writer, procs, rounds int, results *results, goals *goals, disturbances *disturbances) {
	contenders, end := pairs()
	defer end()
	loads := pairLoads(procs)
	columns := make([]map[string]series, len(loads))
	for i, l := range loads {
		columns[i] = make(map[string]series)
		for c, taken := range takeTurns(rounds, len(contenders), func(c int) float64 {
			n := max(pairsInTurn/contenders[c].share/l.goroutines, 1)
			return l.turn(contenders[c].worker, n, disturbances)
		}) {
			columns[i][contenders[c].name] = taken
		}
	}
	fmt.Fprintf(w, "  %-28s", "enter + exit")
	for _, l := range loads {
		fmt.Fprintf(w, "%26s", l.name)
	}
	fmt.Fprintf(w, "%13s\n", "allocations")
	for _, contender := range contenders {
		fmt.Fprintf(w, "  %-28s", contender.name)
		for i, l := range loads {
			taken := columns[i][contender.name]
			fmt.Fprintf(w, "%12.2f ns %9.2f× ", taken.median(), taken.over(columns[i][adds]))
			results.add(procs, taken.median(), taken.over(columns[i][adds]), "Pair", contender.name, l.name)
			goals.pair(procs, l.name, contender.name, columns[i])
		}
		worker := contender.worker()
		allocations := testing.AllocsPerRun(1000, func() { worker(1) })
		goals.allocations(procs, contender.name, allocations)
		fmt.Fprintf(w, "%13.0f\n", allocations)
	}
}

// turn lets each goroutine of the load enter and leave n sections, and returns
// the time of a section. It tries again if it was disturbed.
func (l load) turn(worker func() func(n int), n int, d *disturbances) float64 {
	for try := 1; ; try++ {
		time.Sleep(time.Millisecond) // the scheduler does not preempt a thread that has just slept
		before := preemptions()
		took := l.run(worker, n)
		// More Ps than processors disturb each other.
		disturbed := preemptions() != before && runtime.GOMAXPROCS(0) <= runtime.NumCPU()
		d.turns++
		if disturbed {
			d.disturbed++
		}
		if !disturbed || try == maxTries {
			return float64(took) / float64(n*l.goroutines)
		}
	}
}

// disturbances counts turns in which a thread was preempted.
type disturbances struct{ turns, disturbed int }

const maxTries = 10

// preemptions returns how often a thread of this process was preempted so far.
func preemptions() int64 {
	var usage unix.Rusage
	must(unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return usage.Nivcsw
}

// run returns the time that all goroutines took, from the moment at which as
// many run as can run at the same time.
func (l load) run(worker func() func(n int), n int) time.Duration {
	together := int64(min(l.goroutines, runtime.GOMAXPROCS(0), runtime.NumCPU()))
	var arrived, start atomic.Int64
	var ended sync.WaitGroup
	epoch := time.Now()
	for range l.goroutines {
		ended.Go(func() {
			loop := worker()
			// Goroutines are used again, stack and all. Where the stack is may
			// decide what a section costs, so it is elsewhere each time.
			atDepth(rand.IntN(16), func() {
				if arrived.Add(1) == together {
					start.Store(int64(time.Since(epoch)))
				}
				for start.Load() == 0 {
				}
				left := n
				for ; l.yieldAfter != 0 && left > l.yieldAfter; left -= l.yieldAfter {
					loop(l.yieldAfter)
					runtime.Gosched()
				}
				loop(left)
			})
		})
	}
	ended.Wait()
	return time.Since(epoch) - time.Duration(start.Load())
}

//go:noinline
func atDepth(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	atDepth(n-1, f)
}
