package host_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// A program lists the card that a driver has registered.
func Example() {
	class := drm.NewClass(drm.ClassOptions{})
	dev, err := bus.New("platform").Add("vkms")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := dev.Bind(vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver()); err != nil {
		fmt.Println(err)
		return
	}
	h, err := host.New(class, host.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}

	cmd := exec.Command("ls", "/dev/dri", "/sys/class/drm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	p, err := h.Start(cmd)
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := p.Wait()
	<-p.Done()
	fmt.Println("exit status", status, err)

	fmt.Println(h.Close(), dev.Remove(context.Background()))
	// Output:
	// /dev/dri:
	// by-path
	// card0
	//
	// /sys/class/drm:
	// card0
	// card0-Virtual-1
	// card0-Writeback-1
	// version
	// exit status 0 <nil>
	// <nil> <nil>
}
