package srcu

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ownLine is a counter that shares its cache line with nothing.
type ownLine struct {
	_ [128]byte
	n atomic.Int64
	_ [128]byte
}

// BenchmarkPair compares an enter and its exit with what else could protect a
// section. All contenders take turns within one run, GOMAXPROCS goroutines at a
// time; what is reported is the median of the time per pair, and of its ratio
// in each round to two locked adds on a line that no other processor touches,
// the floor of any scheme with atomics.
func BenchmarkPair(b *testing.B) { benchAtProcs(b, benchPair) }

// benchAtProcs sets GOMAXPROCS itself: -cpu comes too late for b.Loop.
func benchAtProcs(b *testing.B, f func(*testing.B)) {
	for procs := 1; procs <= runtime.NumCPU(); procs *= 2 {
		b.Run(fmt.Sprintf("procs=%d", procs), func(b *testing.B) {
			atProcs(procs, func() { f(b) })
		})
	}
}

func benchPair(b *testing.B) {
	const pairs = 1 << 14
	d := NewDomain()
	var mu sync.RWMutex
	var count ownLine
	gone := false
	type contender struct {
		name string
		loop func() // pairs times
	}
	contenders := []contender{
		{"adds", func() {
			own := new(ownLine)
			for range pairs {
				own.n.Add(1)
				if own.n.Add(-1) < 0 {
					panic("negative")
				}
			}
		}},
		{"srcu", func() {
			for range pairs {
				s, ok := d.Enter()
				if !ok {
					panic("closed")
				}
				s.Exit()
			}
		}},
		{"RWMutex", func() {
			for range pairs {
				mu.RLock()
				if gone {
					panic("gone")
				}
				mu.RUnlock()
			}
		}},
		{"count", func() {
			for range pairs {
				if count.n.Add(1) < 0 {
					panic("gone")
				}
				if count.n.Add(-1) < 0 {
					panic("gone")
				}
			}
		}},
	}
	for name, loop := range variants(pairs) {
		contenders = append(contenders, contender{name, loop})
	}
	procs := runtime.GOMAXPROCS(0)
	times := make([][]time.Duration, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			times[i] = append(times[i], together(procs, c.loop))
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole round: says nothing
	for i, c := range contenders {
		var ratios []float64
		for round := range times[i] {
			ratios = append(ratios, float64(times[i][round])/float64(times[0][round]))
		}
		if i > 0 {
			b.ReportMetric(median(ratios), c.name+"/adds")
		}
		b.ReportMetric(float64(median(times[i]))/pairs/float64(procs), c.name+"-ns/pair")
	}
}

// together runs loop on each of procs goroutines at the same time, and returns
// how long the slowest took.
func together(procs int, loop func()) time.Duration {
	var ready atomic.Int32
	var slowest atomic.Int64
	var all sync.WaitGroup
	for range procs {
		all.Go(func() {
			ready.Add(1)
			for int(ready.Load()) < procs {
			}
			// Goroutines are recycled together with their stacks. From another
			// depth each time, it is not always the same two that share a
			// stripe.
			atDepth(rand.IntN(16), func() {
				start := time.Now()
				loop()
				took := int64(time.Since(start))
				for old := slowest.Load(); took > old && !slowest.CompareAndSwap(old, took); old = slowest.Load() {
				}
			})
		})
	}
	all.Wait()
	return time.Duration(slowest.Load())
}

//go:noinline
func atDepth(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	atDepth(n-1, f)
}

func median[T cmp.Ordered](t []T) T {
	return slices.Sorted(slices.Values(t))[len(t)/2]
}

func BenchmarkSynchronizeIdle(b *testing.B) {
	benchAtProcs(b, func(b *testing.B) {
		d := NewDomain()
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Synchronize(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLastExit reports how long after the last exit a parked waiter
// returns: on the exiting goroutine's P when that one has nothing left to do,
// or on another P, which has to be woken first.
func BenchmarkLastExit(b *testing.B) {
	b.Run("same P", func(b *testing.B) {
		benchLastExit(b, func(returned chan time.Time) time.Time { return <-returned })
	})
	b.Run("other P", func(b *testing.B) {
		if runtime.GOMAXPROCS(0) < 2 {
			b.Fatal("needs GOMAXPROCS of 2 or more")
		}
		benchLastExit(b, func(returned chan time.Time) time.Time {
			for len(returned) == 0 {
			}
			return <-returned
		})
	})
}

func benchLastExit(b *testing.B, await func(chan time.Time) time.Time) {
	d := NewDomain()
	start, returned := make(chan struct{}), make(chan time.Time, 1)
	go func() {
		for range start {
			if err := d.Synchronize(context.Background()); err != nil {
				b.Error(err)
			}
			returned <- time.Now()
		}
	}()
	defer close(start)
	var times []time.Duration
	for b.Loop() {
		s := enter(b, d)
		start <- struct{}{}
		for atomic.LoadInt64(&s.word.n) >= 0 { // it has not asked for attention yet
			runtime.Gosched()
		}
		for began := time.Now(); time.Since(began) < 100*time.Microsecond; { // to park
			runtime.Gosched()
		}
		exited := time.Now()
		s.Exit()
		times = append(times, await(returned).Sub(exited))
	}
	b.ReportMetric(0, "ns/op") // includes the time to park
	b.ReportMetric(float64(median(times)), "ns/return")
}

// BenchmarkNewDomain is for the memory that a domain takes.
func BenchmarkNewDomain(b *testing.B) {
	benchAtProcs(b, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			NewDomain()
		}
	})
}
