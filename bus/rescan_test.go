package bus_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
)

// TestRebindByName checks that a device goes back to its last driver, by name.
func TestRebindByName(t *testing.T) {
	b := bus.New("platform")
	dev, err := b.Add("dev")
	if err != nil {
		t.Fatal(err)
	}
	var probed []string
	a := &bus.Driver{Name: "a", Probe: func(*bus.BoundDevice) error { probed = append(probed, "a"); return nil }}
	c := &bus.Driver{Name: "c", Probe: func(*bus.BoundDevice) error { probed = append(probed, "c"); return unix.EIO }}
	step := func(what string, err error, want unix.Errno) {
		t.Helper()
		if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	step("rebind of a device that was never bound", dev.Rebind("a"), unix.ENODEV)
	step("bind", dev.Bind(a), 0)
	step("rebind of a bound device", dev.Rebind("a"), unix.EBUSY)
	step("unbind", dev.Unbind(context.Background()), 0)
	step("rebind to another driver", dev.Rebind("c"), unix.ENODEV)
	step("rebind", dev.Rebind("a"), 0)
	step("unbind", dev.Unbind(context.Background()), 0)
	step("bind that fails", dev.Bind(c), unix.EIO)
	step("rebind that fails", dev.Rebind("c"), unix.EIO)
	if want := []string{"a", "a", "c", "c"}; !slices.Equal(probed, want) {
		t.Errorf("probed: %v, want %v", probed, want)
	}
	if dev.Removed() {
		t.Error("removed before it was")
	}
	step("remove", dev.Remove(context.Background()), 0)
	if !dev.Removed() {
		t.Error("not removed")
	}
	step("rebind of a removed device", dev.Rebind("c"), unix.ENODEV)
	if got, want := b.Drivers(), []string{"a", "c"}; !slices.Equal(got, want) {
		t.Errorf("drivers: %v, want %v", got, want)
	}
}

func TestRescan(t *testing.T) {
	b := bus.New("platform")
	if err := b.Rescan(); !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("a bus that cannot find its devices: %v", err)
	}
	b.OnRescan(func() error {
		_, err := b.Add("dev")
		return err
	})
	if err := b.Rescan(); err != nil || b.Device("dev") == nil {
		t.Errorf("rescan: %v, the device is %v", err, b.Device("dev"))
	}
	if err := b.Rescan(); !errors.Is(err, unix.EEXIST) {
		t.Errorf("the error of the function that finds devices is lost: %v", err)
	}
}
