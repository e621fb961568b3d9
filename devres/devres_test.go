package devres_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/udrm/udrm/devres"
)

// recorder is a set whose resources write down when they are released.
type recorder struct {
	devres.Set
	t     *testing.T
	order []string
}

func newRecorder(t *testing.T) *recorder { return &recorder{t: t} }

func (r *recorder) add(name string) *devres.Resource {
	r.t.Helper()
	return r.addFunc(name, func() {})
}

func (r *recorder) addFunc(name string, release func()) *devres.Resource {
	r.t.Helper()
	res, err := r.Add(name, func() {
		r.order = append(r.order, name)
		release()
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func (r *recorder) released(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.order, want) {
		r.t.Errorf("released %q, want %q", r.order, want)
	}
}

func TestNewestFirst(t *testing.T) {
	s := newRecorder(t)
	s.OnRelease = func(name string) { s.order = append(s.order, "after "+name) }
	s.add("registers")
	s.add("memory")
	s.add("interrupt")
	if names := s.Names(); !slices.Equal(names, []string{"registers", "memory", "interrupt"}) {
		t.Errorf("the set names %q", names)
	}
	for range 2 { // again does nothing
		if err := s.ReleaseAll(); err != nil {
			t.Error(err)
		}
		s.released("interrupt", "after interrupt", "memory", "after memory", "registers", "after registers")
	}
	if names := s.Names(); len(names) != 0 {
		t.Errorf("%q are left", names)
	}
}

func TestAddAfterTheEnd(t *testing.T) {
	var s devres.Set
	if err := s.ReleaseAll(); err != nil {
		t.Fatal(err)
	}
	released := 0
	r, err := s.Add("late", func() { released++ })
	if !errors.Is(err, devres.ErrReleased) || r != nil || released != 1 {
		t.Errorf("adding to a binding that ended: %v, %v, released %d times; want ErrReleased and 1", r, err, released)
	}
	_, err = s.Add("late and broken", func() { panic("no such register") })
	if !errors.Is(err, devres.ErrReleased) || !strings.Contains(err.Error(), "no such register") {
		t.Errorf("a late resource whose release panics: %v, want both errors", err)
	}
}

func TestReleaseAhead(t *testing.T) {
	s := newRecorder(t)
	s.add("a")
	b, c := s.add("b"), s.add("c")
	s.add("d")
	if b.Name() != "b" {
		t.Errorf("b is called %q", b.Name())
	}
	if did, err := b.Release(); !did || err != nil {
		t.Errorf("releasing b: %v, %v", did, err)
	}
	if !c.Remove() {
		t.Error("c could not be removed")
	}
	for _, again := range []*devres.Resource{b, c} {
		if did, err := again.Release(); did || err != nil {
			t.Errorf("releasing %s again: %v, %v", again.Name(), did, err)
		}
		if again.Remove() {
			t.Errorf("%s was removed after it was gone", again.Name())
		}
	}
	if err := s.ReleaseAll(); err != nil {
		t.Error(err)
	}
	s.released("b", "d", "a")
}

func TestPanicReleasesTheOthers(t *testing.T) {
	s := newRecorder(t)
	s.add("a")
	s.addFunc("b", func() { panic("b is stuck") })
	s.add("c")
	d := s.addFunc("d", func() { panic("d is stuck") })
	if did, err := d.Release(); !did || err == nil || !strings.Contains(err.Error(), "d is stuck") {
		t.Errorf("releasing d: %v, %v; want its panic", did, err)
	}
	err := s.ReleaseAll()
	if err == nil || !strings.Contains(err.Error(), "b is stuck") || strings.Contains(err.Error(), "d is stuck") {
		t.Errorf("releasing all: %v, want b's panic", err)
	}
	s.released("d", "c", "b", "a")
}

func TestReleaseFunctionsCallBack(t *testing.T) {
	s := newRecorder(t)
	s.add("a")
	b, c := s.add("b"), s.add("c")
	var own *devres.Resource
	own = s.addFunc("caller", func() {
		if did, _ := own.Release(); did || own.Remove() {
			t.Error("a resource could be released in its own release")
		}
		if names := s.Names(); !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("in its release the set names %q", names)
		}
		if did, err := c.Release(); !did || err != nil {
			t.Errorf("releasing another: %v, %v", did, err)
		}
		if !b.Remove() {
			t.Error("another could not be removed")
		}
		_, err := s.Add("late", func() { s.order = append(s.order, "late") })
		if !errors.Is(err, devres.ErrReleased) {
			t.Errorf("adding in a release: %v, want ErrReleased", err)
		}
	})
	if err := s.ReleaseAll(); err != nil {
		t.Error(err)
	}
	s.released("caller", "c", "late", "a")
}

// A resource that is being released uses older resources: the end of the
// binding must not take them away before. A second end of the binding waits for
// the first.
func TestEndWaitsForRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRecorder(t)
		s.add("registers")
		gate := make(chan struct{})
		registration := s.addFunc("registration", func() { <-gate })
		s.add("newest")

		var wg sync.WaitGroup
		wg.Go(func() {
			if did, err := registration.Release(); !did || err != nil {
				t.Errorf("Release: %v, %v", did, err)
			}
		})
		synctest.Wait()
		var ended atomic.Int32
		for range 2 {
			wg.Go(func() {
				if err := s.ReleaseAll(); err != nil {
					t.Error(err)
				}
				ended.Add(1)
			})
			synctest.Wait()
		}
		s.released("registration", "newest")
		if did, _ := registration.Release(); did || ended.Load() != 0 {
			t.Errorf("while it is being released: Release did %v, %d ends of the binding have returned", did, ended.Load())
		}
		close(gate)
		wg.Wait()
		s.released("registration", "newest", "registers")
	})
}

// A pair is a resource, the base, and another one that stands on it, the user.
type pair struct {
	t         *testing.T
	removable bool // the user may be removed and never released
	user      *devres.Resource
	userAdded atomic.Bool
	userEnded atomic.Int32
	baseEnded atomic.Int32
}

func (p *pair) releaseUser() {
	if p.userAdded.Load() && p.baseEnded.Load() != 0 {
		p.t.Error("a resource is released after the one that it stands on")
	}
	for range rand.IntN(50) {
		runtime.Gosched()
	}
	p.userEnded.Add(1)
}

func (p *pair) releaseBase() {
	if p.userAdded.Load() && !p.removable && p.userEnded.Load() == 0 {
		p.t.Error("a resource is released while another one stands on it")
	}
	p.baseEnded.Add(1)
}

func TestStress(t *testing.T) {
	for range 200 {
		var s devres.Set
		pairs := make(chan *pair, 80)
		var adders, others sync.WaitGroup
		var all [4][]*pair
		for i := range all {
			adders.Go(func() {
				for range 20 {
					p := &pair{t: t, removable: rand.IntN(4) == 0}
					if _, err := s.Add("base", p.releaseBase); err != nil && p.baseEnded.Load() != 1 {
						t.Error("a late resource was not released by Add")
					}
					var err error
					if p.user, err = s.Add("user", p.releaseUser); err == nil {
						p.userAdded.Store(true)
						pairs <- p
					}
					all[i] = append(all[i], p)
				}
			})
		}
		for range 2 {
			others.Go(func() {
				for p := range pairs {
					switch {
					case p.removable:
						if p.user.Remove() {
							p.userEnded.Add(1)
						}
					case rand.IntN(2) == 0:
						if _, err := p.user.Release(); err != nil {
							t.Error(err)
						}
					}
				}
			})
			others.Go(func() {
				for range rand.IntN(100) {
					runtime.Gosched()
				}
				if err := s.ReleaseAll(); err != nil {
					t.Error(err)
				}
				if names := s.Names(); len(names) != 0 {
					t.Errorf("after the end %q are left", names)
				}
			})
		}
		adders.Wait()
		close(pairs)
		others.Wait()
		for _, p := range slices.Concat(all[:]...) {
			if user, base := p.userEnded.Load(), p.baseEnded.Load(); user != 1 || base != 1 {
				t.Fatalf("a resource ended %d times, the one that it stands on %d times", user, base)
			}
		}
	}
}
