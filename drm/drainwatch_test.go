package drm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// slowDrains collects the reports of a class.
type slowDrains struct {
	mu  sync.Mutex
	all []drm.SlowDrain
}

func (s *slowDrains) watch(after time.Duration) drm.DrainWatch {
	return drm.DrainWatch{After: after, Report: func(r drm.SlowDrain) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, r)
	}}
}

func (s *slowDrains) take() []drm.SlowDrain {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// stuckIoctl returns a request that waits for the end of stuck and ignores an
// unplug.
func stuckIoctl(stuck <-chan struct{}) drm.Ioctl {
	return drm.NewIoctl(uapi.IO(uapi.CommandBase), 0, func(*drm.RegisteredDevice, *drm.Request, *struct{}) error {
		<-stuck
		return nil
	})
}

func TestSlowDrainIsReported(t *testing.T) {
	reports := new(drmtest.Reports)
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		var slow slowDrains
		toy := newUnregisteredToyOf(t, drm.NewClass(drm.ClassOptions{DrainWatch: slow.watch(time.Second), Logger: reports.Logger()}),
			&drm.Driver{Ioctls: []drm.Ioctl{stuckIoctl(stuck)}})
		toy.register(t, nil)
		c := drmtest.Open(t, toy.dev.Primary())
		begin := time.Now()
		go drmtest.Ioctl(c, uapi.IO(uapi.CommandBase), &struct{}{})
		guard, err := toy.dev.RegistrationGuard()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		removed := make(chan error, 1)
		go func() { removed <- toy.parent.Remove(context.Background()) }()
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if r := slow.take(); r != nil {
			t.Errorf("reported before its time: %+v", r)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		r := slow.take()
		if len(r) != 1 || r[0].Finished || r[0].Inside || r[0].Device != toy.dev || r[0].Waited != time.Second || r[0].Others != 1 || len(r[0].Guards) != 1 {
			t.Fatalf("reported: %+v", r)
		}
		if g := r[0].Guards[0]; g.What != "ioctl 0x6440" || g.Client != drmtest.Self() || !g.Since.Equal(begin) || g.Stack != "" {
			t.Errorf("the request is reported as %+v", g)
		}

		// Again when the wait has doubled, and when it is over.
		guard.Exit()
		time.Sleep(time.Second)
		synctest.Wait()
		if r := slow.take(); len(r) != 1 || r[0].Waited != 2*time.Second || r[0].Others != 0 || len(r[0].Guards) != 1 {
			t.Errorf("reported again: %+v", r)
		}
		time.Sleep(500 * time.Millisecond)
		close(stuck)
		if err := <-removed; err != nil {
			t.Error(err)
		}
		if r := slow.take(); len(r) != 1 || !r[0].Finished || r[0].Waited != 2500*time.Millisecond {
			t.Errorf("reported at the end: %+v", r)
		}
	})
	lines := reports.Take()
	for _, want := range []string{"waits for open guards", "what=ioctl 0x6440", "the unplug goes on"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("no line of the log says %q:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

// A fast unplug is not reported.
func TestFastDrainIsNotReported(t *testing.T) {
	var slow slowDrains
	reports := new(drmtest.Reports)
	toy := newUnregisteredToyOf(t, drm.NewClass(drm.ClassOptions{DrainWatch: slow.watch(time.Hour), Logger: reports.Logger()}), &drm.Driver{})
	toy.register(t, nil)
	if err := toy.parent.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r, lines := slow.take(), reports.Take(); r != nil || lines != nil {
		t.Errorf("reported: %+v %q", r, lines)
	}
}

// Close from inside the caller's own guard returns at once and does nothing, if
// it can know: from the context, or in any case when guards are checked. Unbind
// and Remove know it from the context.
func TestCloseInsideGuard(t *testing.T) {
	for _, checked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var toy *toy
			refused := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, drm.ErrInsideGuard) || !errors.Is(err, unix.EDEADLK) {
					t.Errorf("checked %v: %s inside a guard: %v", checked, what, err)
				}
				if toy.dev.State() != drm.Live || !toy.bound.Bound() {
					t.Fatalf("checked %v: %s inside a guard left the device %v", checked, what, toy.dev.State())
				}
			}
			all := func(what string, ctx context.Context) {
				t.Helper()
				refused(what+" Close", toy.reg.Close(ctx))      //lint:ignore guardcheck to see it refused
				refused(what+" Unbind", toy.parent.Unbind(ctx)) //lint:ignore guardcheck to see it refused
				refused(what+" Remove", toy.parent.Remove(ctx)) //lint:ignore guardcheck to see it refused
			}
			toy = newUnregisteredToyOf(t, drm.NewClass(drm.ClassOptions{CheckGuards: checked}), &drm.Driver{Ioctls: []drm.Ioctl{
				toyIoctl(0, 0, func(_ *drm.RegisteredDevice, req *drm.Request) error {
					all("request:", req.Context())
					return nil
				})}})
			toy.register(t, nil)
			err := toy.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
				ctx, cancel := context.WithCancel(dev.Context())
				defer cancel()
				all("guard:", dev.Context())
				all("derived context:", ctx)
				if checked {
					refused("Close without a context", toy.reg.Close(context.Background())) //lint:ignore guardcheck to see it refused
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if err := call(drmtest.Open(t, toy.dev.Primary()), 0); err != nil {
				t.Error(err)
			}
			if err := toy.reg.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if toy.dev.State() != drm.Drained {
				t.Errorf("closed outside of any guard, the device is %v", toy.dev.State())
			}
		})
	}
}

// A guard of another device is no obstacle, whichever context comes with it.
func TestCloseInsideGuardOfAnotherDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newToy(t, &drm.Driver{}), newToy(t, &drm.Driver{})
		if err := one.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
			return errors.Join(other.reg.Close(dev.Context()), other.parent.Unbind(dev.Context()), other.parent.Remove(dev.Context()))
		}); err != nil {
			t.Error(err)
		}
	})
}

// The end of the context ends the wait, and the unplug goes on.
func TestCloseIsNotCancelled(t *testing.T) {
	for what, end := range map[string]func(*toy, context.Context) error{
		"Close":  func(toy *toy, ctx context.Context) error { return toy.reg.Close(ctx) },
		"Unbind": func(toy *toy, ctx context.Context) error { return toy.parent.Unbind(ctx) },
		"Remove": func(toy *toy, ctx context.Context) error { return toy.parent.Remove(ctx) },
	} {
		synctest.Test(t, func(t *testing.T) {
			toy := newToy(t, &drm.Driver{})
			guard, err := toy.dev.RegistrationGuard()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error)
			go func() { ended <- end(toy, ctx) }()
			synctest.Wait()
			cancel(errBroken)
			if err := <-ended; !errors.Is(err, errBroken) {
				t.Errorf("%s after the end of its context: %v", what, err)
			}
			if toy.dev.State() != drm.Unplugging {
				t.Errorf("%s has left the device %v", what, toy.dev.State())
			}
			guard.Exit()
			synctest.Wait()
			if toy.dev.State() < drm.Drained {
				t.Errorf("after the last guard, %s has left the device %v", what, toy.dev.State())
			}
			toy.reg.Close(t.Context()) // waits for the unplug that goes on
		})
	}
}

func TestCloseLaterInsideGuard(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	var done <-chan error
	err := toy.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
		done = toy.reg.CloseLater()
		<-dev.Context().Done() // it has begun, and waits for us
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if toy.dev.State() != drm.Drained {
		t.Errorf("closed later, the device is %v", toy.dev.State())
	}
}

// TestUnbindInsideGuardIsReported checks that the report of an unbind inside a
// guard of the device says so.
func TestUnbindInsideGuardIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow slowDrains
		class := drm.NewClass(drm.ClassOptions{CheckGuards: true, DrainWatch: slow.watch(time.Second)})
		toy := newUnregisteredToyOf(t, class, &drm.Driver{})
		toy.register(t, nil)
		guards, removed := make(chan *drm.RegistrationGuard, 1), make(chan error, 1)
		go func() {
			guard, err := toy.dev.RegistrationGuard()
			if err != nil {
				t.Error(err)
			}
			guards <- &guard
			removed <- toy.parent.Remove(context.Background())
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		r := slow.take()
		if len(r) != 1 || !r[0].Inside || len(r[0].Guards) != 1 || !strings.Contains(r[0].Guards[0].Stack, "TestUnbindInsideGuardIsReported") {
			t.Errorf("reported: %+v", r)
		}
		(<-guards).Exit()
		if err := <-removed; err != nil {
			t.Error(err)
		}
	})
}
