package vkms_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestStorm plugs and unplugs a card again and again while clients use it. An
// access to the driver's hardware without a guard, or without a bound parent,
// fails the test.
func TestStorm(t *testing.T) {
	cycles := 100
	if testing.Short() {
		cycles = 10
	}
	drmtest.NoLeaks(t)
	reports := new(drmtest.Reports)
	var misuses atomic.Int64
	config := vkms.DefaultConfig()
	config.Misuse = func(err error) { misuses.Add(1); t.Error(err) }
	class, platform := drm.NewClass(drm.ClassOptions{Logger: reports.Logger()}), bus.New("platform")
	var requests atomic.Int64
	for cycle := range cycles {
		dev, err := platform.Add("vkms")
		if err != nil {
			t.Fatal(err)
		}
		driver := vkms.NewDriver(class, config)
		if err := dev.Bind(driver.BusDriver()); err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		atWork := make(chan struct{}, 4)
		for i := range cap(atWork) {
			clients.Go(func() {
				if err := work(driver.Device().Primary(), uint64(cycle*8+i), atWork, &requests); !errors.Is(err, unix.ENODEV) {
					t.Errorf("a client ended with %v, not with ENODEV", err)
				}
			})
		}
		for range cap(atWork) {
			<-atWork
		}
		if cycle%2 == 0 {
			err = dev.Remove(context.Background())
		} else if err = dev.Unbind(context.Background()); err == nil {
			err = dev.Remove(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		clients.Wait()
		if state := driver.Device().State(); state != drm.Gone {
			t.Errorf("the device is %v", state)
		}
		if n := driver.Buffers().Objects(); n != 0 {
			t.Errorf("%d buffers are left", n)
		}
	}
	for _, line := range reports.Take() {
		t.Errorf("reported: %s", line)
	}
	t.Logf("%d requests, %d misuses of the hardware", requests.Load(), misuses.Load())
}

// work sends requests until one fails with ENODEV, and returns that error.
func work(m *drm.Minor, seed uint64, atWork chan<- struct{}, requests *atomic.Int64) error {
	begun := sync.OnceFunc(func() { atWork <- struct{}{} })
	defer begun()
	c, err := drmtest.OpenAs(m, drm.Client{PID: int(seed), Admin: true})
	if err != nil {
		return err
	}
	defer c.File.Close()
	r := rand.New(rand.NewPCG(seed, 0))
	kms := kmsclient.New(c.Process())
	d, err := kms.Display()
	if err != nil {
		return err
	}
	dumb, err := kms.CreateDumb(1024, 768, 32)
	if err != nil {
		return err
	}
	fb, err := kms.AddFB(&dumb, uapi.FormatXRGB8888)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i == 3 {
			begun()
		}
		requests.Add(1)
		switch r.IntN(9) {
		case 0:
			err = kms.SetCRTC(d, fb, d.Mode)
		case 1:
			err = kms.Disable(d.CRTC)
		case 2, 3:
			err = kms.PageFlip(d.CRTC, fb, 0)
		case 4:
			err = drmtest.Ioctl(c, uapi.IoctlWaitVblank, &uapi.WaitVblankReply{Type: uapi.VblankRelative, Sequence: 1})
		case 5:
			err = drmtest.Ioctl(c, uapi.IoctlWaitVblank, &uapi.WaitVblankReply{Type: uapi.VblankRelative | uapi.VblankEvent, Sequence: 2})
		case 6:
			err = drmtest.Ioctl(c, uapi.IoctlModeCursor, &uapi.ModeCursor{
				CRTCID: d.CRTC, Flags: uapi.ModeCursorBO | uapi.ModeCursorMove, Width: 64, Height: 64, Handle: dumb.Handle,
			})
		case 7:
			_, err = kms.GetConnector(d.ID)
		case 8:
			_, err = c.File.Read(context.Background(), make([]byte, 1024), true)
		}
		if errors.Is(err, unix.ENODEV) {
			return err
		}
	}
}

// TestMisuseIsCaught checks that the driver reports an access to the hardware
// with a registered view that outlived its guard.
func TestMisuseIsCaught(t *testing.T) {
	var caught []error
	config := vkms.DefaultConfig()
	config.Misuse = func(err error) { caught = append(caught, err) }
	driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), config)
	drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
	kept := keepView(t, driver)
	if err := vkms.TouchHardware(kept); err != nil {
		t.Fatal(err)
	}
	if len(caught) != 1 {
		t.Errorf("an access outside of a guard was reported %d times, want 1: %v", len(caught), caught)
	}
}

// keepView breaks the rule: it lets the registered view out of its guard.
func keepView(t *testing.T, driver *vkms.Driver) (kept *drm.RegisteredDevice) {
	err := driver.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		//lint:ignore guardcheck this misuse is under test
		kept = dev
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// TestTouchingUnboundHardwareFaults checks that an access to the registers
// after the unbind kills the process: their page is unmapped.
func TestTouchingUnboundHardwareFaults(t *testing.T) {
	const env = "VKMS_TOUCH_UNBOUND"
	if os.Getenv(env) != "" {
		config := vkms.DefaultConfig()
		config.Misuse = func(err error) { fmt.Println("misuse:", err) }
		driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), config)
		dev, _ := bus.New("platform").Add("vkms")
		if err := dev.Bind(driver.BusDriver()); err != nil {
			t.Fatal(err)
		}
		kept := keepView(t, driver)
		touch := vkms.HoldHardware(kept)
		if err := dev.Remove(context.Background()); err != nil {
			t.Fatal(err)
		}
		touch()
		fmt.Println("nothing happened")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unexpected fault address") {
		t.Errorf("%v:\n%s", err, out)
	}
}
