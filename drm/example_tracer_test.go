package drm_test

import (
	"fmt"
	"log"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// A nthFails is a tracer that lets the nth request of a kind fail.
type nthFails struct {
	cmd   uint32
	n     int32
	err   error
	count atomic.Int32
}

func (t *nthFails) Begin(c *drm.Call) func(drm.Point) {
	if c.Op == drm.OpIoctl && c.Cmd == t.cmd && t.count.Add(1) == t.n {
		c.Err = fmt.Errorf("injected: %w", t.err)
	}
	return nil
}

func (t *nthFails) Event(*drm.TraceEvent) {}

// A tracer can inject faults: here, the second GET_CAP fails.
func ExampleClass_Trace() {
	class := drm.NewClass(drm.ClassOptions{})
	defer class.Trace(&nthFails{cmd: uapi.IoctlGetCap, n: 2, err: unix.EINTR})()

	parent, err := bus.New("platform").Add("toy")
	if err != nil {
		log.Fatal(err)
	}
	driver := &drmtest.Driver{Class: class}
	if err := parent.Bind(driver.BusDriver()); err != nil {
		log.Fatal(err)
	}
	client, err := drmtest.OpenAs(driver.Device.Primary(), drmtest.Self())
	if err != nil {
		log.Fatal(err)
	}
	defer client.File.Close()
	for range 3 {
		fmt.Println(drmtest.Ioctl(client, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapPrime}))
	}
	// Output:
	// <nil>
	// injected: interrupted system call
	// <nil>
}
