package drm_test

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Before and after a registration, guards are refused, with two different
// errors, both ENODEV. In between they are granted.
func TestGuardBeforeAndAfter(t *testing.T) {
	toy := newUnregisteredToy(t, &drm.Driver{})
	refused := func(when string, want, other error) {
		t.Helper()
		guard, err := toy.dev.RegistrationGuard()
		closureErr := toy.dev.WithGuard(func(*drm.RegisteredDevice) error {
			t.Errorf("%s: WithGuard runs its function", when)
			return nil
		})
		for _, err := range []error{err, closureErr} {
			if !errors.Is(err, want) || errors.Is(err, other) || !errors.Is(err, unix.ENODEV) {
				t.Errorf("%s: %v, want %v", when, err, want)
			}
		}
		if guard.Device() != nil {
			t.Errorf("%s: a guard that was refused has a registered view", when)
		}
		expectPanic(t, when+": Exit of a guard that was refused", guard.Exit)
		if n := toy.dev.Guards(); n != 0 {
			t.Errorf("%s: %d guards are open", when, n)
		}
	}
	states := []drm.State{toy.dev.State()}

	refused("before", drm.ErrNotRegistered, drm.ErrUnplugged)
	toy.register(t, "registration data")
	states = append(states, toy.dev.State())

	guard, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	dev := guard.Device()
	ctx := dev.Context()
	if dev.Parent() != toy.bound || !dev.Parent().Bound() || dev.Device.Parent() != toy.parent {
		t.Error("inside a guard the parent is not the bound one")
	}
	if drm.RegistrationData[any](dev) != "registration data" || drm.Data[any](dev.Device) != "driver data" {
		t.Errorf("inside a guard the data is %v and %v", drm.RegistrationData[any](dev), drm.Data[any](dev.Device))
	}
	if ctx.Err() != nil || toy.dev.Guards() != 1 {
		t.Errorf("inside a guard: context %v, %d guards", ctx.Err(), toy.dev.Guards())
	}
	guard.Exit()
	if err := toy.dev.WithGuard(func(inner *drm.RegisteredDevice) error {
		if inner != dev || toy.dev.Guards() != 1 {
			t.Error("WithGuard gives another view, or holds no guard")
		}
		return errBroken
	}); !errors.Is(err, errBroken) {
		t.Errorf("WithGuard returned %v, not the error of its function", err)
	}

	if err := toy.reg.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	states = append(states, toy.dev.State())
	refused("after", drm.ErrUnplugged, drm.ErrNotRegistered)
	//lint:ignore guardcheck what a kept view leads to is what is tested
	if dev.Parent() != nil || drm.RegistrationData[any](dev) != nil {
		t.Error("a view that was kept beyond its guard still leads to what is gone")
	}
	if cause := context.Cause(ctx); !errors.Is(cause, drm.ErrUnplugged) {
		t.Errorf("the context of the guard ended because of %v", cause)
	}
	if err := toy.parent.Unbind(context.Background()); err != nil {
		t.Fatal(err)
	}
	states = append(states, toy.dev.State())
	refused("gone", drm.ErrUnplugged, drm.ErrNotRegistered)
	if want := []drm.State{drm.New, drm.Live, drm.Drained, drm.Gone}; !equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if drm.Data[any](toy.dev) != "driver data" || toy.dev.Name() != "card0" {
		t.Error("the general view is of no use after the unplug")
	}
}

func equal[T comparable](a, b []T) bool {
	for i := range a {
		if len(a) != len(b) || a[i] != b[i] {
			return false
		}
	}
	return true
}

func expectPanic(t testing.TB, what string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	f()
}

// A driver that runs before its device is registered must be able to tell that
// from an unplug: a guard that is a moment too early fails with
// ErrNotRegistered.
func TestGuardAroundRegistering(t *testing.T) {
	for range 2000 {
		toy := newUnregisteredToy(t, &drm.Driver{})
		var wg, ready sync.WaitGroup
		for range 2 {
			ready.Add(1)
			wg.Go(func() {
				for tries := 0; ; tries++ {
					err := toy.dev.WithGuard(func(dev *drm.RegisteredDevice) error {
						if !dev.Parent().Bound() || drm.RegistrationData[any](dev) != "data" {
							t.Error("a guard on a device that is not set up")
						}
						return nil
					})
					if tries == 0 {
						ready.Done()
					}
					if err == nil {
						return
					}
					if !errors.Is(err, drm.ErrNotRegistered) {
						t.Errorf("a guard around the registration is refused with %v", err)
						return
					}
					if tries%100 == 99 {
						runtime.Gosched()
					}
				}
			})
		}
		ready.Wait()
		toy.register(t, "data")
		wg.Wait()
		if err := toy.parent.Remove(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSecondExitPanics(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	first, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	second, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	first.Exit()
	expectPanic(t, "a second Exit", first.Exit)
	if n := toy.dev.Guards(); n != 1 {
		t.Errorf("after a second Exit of one guard %d are open, want the other one", n)
	}
	if first.Device() != nil {
		t.Error("a guard has a registered view after Exit")
	}
	second.Exit()
}

func TestWithGuardExitsOnPanic(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	expectPanic(t, "WithGuard of a function that panics", func() {
		toy.dev.WithGuard(func(*drm.RegisteredDevice) error { panic("broken toy") })
	})
	if n := toy.dev.Guards(); n != 0 {
		t.Errorf("%d guards are left open", n)
	}
}

// Exit is as long as the compiler inlines at the most: one thing more, and
// every guard takes a fifth longer.
func TestExitIsInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("building the package: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "can inline (*RegistrationGuard).Exit\n") {
		t.Error("the compiler does not inline RegistrationGuard.Exit; ask it why: go build -gcflags=-m=2 ./drm")
	}
}

func TestGuardDoesNotAllocate(t *testing.T) {
	toy := newToy(t, &drm.Driver{})
	if n := testing.AllocsPerRun(100, func() {
		guard, err := toy.dev.RegistrationGuard()
		if err != nil {
			t.Fatal(err)
		}
		guard.Exit()
	}); n != 0 {
		t.Errorf("a guard allocates %v times", n)
	}
}

// While a guard is open the unplug has not gone past it: the parent is bound
// and its resources are there. A guard may be exited by another goroutine.
func TestUnplugWaitsForGuards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toy := newUnregisteredToy(t, &drm.Driver{})
		l := &logbook{}
		toy.register(t, releaser(func() { l.write("data released") }))
		guards := make([]drm.RegistrationGuard, 3)
		for i := range guards {
			var err error
			if guards[i], err = toy.dev.RegistrationGuard(); err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			if err := toy.parent.Remove(context.Background()); err != nil {
				t.Error(err)
			}
			l.write("removed")
		}()
		for i := range guards {
			synctest.Wait()
			dev := guards[i].Device()
			if toy.dev.State() != drm.Unplugging || !dev.Parent().Bound() || drm.RegistrationData[any](dev) == nil {
				t.Errorf("with guards open: %v, bound %v", toy.dev.State(), dev.Parent().Bound())
			}
			if dev.Context().Err() == nil {
				t.Error("the context of a guard has not ended in an unplug")
			}
			if _, err := toy.dev.RegistrationGuard(); !errors.Is(err, drm.ErrUnplugged) {
				t.Errorf("a new guard in an unplug: %v", err)
			}
			l.expect(t)
			go guards[i].Exit()
		}
		synctest.Wait()
		l.expect(t, "data released", "removed")
		if toy.bound.Bound() {
			t.Error("the parent is still bound")
		}
	})
}

// releaser is registration data whose Release calls a function.
type releaser func()

func (r releaser) Release() { r() }

// A device has a domain of its own: guards of other devices do not delay its
// unplug.
func TestUnplugIgnoresOtherDevices(t *testing.T) {
	one, other := newToy(t, &drm.Driver{}), newToy(t, &drm.Driver{})
	guard, err := other.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	if err := one.parent.Remove(context.Background()); err != nil { // or the test hangs
		t.Fatal(err)
	}
	if guard.Device().Context().Err() != nil || !guard.Device().Parent().Bound() {
		t.Error("the unplug of one device disturbs another")
	}
	guard.Exit()
}
