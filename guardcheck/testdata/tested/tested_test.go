package tested

import (
	"errors"
	"testing"

	"github.com/udrm/udrm/drm"
)

var device *drm.Device

// A test that guards are refused.
func TestRefused(t *testing.T) {
	if _, err := device.RegistrationGuard(); !errors.Is(err, drm.ErrUnplugged) {
		t.Errorf("a guard of an unplugged device: %v", err)
	}
	if _, err := device.RegistrationGuard(); err == nil {
		t.Error("a guard of an unplugged device")
	}
}

// A test that holds a guard up to a certain point.
func TestHeld(t *testing.T) {
	guard, err := device.RegistrationGuard()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.Log(device.Files())
	}()
	t.Log("still open")
	guard.Exit()
	<-done
}

func enter(tb testing.TB) *drm.RegistrationGuard {
	tb.Helper()
	guard, err := device.RegistrationGuard()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(guard.Exit)
	return &guard
}

func use(tb testing.TB) {
	guard, err := device.RegistrationGuard()
	if err != nil {
		tb.Fatalf("no guard: %v", err)
	}
	defer guard.Exit()
}

func TestDropped(t *testing.T) {
	device.RegistrationGuard() // want `the guard is dropped`
}

func TestLeaked(t *testing.T) {
	guard, err := device.RegistrationGuard() // want `guard is not exited on any path`
	if err != nil {
		t.Fatal(err)
	}
	t.Log(guard.Device().Name())
}

func BenchmarkGuard(b *testing.B) {
	for b.Loop() {
		guard, err := device.RegistrationGuard()
		if err != nil {
			b.Fatal(err)
		}
		guard.Exit()
	}
}

func BenchmarkParallel(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			guard, err := device.RegistrationGuard()
			if err != nil {
				b.Error(err)
				return
			}
			guard.Exit()
		}
	})
}
