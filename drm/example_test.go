package drm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// thermometer is the registration data of a device: it is there for as long as
// a guard is open.
type thermometer struct{ temperature uint32 }

// readTemperature is a request of the driver. It runs inside a guard.
var readTemperature = drm.NewIoctl(uapi.IOR(uapi.CommandBase, 4),
	drm.IoctlRenderAllow, func(dev *drm.RegisteredDevice, _ *drm.Request, arg *uint32) error {
		*arg = drm.RegistrationData[*thermometer](dev).temperature
		return nil
	})

// A whole driver: the device on the bus becomes a DRM device with one request of
// its own.
func Example() {
	class := drm.NewClass(drm.ClassOptions{})
	driver := &drm.Driver{
		Info:   drm.DriverInfo{Major: 1, Name: "thermometer"},
		Ioctls: []drm.Ioctl{readTemperature},
	}
	parent, err := bus.New("platform").Add("thermometer.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = parent.Bind(&bus.Driver{Name: "thermometer", Probe: func(parent *bus.BoundDevice) error {
		unregistered, err := drm.NewDevice(class, driver, parent, nil)
		if err != nil {
			return err
		}
		_, err = unregistered.Register(&thermometer{temperature: 21})
		return err
	}})
	if err != nil {
		fmt.Println(err)
		return
	}

	client, err := drmtest.OpenAs(class.Minor(0), drmtest.Self())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.File.Close()
	var temperature uint32
	err = drmtest.Ioctl(client, uapi.IOR(uapi.CommandBase, 4), &temperature)
	fmt.Println(temperature, err)

	if err := parent.Remove(context.Background()); err != nil {
		fmt.Println(err)
	}
	err = drmtest.Ioctl(client, uapi.IOR(uapi.CommandBase, 4), &temperature)
	fmt.Println(errors.Is(err, drm.ErrUnplugged))

	// Output:
	// 21 <nil>
	// true
}
