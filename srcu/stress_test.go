package srcu

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A thing goes away: a page that is there until it is fenced off. A use after
// that faults, and one that is only not ordered before it is a race on alive.
type thing struct {
	alive bool
	page  []byte
}

func newThing(t testing.TB) *thing {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal("mmap of a page:", err)
	}
	return &thing{alive: true, page: page}
}

func (o *thing) use(t testing.TB) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("used after it was gone: %v", r)
		}
	}()
	if !o.alive {
		t.Error("used after it was gone")
		return
	}
	(*atomic.Int32)(pagePointer(o.page)).Add(1)
}

// fence ends the thing: from now on a use of it is a fault.
func (o *thing) fence(t testing.TB) {
	o.alive = false
	if err := unix.Mprotect(o.page, unix.PROT_NONE); err != nil {
		t.Error("mprotect:", err)
	}
}

// free gives the address back, once no goroutine can still use it.
func (o *thing) free(t testing.TB) {
	if err := unix.Munmap(o.page); err != nil {
		t.Error("munmap:", err)
	}
}

func stressAtProcs(t *testing.T, f func(t *testing.T)) {
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("procs=%d", procs), func(t *testing.T) {
			atProcs(procs, func() { f(t) })
		})
	}
}

// Readers of every kind use a thing; it goes away under them.
func TestStressUnplug(t *testing.T) {
	stressAtProcs(t, func(t *testing.T) {
		for range 400 {
			unplugOnce(t)
			if t.Failed() {
				return
			}
		}
	})
}

func unplugOnce(t *testing.T) {
	d := NewShutDomain()
	o := newThing(t)
	var all sync.WaitGroup
	handed := make(chan Section)
	enough := make(chan struct{})
	closeAfter := rand.IntN(1 << rand.IntN(12))

	read := func(section func(Section)) {
		all.Go(func() {
			for n := 1; ; n++ {
				s, ok := d.Enter()
				if ok {
					section(s)
					if n%300 == 0 {
						runtime.Gosched() // or it takes the whole of each time slice
					}
				} else if d.Closed() {
					return
				} else {
					runtime.Gosched() // shut
				}
			}
		})
	}
	var readers sync.WaitGroup
	for range 2 {
		read(func(s Section) { // short
			o.use(t)
			s.Exit()
		})
		read(func(s Section) { // sleeping
			runtime.Gosched()
			o.use(t)
			s.Exit()
		})
		read(func(s Section) { // nested
			inner, ok := d.Enter()
			s.Exit()
			if ok {
				o.use(t)
				inner.Exit()
			}
		})
		readers.Add(1)
		all.Go(func() { // another goroutine exits
			defer readers.Done()
			for {
				if s, ok := d.Enter(); ok {
					handed <- s
				} else if d.Closed() {
					return
				}
				runtime.Gosched()
			}
		})
		all.Go(func() {
			for s := range handed {
				o.use(t)
				s.Exit()
			}
		})
	}
	n := 0
	read(func(s Section) { // counting
		o.use(t)
		if n == closeAfter {
			close(enough)
		}
		n++
		s.Exit()
	})
	all.Go(func() {
		for !d.Closed() {
			if err := d.Synchronize(context.Background()); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	all.Go(d.Open)

	<-enough
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	var drains sync.WaitGroup
	for range 2 {
		drains.Add(1)
		all.Go(func() {
			defer drains.Done()
			d.Close()
			if _, ok := d.Enter(); ok {
				t.Error("Enter succeeded after Close")
			}
			_ = d.Drain(cancelled)
			if err := d.Drain(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	drains.Wait()
	o.fence(t)

	readers.Wait()
	close(handed)
	all.Wait()
	if n := d.Sections(); n != 0 {
		t.Errorf("%d sections are open, want none", n)
	}
	o.free(t)
}

// Writers replace a thing that readers use, and end the old one after a grace
// period.
func TestStressSynchronize(t *testing.T) {
	const writers, replacements = 3, 400
	stressAtProcs(t, func(t *testing.T) {
		d := NewDomain()
		var things []*thing
		for range 1 + writers*replacements {
			things = append(things, newThing(t))
		}
		var current atomic.Pointer[thing]
		current.Store(things[0])

		var writing, others sync.WaitGroup
		var stop atomic.Bool
		for w := range writers {
			writing.Go(func() {
				for _, next := range things[1+w*replacements:][:replacements] {
					old := current.Swap(next)
					if err := d.Synchronize(context.Background()); err != nil {
						t.Error(err)
					}
					old.fence(t)
				}
			})
		}
		for i := range 4 {
			others.Go(func() {
				for n := 1; !stop.Load(); n++ {
					s, ok := d.Enter()
					if !ok {
						t.Error("Enter failed on an open domain")
						return
					}
					o := current.Load()
					if i%2 == 0 || n%300 == 0 {
						runtime.Gosched()
					}
					o.use(t)
					s.Exit()
				}
			})
		}
		others.Go(func() { // begins grace periods and gives up
			for !stop.Load() {
				ctx, cancel := context.WithCancel(context.Background())
				cancelled := make(chan struct{})
				go func() {
					defer close(cancelled)
					cancel()
				}()
				_ = d.Synchronize(ctx)
				<-cancelled
				runtime.Gosched() // or the two goroutines keep the P between them
			}
		})
		writing.Wait()
		stop.Store(true)
		others.Wait()
		for _, o := range things {
			o.free(t)
		}
	})
}
