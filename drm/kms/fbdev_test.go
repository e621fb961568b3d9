package kms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// Requests of linux/fb.h.
const (
	fbGetScreen = 0x4600
	fbPan       = 0x4606
	fbBlank     = 0x4611
)

// Indices in struct fb_var_screeninfo as an array of 40 numbers.
const fbXRes, fbXVirtual, fbXOffset = 0, 2, 4

// An fbClient makes requests on /dev/fbN.
type fbClient struct {
	*drmtest.Client
	dev *drm.Chardev
}

func (c fbClient) ioctl(cmd uint32, arg uint64) error {
	return c.dev.Ioctl(context.Background(), c.Client, cmd, arg)
}

func (c fbClient) screen(t *testing.T) []uint32 {
	t.Helper()
	s := make([]uint32, 40)
	addr := drmtest.PutSlice(c.Arena, s)
	if err := c.ioctl(fbGetScreen, addr); err != nil {
		t.Fatal(err)
	}
	if err := drmtest.GetSlice(c.Arena, s, addr); err != nil {
		t.Fatal(err)
	}
	return s
}

func (c fbClient) pan(s []uint32) error { return c.ioctl(fbPan, drmtest.PutSlice(c.Arena, s)) }

// fbdevs returns the fbdev devices of a class, by name.
func fbdevs(class *drm.Class) map[string]*drm.Chardev {
	found := make(map[string]*drm.Chardev)
	for _, k := range class.Kobjects() {
		if k.Class == "graphics" {
			found[k.Name] = k.Chardev
		}
	}
	return found
}

// newConsole makes a card with a console and monitors of the given widths, 600
// lines high; 0 stands for no monitor.
func newConsole(t *testing.T, class *drm.Class, name string, widths ...int) *vkms.Driver {
	config := vkms.ConfigOf(drm.Linux72)
	config.Clock = new(kms.ManualClock)
	var connectors []vkms.Connector
	for _, width := range widths {
		c := vkms.Connector{Name: fmt.Sprint(len(connectors)), Status: uapi.ModeDisconnected}
		if width > 0 {
			c.Status, c.Monitor = uapi.ModeConnected, monitorOf(t, width)
		}
		connectors = append(connectors, c)
	}
	config.Topology = vkms.NewTopology(len(widths), connectors, &config)
	driver := vkms.NewDriver(class, config)
	drmtest.Bind(t, bus.New("faux"), name, driver.BusDriver())
	return driver
}

func monitorOf(t *testing.T, width int) *kms.Monitor {
	timing, err := mode.For(width, 600, 60)
	if err != nil {
		t.Fatal(err)
	}
	return &kms.Monitor{Modes: []mode.Mode{timing}}
}

// TestFbdevPan checks that the screen has the size that all monitors show, and
// that no pan leaves the framebuffer on one of them.
func TestFbdevPan(t *testing.T) {
	drmtest.NoLeaks(t)
	class := newClass(t)
	driver := newConsole(t, class, "vkms", 640, 800)
	c := fbClient{drmtest.Open(t, driver.Device().Primary()), fbdevs(class)["fb0"]}
	if s := c.screen(t); s[fbXRes] != 640 || s[fbXVirtual] != 800 {
		t.Fatalf("the screen is %v", s)
	}
	if err := c.File.Close(); err != nil {
		t.Fatal(err)
	}
	s := c.screen(t)
	for offset, want := range map[uint32]error{160: unix.ENOSPC, 161: unix.EINVAL, 0: nil} {
		s[fbXOffset] = offset
		if err := c.pan(s); !errors.Is(err, want) {
			t.Errorf("a pan to %d: %v, want %v", offset, err, want)
		}
	}
}

// TestFbdevMaster checks what fbdev refuses while a client is master of the card.
func TestFbdevMaster(t *testing.T) {
	drmtest.NoLeaks(t)
	class := newClass(t)
	driver := newConsole(t, class, "vkms", 800)
	c := fbClient{drmtest.Open(t, driver.Device().Primary()), fbdevs(class)["fb0"]}
	s := c.screen(t)
	if err := c.pan(s); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a pan beside a master: %v", err)
	}
	active := func() bool { return driver.ModeConfig().State().CRTC(driver.ModeConfig().CRTCs()[0]).Active }
	if err := c.ioctl(fbBlank, 4); err != nil || !active() {
		t.Errorf("blanking beside a master: %v, active %v", err, active())
	}
	if err := c.File.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.ioctl(fbBlank, 4); err != nil || active() {
		t.Errorf("blanking: %v, active %v", err, active())
	}
	if err := c.pan(s); err != nil || !active() {
		t.Errorf("a pan: %v, active %v", err, active())
	}
}

// TestFbdevLife checks that fbdev devices come with the first monitor, have the
// lowest free numbers, and go with their cards.
func TestFbdevLife(t *testing.T) {
	drmtest.NoLeaks(t)
	class := newClass(t)
	first := newConsole(t, class, "first", 0)
	names := func(want ...string) {
		t.Helper()
		got := []string{}
		for name := range fbdevs(class) {
			got = append(got, name)
		}
		slices.Sort(got)
		if !slices.Equal(got, append([]string{}, want...)) {
			t.Errorf("devices %q, want %q", got, want)
		}
	}
	names()
	second := newConsole(t, class, "second", 800)
	names("fb0")
	if err := first.Hotplug("Virtual-1", uapi.ModeConnected, monitorOf(t, 640)); err != nil {
		t.Fatal(err)
	}
	names("fb0", "fb1")
	dev := fbdevs(class)["fb0"]
	if err := second.Device().Parent().Unbind(context.Background()); err != nil {
		t.Fatal(err)
	}
	names("fb1")
	if err := dev.Ioctl(context.Background(), nil, fbBlank, 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a request on the device of an unplugged card: %v", err)
	}
	if _, err := dev.Memory(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("opening the device of an unplugged card: %v", err)
	}
	newConsole(t, class, "third", 800)
	names("fb0", "fb1")
}
