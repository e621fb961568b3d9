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

// A thing goes away: a page that is there until it is fenced off. A use after that
// faults, and one that is only not ordered before it is a race on alive.
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

func (o *thing) use() {
	if !o.alive {
		panic("used after it was gone")
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

// free gives the address back, once nobody can be wrong about it any more.
func (o *thing) free(t testing.TB) {
	if err := unix.Munmap(o.page); err != nil {
		t.Error("munmap:", err)
	}
}

// users runs functions on goroutines of their own and reports what goes wrong there.
type users struct {
	t  *testing.T
	wg sync.WaitGroup
}

func (u *users) run(name string, f func()) {
	u.wg.Go(func() {
		debug.SetPanicOnFault(true)
		defer func() {
			if r := recover(); r != nil {
				u.t.Errorf("%s: %v", name, r)
			}
		}()
		f()
	})
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
	u := users{t: t}
	handed := make(chan Section)
	enough := make(chan struct{})
	closeAfter := rand.IntN(1 << rand.IntN(12))

	read := func(name string, section func(Section)) {
		u.run(name, func() {
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
		read("short", func(s Section) {
			o.use()
			s.Exit()
		})
		read("sleeping", func(s Section) {
			runtime.Gosched()
			o.use()
			s.Exit()
		})
		read("nested", func(s Section) {
			inner, ok := d.Enter()
			s.Exit()
			if ok {
				o.use()
				inner.Exit()
			}
		})
		readers.Add(1)
		u.run("handing over", func() {
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
		u.run("taking over", func() {
			for s := range handed {
				o.use()
				s.Exit()
			}
		})
	}
	n := 0
	read("counting", func(s Section) {
		o.use()
		if n == closeAfter {
			close(enough)
		}
		n++
		s.Exit()
	})
	u.run("synchronizing", func() {
		for !d.Closed() {
			if err := d.Synchronize(context.Background()); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	u.run("opening", d.Open)

	<-enough
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	var drains sync.WaitGroup
	for range 2 {
		drains.Add(1)
		u.run("unplugging", func() {
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
	u.wg.Wait()
	if n := d.Sections(); n != 0 {
		t.Errorf("%d sections are open, and nobody is in one", n)
	}
	o.free(t)
}

// Writers replace a thing that readers use, and end the old one after a grace period.
func TestStressSynchronize(t *testing.T) {
	stressAtProcs(t, func(t *testing.T) {
		d := NewDomain()
		var current atomic.Pointer[thing]
		current.Store(newThing(t))
		u := users{t: t}
		var writers sync.WaitGroup
		var stop atomic.Bool
		var mu sync.Mutex
		var old []*thing

		for i := range 4 {
			u.run("reader", func() {
				for n := 1; !stop.Load(); n++ {
					s, _ := d.Enter()
					o := current.Load()
					if i%2 == 0 || n%300 == 0 {
						runtime.Gosched()
					}
					o.use()
					s.Exit()
				}
			})
		}
		for range 3 {
			writers.Add(1)
			u.run("writer", func() {
				defer writers.Done()
				for range 150 {
					o := current.Swap(newThing(t))
					if err := d.Synchronize(context.Background()); err != nil {
						t.Error(err)
					}
					o.fence(t)
					mu.Lock()
					old = append(old, o)
					mu.Unlock()
				}
			})
		}
		u.run("giving up", func() {
			for !stop.Load() {
				ctx, cancel := context.WithCancel(context.Background())
				cancelled := make(chan struct{})
				go func() {
					defer close(cancelled)
					cancel()
				}()
				_ = d.Synchronize(ctx)
				<-cancelled
				runtime.Gosched() // or the two of us keep the P between us
			}
		})
		writers.Wait()
		stop.Store(true)
		u.wg.Wait()
		d.Close()
		if err := d.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		for _, o := range append(old, current.Load()) {
			o.free(t)
		}
	})
}
