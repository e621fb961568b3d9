package drmtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// An in-process client opens a minor and sends it requests. Arrays that a
// request points to lie in the client's arena.
func Example() {
	dev, err := bus.New("platform").Add("vkms")
	if err != nil {
		log.Fatal(err)
	}
	driver := vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), vkms.ConfigOf(drm.Linux612))
	if err := dev.Bind(driver.BusDriver()); err != nil {
		log.Fatal(err)
	}
	c, err := drmtest.OpenAs(driver.Device().Primary(), drmtest.Self())
	if err != nil {
		log.Fatal(err)
	}
	defer c.File.Close()

	name := make([]byte, 8)
	version := uapi.Version{NameLen: uint64(len(name)), Name: drmtest.PutSlice(c.Arena, name)}
	if err := drmtest.Ioctl(c, uapi.IoctlVersion, &version); err != nil {
		log.Fatal(err)
	}
	if err := drmtest.GetSlice(c.Arena, name, version.Name); err != nil {
		log.Fatal(err)
	}
	fmt.Println(unix.ByteSliceToString(name))

	err = drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: 7})
	fmt.Println(errors.Is(err, unix.EINVAL))

	if err := dev.Remove(context.Background()); err != nil {
		log.Fatal(err)
	}
	err = drmtest.Ioctl(c, uapi.IoctlVersion, &version)
	fmt.Println(errors.Is(err, unix.ENODEV))
	// Output:
	// vkms
	// true
	// true
}
