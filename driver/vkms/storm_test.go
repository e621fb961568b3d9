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
)

// Clients are at work while their card is plugged and pulled, over and over.
// The driver's hardware is fatal to touch without a guard or a bound parent.
func TestStorm(t *testing.T) {
	cycles := 100
	if testing.Short() {
		cycles = 10
	}
	drmtest.NoLeaks(t)
	reports := drmtest.CollectReports(t)
	var misuses atomic.Int64
	config := vkms.DefaultConfig()
	config.Misuse = func(err error) { misuses.Add(1); t.Error(err) }
	class, platform := drm.NewClass(), bus.New("platform")
	var requests atomic.Int64
	for cycle := range cycles {
		dev, err := platform.Add("vkms")
		if err != nil {
			t.Fatal(err)
		}
		driver := vkms.NewDriver(class, config)
		if err := dev.Bind(driver); err != nil {
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
			err = dev.Remove()
		} else if err = dev.Unbind(); err == nil {
			err = dev.Remove()
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

// work sends requests until one fails with ENODEV, and returns that.
func work(m *drm.Minor, seed uint64, atWork chan<- struct{}, requests *atomic.Int64) error {
	begun := sync.OnceFunc(func() { atWork <- struct{}{} })
	defer begun()
	c, err := drmtest.OpenAs(m, drm.Client{PID: int(seed), Admin: true})
	if err != nil {
		return err
	}
	defer c.File.Close()
	r := rand.New(rand.NewPCG(seed, 0))
	dumb := uapi.ModeCreateDumb{Width: 1024, Height: 768, BPP: 32}
	if err := drmtest.Ioctl(c, uapi.IoctlModeCreateDumb, &dumb); err != nil {
		return err
	}
	fb := uapi.ModeFBCmd{Width: 1024, Height: 768, Pitch: dumb.Pitch, BPP: 32, Depth: 24, Handle: dumb.Handle}
	if err := drmtest.Ioctl(c, uapi.IoctlModeAddFB, &fb); err != nil {
		return err
	}
	mode := uapi.ModeInfo{Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
		VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806}
	connectors := drmtest.PutSlice(c.Arena, []uint32{39})
	for i := 0; ; i++ {
		if i == 3 {
			begun()
		}
		requests.Add(1)
		switch r.IntN(9) {
		case 0:
			err = drmtest.Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{
				CRTCID: 38, FBID: fb.FBID, ModeValid: 1, Mode: mode, SetConnectorsPtr: connectors, CountConnectors: 1,
			})
		case 1:
			err = drmtest.Ioctl(c, uapi.IoctlModeSetCRTC, &uapi.ModeCRTC{CRTCID: 38})
		case 2, 3:
			err = drmtest.Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: 38, FBID: fb.FBID, Flags: uapi.ModePageFlipEvent})
		case 4:
			err = drmtest.Ioctl(c, uapi.IoctlWaitVblank, &uapi.WaitVblankReply{Type: uapi.VblankRelative, Sequence: 1})
		case 5:
			err = drmtest.Ioctl(c, uapi.IoctlWaitVblank, &uapi.WaitVblankReply{Type: uapi.VblankRelative | uapi.VblankEvent, Sequence: 2})
		case 6:
			err = drmtest.Ioctl(c, uapi.IoctlModeCursor, &uapi.ModeCursor{
				CRTCID: 38, Flags: uapi.ModeCursorBO | uapi.ModeCursorMove, Width: 64, Height: 64, Handle: dumb.Handle,
			})
		case 7:
			err = drmtest.Ioctl(c, uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: 39})
		case 8:
			_, err = c.File.Read(context.Background(), make([]byte, 1024), true)
		}
		if errors.Is(err, unix.ENODEV) {
			return err
		}
	}
}

// A request that keeps the registered view beyond its guard, and then touches
// the hardware, is caught: by the check while the page is there, by a fault
// when it is not.
func TestMisuseIsCaught(t *testing.T) {
	var caught []error
	config := vkms.DefaultConfig()
	config.Misuse = func(err error) { caught = append(caught, err) }
	driver := vkms.NewDriver(drm.NewClass(), config)
	drmtest.Bind(t, bus.New("platform"), "vkms", driver)
	kept := keepView(t, driver)
	if err := vkms.TouchHardware(kept); err != nil {
		t.Fatal(err)
	}
	if len(caught) != 1 {
		t.Errorf("hardware was touched outside of a guard, and %v was caught", caught)
	}
}

// keepView does what nobody may: it lets the registered view out of its guard.
func keepView(t *testing.T, driver *vkms.Driver) (kept *drm.RegisteredDevice) {
	err := driver.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		//lint:ignore guardcheck the misuse is what is tested
		kept = dev
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// The page is gone with the binding: touching it kills the process.
func TestTouchingUnboundHardwareFaults(t *testing.T) {
	const env = "VKMS_TOUCH_UNBOUND"
	if os.Getenv(env) != "" {
		config := vkms.DefaultConfig()
		config.Misuse = func(err error) { fmt.Println("misuse:", err) }
		driver := vkms.NewDriver(drm.NewClass(), config)
		dev, _ := bus.New("platform").Add("vkms")
		if err := dev.Bind(driver); err != nil {
			t.Fatal(err)
		}
		kept := keepView(t, driver)
		touch := vkms.HoldHardware(kept)
		if err := dev.Remove(); err != nil {
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
