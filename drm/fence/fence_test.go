package fence

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSignalOnce(t *testing.T) {
	f := NewContext("driver", "timeline").New()
	if f.Signaled() {
		t.Error("a new fence is signalled")
	}
	var calls atomic.Int32
	f.AddCallback(func() { calls.Add(1) })
	remove := f.AddCallback(func() { t.Error("a removed callback was called") })
	remove()
	remove()
	done := f.Done()
	if !f.SignalAt(7, unix.ENODEV) || f.Signal(nil) {
		t.Error("SignalAt, Signal: want true for the first call only")
	}
	<-done
	<-f.Done()
	signaled, at, err := f.Status()
	if !signaled || at != 7 || err != unix.ENODEV {
		t.Errorf("status %v, %v, %v; want true, 7ns, ENODEV", signaled, at, err)
	}
	f.AddCallback(func() { calls.Add(1) })()
	if calls.Load() != 2 {
		t.Errorf("%d calls, want one at the signal and one for the callback added later", calls.Load())
	}
}

func TestMerge(t *testing.T) {
	a, b := NewContext("a", "a"), NewContext("b", "b")
	a1, a2, b1 := a.New(), a.New(), b.New()
	if got := Merge(a1, a2); got != a2 {
		t.Errorf("Merge of two fences of one context: %v, want the last, %v", got, a2)
	}
	if got := Merge(a2, Stub()); got != a2 {
		t.Errorf("Merge with a signalled fence: %v, want the pending one, %v", got, a2)
	}
	if got := Merge(Stub(), stubAt(5)); !got.Signaled() {
		t.Error("Merge of signalled fences is not signalled")
	}
	all := Merge(a1, b1, Merge(a2, b1))
	if got := slices.Collect(all.leaves()); !slices.Equal(got, []*Fence{a2, b1}) {
		t.Errorf("leaves %v, want the last of each context", got)
	}
	b1.SignalAt(3, unix.EIO)
	if all.Signaled() {
		t.Error("the merged fence is signalled with one of its two parts")
	}
	a2.SignalAt(9, unix.ENODEV)
	if signaled, at, err := all.Status(); !signaled || at != 9 || err != unix.EIO {
		t.Errorf("status %v, %v, %v; want true, the last time and the first error", signaled, at, err)
	}
}

// TestDiscardedCompositesUnwatch checks that a composite fence that is no
// longer used leaves no watcher in its parts, which may stay pending forever.
func TestDiscardedCompositesUnwatch(t *testing.T) {
	a, b := NewContext("a", "a").New(), NewContext("b", "b").New()
	for _, f := range []*Fence{Merge(a, b), NewChain(NewChain(nil, a, 1), Merge(a, b), 2)} {
		watched := func() int { return a.watchers.Len() + b.watchers.Len() }
		if f.Signaled() || watched() != 0 {
			t.Errorf("%v: %d watchers before the first callback", f, watched())
		}
		removeOne, removeOther := f.AddCallback(func() {}), f.AddCallback(func() {})
		removeOne()
		if watched() != 1 {
			t.Errorf("%v: %d watchers for one callback, want 1", f, watched())
		}
		removeOther()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Wait(ctx); !errors.Is(err, context.Canceled) || watched() != 0 {
			t.Errorf("%v: %d watchers after a cancelled wait (%v)", f, watched(), err)
		}
	}
}

func TestChain(t *testing.T) {
	c := NewContext("c", "c")
	fences := []*Fence{c.New(), c.New(), c.New()}
	var head *Fence
	for i, f := range fences {
		head = NewChain(head, f, uint64(i+1)*10)
	}
	point := func(seqno uint64) *Fence {
		t.Helper()
		f, err := head.Point(seqno)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if _, err := head.Point(31); !errors.Is(err, unix.EINVAL) {
		t.Errorf("unsubmitted point: %v, want EINVAL", err)
	}
	if point(0) != head || point(21) != head || point(20) == head || point(11) != point(20) || point(1).seqno != 10 {
		t.Error("Point returned wrong nodes")
	}
	if head.LastSubmitted() != 30 || head.LastSignaled() != 0 {
		t.Errorf("submitted %d, signalled %d; want 30, 0", head.LastSubmitted(), head.LastSignaled())
	}
	fences[1].Signal(nil)
	if head.LastSignaled() != 0 || point(20).Signaled() {
		t.Error("a point is signalled before the points that precede it")
	}
	fences[0].Signal(nil)
	if head.LastSignaled() != 20 || !point(20).Signaled() || head.Signaled() {
		t.Errorf("signalled %d, want 20", head.LastSignaled())
	}
	fences[2].Signal(unix.EIO)
	if signaled, _, err := head.Status(); head.LastSignaled() != 30 || !signaled || err != nil {
		t.Errorf("signalled %d, %v; want 30 and no error", head.LastSignaled(), err)
	}

	// A point that is not greater than the last starts a new timeline, but
	// is not signalled before the old one.
	pending := c.New()
	before := NewChain(head, pending, 40)
	unordered := NewChain(before, Stub(), 5)
	if unordered.LastSubmitted() != 40 || unordered.LastSignaled() != 0 || unordered.Signaled() {
		t.Errorf("unordered: submitted %d, signalled %d", unordered.LastSubmitted(), unordered.LastSignaled())
	}
	pending.Signal(nil)
	if !unordered.Signaled() || unordered.LastSignaled() != 40 {
		t.Errorf("unordered: signalled %v, up to %d", unordered.Signaled(), unordered.LastSignaled())
	}
}

// TestLongChain signals the first node of a very long chain. The stack must not
// overflow, and the chain must not keep signalled nodes.
func TestLongChain(t *testing.T) {
	first := NewContext("c", "c").New()
	head := NewChain(nil, first, 1)
	for i := uint64(2); i < 200_000; i++ {
		head = NewChain(head, Stub(), i)
	}
	first.Signal(nil)
	if !head.Signaled() || head.prev() != nil {
		t.Error("the chain is not signalled, or keeps signalled nodes")
	}
}

// TestChainAgainstModel compares random timelines with a simple model: a point
// is signalled when all fences submitted up to it are.
func TestChainAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		type submitted struct {
			seqno uint64
			own   *Fence
		}
		var model []submitted
		var head *Fence
		c := NewContext("c", "c")
		seqno := uint64(0)
		for range 60 {
			switch {
			case len(model) == 0 || r.IntN(2) == 0:
				seqno += 1 + r.Uint64N(3)
				own := c.New()
				head = NewChain(head, own, seqno)
				if r.IntN(2) == 0 {
					head.Collect()
				}
				model = append(model, submitted{seqno, own})
			default:
				model[r.IntN(len(model))].own.Signal(nil)
			}
			last, all := uint64(0), true
			for _, m := range model {
				if all = all && m.own.Signaled(); all {
					last = m.seqno
				}
			}
			if got := head.LastSignaled(); got != last {
				t.Fatalf("seed %d: signalled up to %d, want %d", seed, got, last)
			}
			for p := uint64(1); p <= seqno; p++ {
				f, err := head.Point(p)
				if err != nil {
					t.Fatalf("seed %d: point %d: %v", seed, p, err)
				}
				i := slices.IndexFunc(model, func(m submitted) bool { return m.seqno >= p })
				want := last >= model[i].seqno
				if f.Signaled() != want {
					t.Fatalf("seed %d: point %d signalled: %v, want %v", seed, p, f.Signaled(), want)
				}
			}
			var descending []uint64
			for p := int64(seqno); p >= 0; p-- {
				descending = append(descending, uint64(p))
			}
			for i, f := range head.Points(descending) {
				if one, _ := head.Point(descending[i]); f.Signaled() != one.Signaled() || f != one && !f.Signaled() {
					t.Fatalf("seed %d: Points has %v for point %d, Point has %v", seed, f, descending[i], one)
				}
			}
			if _, err := head.Point(seqno + 1); err == nil {
				t.Fatalf("seed %d: Point(%d) succeeded for an unsubmitted point", seed, seqno+1)
			}
		}
	}
}

// TestRaces signals, combines and watches fences from many goroutines.
func TestRaces(t *testing.T) {
	for range 50 {
		c := NewContext("c", "c")
		fences := make([]*Fence, 20)
		for i := range fences {
			fences[i] = c.New()
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, f := range fences {
				f.Signal(nil)
			}
		})
		for range 4 {
			wg.Go(func() {
				var head *Fence
				for i, f := range fences {
					head = NewChain(head, Merge(f, fences[rand.IntN(len(fences))], newSoon()), uint64(i+1))
					if i%3 == 0 {
						head.Collect()
					}
				}
				called := make(chan struct{})
				head.AddCallback(func() { close(called) })
				<-called
				if !head.Signaled() || head.LastSignaled() != uint64(len(fences)) {
					t.Errorf("signalled up to %d", head.LastSignaled())
				}
			})
		}
		wg.Wait()
	}
}

// newSoon returns a fence of a new context that another goroutine signals.
func newSoon() *Fence {
	f := NewContext("soon", "soon").New()
	go f.Signal(nil)
	return f
}

func BenchmarkSignal(b *testing.B) {
	c := NewContext("c", "c")
	b.ReportAllocs()
	for b.Loop() {
		f := c.New()
		f.AddCallback(func() {})
		f.SignalAt(time.Second, nil)
	}
}
