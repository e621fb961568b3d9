package fence

import (
	"context"
	"errors"
	"fmt"
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
		t.Error("the first Signal counts, and no other")
	}
	<-done
	<-f.Done()
	signaled, at, err := f.Status()
	if !signaled || at != 7 || err != unix.ENODEV {
		t.Errorf("status %v, %v, %v; want true, 7ns, ENODEV", signaled, at, err)
	}
	f.AddCallback(func() { calls.Add(1) })()
	if calls.Load() != 2 {
		t.Errorf("%d calls, want one at the signal and one for who came later", calls.Load())
	}
}

func TestMerge(t *testing.T) {
	a, b := NewContext("a", "a"), NewContext("b", "b")
	a1, a2, b1 := a.New(), a.New(), b.New()
	if got := Merge(a1, a2); got != a2 {
		t.Errorf("of one context the last is kept: %v", got)
	}
	if got := Merge(a2, Stub()); got != a2 {
		t.Errorf("what is signalled is left out: %v", got)
	}
	if got := Merge(Stub(), stubAt(5)); !got.Signaled() {
		t.Error("merged stubs are not signalled")
	}
	all := Merge(a1, b1, Merge(a2, b1))
	if got := slices.Collect(all.leaves()); !slices.Equal(got, []*Fence{a2, b1}) {
		t.Errorf("leaves %v, want the last of each context", got)
	}
	b1.SignalAt(3, unix.EIO)
	if all.Signaled() {
		t.Error("signalled with one of two parts")
	}
	a2.SignalAt(9, unix.ENODEV)
	if signaled, at, err := all.Status(); !signaled || at != 9 || err != unix.EIO {
		t.Errorf("status %v, %v, %v; want true, the last time and the first error", signaled, at, err)
	}
}

// What is combined and thrown away leaves no trace in a fence that is pending,
// perhaps for ever.
func TestCombinedLeaveNoTrace(t *testing.T) {
	a, b := NewContext("a", "a").New(), NewContext("b", "b").New()
	for _, f := range []*Fence{Merge(a, b), NewChain(NewChain(nil, a, 1), Merge(a, b), 2)} {
		watched := func() int { return a.watchers.Len() + b.watchers.Len() }
		if f.Signaled() || watched() != 0 {
			t.Errorf("%v: %d watch while nobody asks", f, watched())
		}
		removeOne, removeOther := f.AddCallback(func() {}), f.AddCallback(func() {})
		removeOne()
		if watched() != 1 {
			t.Errorf("%v: %d watch for one callback", f, watched())
		}
		removeOther()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Wait(ctx); !errors.Is(err, context.Canceled) || watched() != 0 {
			t.Errorf("%v: %d watch after a wait that was given up (%v)", f, watched(), err)
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
		t.Errorf("a point that is not submitted: %v, want EINVAL", err)
	}
	if point(0) != head || point(21) != head || point(20) == head || point(11) != point(20) || point(1).seqno != 10 {
		t.Error("points lead to wrong nodes")
	}
	if head.LastSubmitted() != 30 || head.LastSignaled() != 0 {
		t.Errorf("submitted %d, signalled %d; want 30, 0", head.LastSubmitted(), head.LastSignaled())
	}
	fences[1].Signal(nil)
	if head.LastSignaled() != 0 || point(20).Signaled() {
		t.Error("a point is signalled only when those before it are")
	}
	fences[0].Signal(nil)
	if head.LastSignaled() != 20 || !point(20).Signaled() || head.Signaled() {
		t.Errorf("signalled %d, want 20", head.LastSignaled())
	}
	fences[2].Signal(unix.EIO)
	if signaled, _, err := head.Status(); head.LastSignaled() != 30 || !signaled || err != nil {
		t.Errorf("signalled %d, %v; want 30 and no error", head.LastSignaled(), err)
	}

	// A point that is not after the last begins anew, and is not signalled
	// before what was there.
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

// TestLongChain signals the first of a very long chain: neither the stack nor
// memory may give out, and signalled nodes are not kept.
func TestLongChain(t *testing.T) {
	first := NewContext("c", "c").New()
	head := NewChain(nil, first, 1)
	for i := uint64(2); i < 200_000; i++ {
		head = NewChain(head, Stub(), i)
	}
	first.Signal(nil)
	if !head.Signaled() || head.prev() != nil {
		t.Error("the chain is not signalled, or keeps what is")
	}
}

// TestChainAgainstModel compares random timelines with the plain rule: a point
// is signalled when all that was submitted up to it is.
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
					t.Fatalf("seed %d: point %d is signalled: %v, want %v", seed, p, f.Signaled(), want)
				}
			}
			if _, err := head.Point(seqno + 1); err == nil {
				t.Fatalf("seed %d: point %d is not submitted", seed, seqno+1)
			}
		}
	}
}

// TestRaces signals, combines and watches from many goroutines.
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
					head = NewChain(head, Merge(f, fences[rand.IntN(len(fences))], NewContextStub()), uint64(i+1))
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

// NewContextStub returns a fence of its own that is signalled soon.
func NewContextStub() *Fence {
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

func ExampleMerge() {
	gpu, display := NewContext("gpu", "render").New(), NewContext("display", "crtc-0").New()
	both := Merge(gpu, display)
	both.AddCallback(func() { fmt.Println("both are done") })
	gpu.Signal(nil)
	display.Signal(nil)
	// Output: both are done
}
