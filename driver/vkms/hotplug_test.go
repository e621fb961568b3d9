package vkms_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// monitor returns a monitor with an EDID and a single mode of the given size.
func monitor(t *testing.T, name string, width, height int) *kms.Monitor {
	t.Helper()
	timing, err := mode.For(width, height, 60)
	if err != nil {
		t.Fatal(err)
	}
	described := edid.Monitor{Name: name, WidthMM: width, HeightMM: height, Modes: []mode.Mode{timing}}
	data, err := described.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m, err := kms.MonitorFromEDID(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestHotplugStorm plugs and unplugs monitors while clients probe, and then
// removes the device. A client must never see parts of two monitors at once,
// and nothing may be left behind.
func TestHotplugStorm(t *testing.T) {
	drmtest.NoLeaks(t)
	monitors := []*kms.Monitor{monitor(t, "one", 640, 480), monitor(t, "two", 800, 600), monitor(t, "three", 1024, 768)}
	driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), vkms.Config{Topology: vkms.NewTopology(1, []vkms.Connector{{Monitor: monitors[0]}}, &vkms.Config{})})
	dev, err := bus.New("platform").Add("vkms")
	if err == nil {
		err = dev.Bind(driver.BusDriver())
	}
	if err != nil {
		t.Fatal(err)
	}
	id := driver.ModeConfig().Connectors()[0].ID()
	objects := driver.ModeConfig().Objects()
	var clients sync.WaitGroup
	for range 3 {
		c, err := drmtest.OpenAs(driver.Device().Primary(), drm.Client{PID: 1})
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			defer c.File.Close()
			for {
				arg := uapi.ModeGetConnector{ConnectorID: id}
				if err := drmtest.Ioctl(c, uapi.IoctlModeGetConnector, &arg); err != nil {
					if !errors.Is(err, unix.ENODEV) {
						t.Error(err)
					}
					return
				}
				if connected := arg.Connection == uapi.ModeConnected; connected != (arg.CountModes == 1) || connected != (arg.MmWidth > 0) {
					t.Errorf("parts of two monitors: %+v", arg)
				}
			}
		})
	}
	for i := range 3000 {
		var err error
		if i%4 == 3 {
			err = driver.Hotplug("Virtual-1", uapi.ModeDisconnected, nil)
		} else {
			err = driver.Hotplug("Virtual-1", uapi.ModeConnected, monitors[i%3])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := driver.Hotplug("Virtual-1", uapi.ModeConnected, nil); err != nil {
		t.Error(err)
	}
	if n := driver.ModeConfig().Objects(); n != objects {
		t.Errorf("%d objects, want the %d from before", n, objects)
	}
	if err := dev.Remove(context.Background()); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if err := driver.Hotplug("Virtual-1", uapi.ModeConnected, nil); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a hotplug of a removed device: %v, want ENODEV", err)
	}
}
