package drm_test

import (
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

// stuckIoctl makes a toy whose GET_STATS-like request, deaf to the unplug,
// waits for the end of stuck.
func stuckIoctl(stuck <-chan struct{}) drm.Ioctl {
	return drm.NewIoctl(uapi.IO(uapi.CommandBase), 0, func(*drm.RegisteredDevice, *drm.Request, *struct{}) error {
		<-stuck
		return nil
	})
}

func TestSlowDrainIsReported(t *testing.T) {
	reports := drmtest.CollectReports(t)
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		toy := newToy(t, &toyDriver{ioctls: []drm.Ioctl{stuckIoctl(stuck)}})
		var slow slowDrains
		toy.class.SetDrainWatch(slow.watch(time.Second))
		c := drmtest.Open(t, toy.dev.Primary())
		begin := time.Now()
		go drmtest.Ioctl(c, uapi.IO(uapi.CommandBase), &struct{}{})
		guard, err := toy.dev.RegistrationGuard()
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()

		removed := make(chan error, 1)
		go func() { removed <- toy.parent.Remove() }()
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

// A fast unplug says nothing.
func TestFastDrainIsNotReported(t *testing.T) {
	var slow slowDrains
	reports := drmtest.CollectReports(t)
	toy := newToy(t, &toyDriver{})
	toy.class.SetDrainWatch(slow.watch(time.Hour))
	if err := toy.parent.Remove(); err != nil {
		t.Fatal(err)
	}
	if r, lines := slow.take(), reports.Take(); r != nil || lines != nil {
		t.Errorf("reported: %+v %q", r, lines)
	}
}

// Closing from inside one's own guard does not hang: in a handler and in
// WithGuard after the time of the watch, everywhere and at once when guards
// are checked.
func TestCloseInsideGuard(t *testing.T) {
	drmtest.CollectReports(t)
	for _, checked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var slow slowDrains
			class := drm.NewClass()
			if checked {
				class = checkedClass()
			}
			toy := newUnregisteredToyOf(t, class, &toyDriver{})
			toy.register(t, nil)
			toy.class.SetDrainWatch(slow.watch(time.Minute))
			begin := time.Now()
			err := toy.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
				err := toy.reg.Close() //lint:ignore guardcheck to see it refused
				if !dev.Parent().Bound() || dev.Context().Err() == nil {
					t.Error("the unplug has gone past an open guard, or has not begun")
				}
				return err
			})
			if !errors.Is(err, drm.ErrInsideGuard) || !errors.Is(err, unix.EDEADLK) {
				t.Errorf("Close inside a guard: %v", err)
			}
			want := time.Minute
			if checked {
				want = 0
			}
			if waited := time.Since(begin); waited != want {
				t.Errorf("checked %v: found after %v, want %v", checked, waited, want)
			}
			if err := toy.reg.Close(); err != nil { // the guard has exited
				t.Error(err)
			}
			if toy.dev.State() != drm.Drained {
				t.Errorf("after the guard's exit the device is %v", toy.dev.State())
			}
		})
	}
}

// Somebody else's guard is waited for, also from inside a guard of another
// device.
func TestCloseInsideGuardOfAnotherDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := newToy(t, &toyDriver{}), newToy(t, &toyDriver{})
		if err := one.dev.WithGuard(func(*drm.RegisteredDevice) error { return other.reg.Close() }); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseLaterInsideGuard(t *testing.T) {
	toy := newToy(t, &toyDriver{})
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

// An unbind inside a guard of a device on it cannot end before that guard:
// the report says so.
func TestUnbindInsideGuardIsReported(t *testing.T) {
	drmtest.CollectReports(t)
	synctest.Test(t, func(t *testing.T) {
		toy := newUnregisteredToyOf(t, checkedClass(), &toyDriver{})
		toy.register(t, nil)
		var slow slowDrains
		toy.class.SetDrainWatch(slow.watch(time.Second))
		guards, removed := make(chan *drm.RegistrationGuard, 1), make(chan error, 1)
		go func() {
			guard, err := toy.dev.RegistrationGuard()
			if err != nil {
				t.Error(err)
			}
			guards <- &guard
			removed <- toy.parent.Remove()
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
