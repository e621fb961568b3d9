package timer_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/internal/timer"
)

func ExampleAt() {
	done := make(chan struct{})
	start := timer.Now()
	timer.At(start+time.Millisecond, func() { close(done) })
	<-done
	fmt.Println(timer.Now()-start >= time.Millisecond)
	// Output: true
}

// TestAt sets timers from several goroutines and stops some. Each function is called
// once, and not before its time, unless stop came first.
func TestAt(t *testing.T) {
	drmtest.NoLeaks(t)
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			for range 300 {
				at := timer.Now() + time.Duration(random.IntN(3000)-500)*time.Microsecond
				var calls atomic.Int32
				var called sync.WaitGroup
				called.Add(1)
				stop := timer.At(at, func() {
					if now := timer.Now(); now < at {
						t.Errorf("called %v too early", at-now)
					}
					if calls.Add(1) == 1 {
						called.Done()
					}
				})
				if random.IntN(3) == 0 {
					stop()
					stop()
					continue
				}
				called.Wait()
				stop()
				if n := calls.Load(); n != 1 {
					t.Errorf("called %d times", n)
				}
			}
		})
	}
	wg.Wait()
}

// TestStop stops timers long before their time: they are never called, and leave
// nothing behind.
func TestStop(t *testing.T) {
	drmtest.NoLeaks(t)
	var called atomic.Bool
	for range 100 {
		timer.At(timer.Now()+time.Hour, func() { called.Store(true) })()
	}
	done := make(chan struct{})
	timer.At(timer.Now(), func() { close(done) })
	<-done
	if called.Load() {
		t.Error("a timer was called that was stopped")
	}
}

// TestBlocked has many functions block. Another one is called all the same, and sets
// a timer itself.
func TestBlocked(t *testing.T) {
	drmtest.NoLeaks(t)
	release := make(chan struct{})
	var blocked sync.WaitGroup
	for range 20 {
		blocked.Add(1)
		timer.At(timer.Now()+time.Millisecond, func() {
			blocked.Done()
			<-release
		})
	}
	blocked.Wait()
	called := make(chan struct{})
	timer.At(timer.Now()+time.Millisecond, func() {
		timer.At(timer.Now()+time.Millisecond, func() { close(called) })
	})
	<-called
	close(release)
}

// TestEarlier sets a timer that is due before the one that the threads wait for.
func TestEarlier(t *testing.T) {
	drmtest.NoLeaks(t)
	stop := timer.At(timer.Now()+time.Hour, func() {})
	defer stop()
	called := make(chan struct{})
	timer.At(timer.Now()+time.Millisecond, func() { close(called) })
	<-called
}

// BenchmarkLate measures how late a function is called, in microseconds, beside
// threads that make system calls, with the timer of package time and with this one.
// GOMAXPROCS is what a host raises it to.
//
//	go test -run - -bench Late ./internal/timer
func BenchmarkLate(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 10))
	for _, kind := range []struct {
		name string
		set  func(at time.Duration, f func())
	}{
		{"time", func(at time.Duration, f func()) { time.AfterFunc(at-timer.Now(), f) }},
		{"timer", func(at time.Duration, f func()) { timer.At(at, f) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var stop atomic.Bool
			var busy sync.WaitGroup
			for range 4 {
				busy.Go(func() {
					runtime.LockOSThread()
					for !stop.Load() {
						_, _ = unix.Poll(nil, 0)
					}
				})
			}
			var late []time.Duration
			for range b.N {
				done := make(chan time.Duration)
				at := timer.Now() + 5*time.Millisecond
				kind.set(at, func() { done <- timer.Now() - at })
				late = append(late, <-done)
			}
			stop.Store(true)
			busy.Wait()
			slices.Sort(late)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(late[len(late)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(late[len(late)*99/100])/1e3, "p99-µs")
		})
	}
}
