package drm_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
)

// checkedClass returns a class whose devices check the use of their guards.
func checkedClass() *drm.Class {
	return drm.NewClass(drm.ClassOptions{CheckGuards: true})
}

// mustPanic runs f and returns what it panicked with.
func mustPanic(t *testing.T, what string, f func()) (message string) {
	t.Helper()
	defer func() {
		p := recover()
		if p == nil {
			t.Errorf("%s does not panic", what)
		}
		message = fmt.Sprint(p)
	}()
	f()
	return ""
}

// After Exit, methods of the view that lead to the hardware panic; those of the
// device in general still work.
func TestCheckedViewEndsWithItsGuard(t *testing.T) {
	toy := newUnregisteredToyOf(t, checkedClass(), &drm.Driver{})
	toy.register(t, "data")
	guard, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	other, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Exit()
	dev := guard.Device()
	if dev.Parent() != toy.bound || drm.RegistrationData[any](dev) != "data" {
		t.Error("inside the guard the view does not work")
	}
	guard.Exit()
	for what, use := range map[string]func(){
		"Parent":           func() { dev.Parent() },
		"RegistrationData": func() { drm.RegistrationData[any](dev) },
		"Context":          func() { dev.Context() },
	} {
		if said := mustPanic(t, what+" after Exit", use); !strings.Contains(said, "TestCheckedViewEndsWithItsGuard") {
			t.Errorf("%s after Exit does not say where the guard was taken: %s", what, said)
		}
	}
	if dev.Name() != toy.dev.Name() || drm.Data[any](dev.Device) != "driver data" {
		t.Error("after Exit the view is not even the device in general")
	}
	other.Device().Parent() // another guard's view is not concerned
}

// The Exit of a copy of a guard, which go vet reports, panics.
func TestCheckedCopyExitsOnce(t *testing.T) {
	toy := newUnregisteredToyOf(t, checkedClass(), &drm.Driver{})
	toy.register(t, nil)
	guard, err := toy.dev.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	value := reflect.New(reflect.TypeFor[drm.RegistrationGuard]()) // go vet reports plain copies
	value.Elem().Set(reflect.ValueOf(&guard).Elem())
	copied := value.Interface().(*drm.RegistrationGuard)
	guard.Exit()
	if said := mustPanic(t, "Exit of a copy", copied.Exit); !strings.Contains(said, "TestCheckedCopyExitsOnce") {
		t.Errorf("Exit of a copy does not say where the guard was taken: %s", said)
	}
	if n := toy.dev.Guards(); n != 0 {
		t.Errorf("%d guards are open", n)
	}
}

func TestOpenGuardsAreOldestFirst(t *testing.T) {
	toy := newUnregisteredToyOf(t, checkedClass(), &drm.Driver{})
	toy.register(t, nil)
	guards := make([]drm.RegistrationGuard, 4)
	for i := range guards {
		var err error
		if guards[i], err = toy.dev.RegistrationGuard(); err != nil {
			t.Fatal(err)
		}
	}
	guards[1].Exit()
	guards[3].Exit()
	open := toy.dev.OpenGuards()
	if len(open) != 2 || open[1].Since.Before(open[0].Since) || open[0].What != "guard" {
		t.Errorf("open are %+v", open)
	}
	guards[0].Exit()
	guards[2].Exit()
	if open := toy.dev.OpenGuards(); open != nil {
		t.Errorf("open are %+v", open)
	}
}
