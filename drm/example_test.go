package drm_test

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// exampleRead is the argument of exampleIoctl.
type exampleRead struct{ Degrees int32 }

var exampleIoctl = uapi.IOWR(uapi.CommandBase, 4)

// A driver registers a device in its probe function. A client reads the
// temperature, the device is unplugged, and the client is refused.
func Example() {
	thermometer := &drm.Driver{
		Info: drm.DriverInfo{Name: "thermometer"},
		Ioctls: []drm.Ioctl{drm.NewIoctl(exampleIoctl, 0,
			func(dev *drm.RegisteredDevice, req *drm.Request, arg *exampleRead) error {
				arg.Degrees = drm.RegistrationData[int32](dev)
				return nil
			})},
	}
	class := drm.NewClass(drm.ClassOptions{})
	driver := &bus.Driver{Name: "thermometer", Probe: func(parent *bus.BoundDevice) error {
		dev, err := drm.NewDevice(class, thermometer, parent, nil)
		if err != nil {
			return err
		}
		_, err = dev.Register(int32(21))
		return err
	}}
	parent, err := bus.New("platform").Add("thermometer.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := parent.Bind(driver); err != nil {
		fmt.Println(err)
		return
	}

	client, err := drmtest.OpenAs(class.Minor(0), drmtest.Self())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.File.Close()
	var arg exampleRead
	err = drmtest.Ioctl(client, exampleIoctl, &arg)
	fmt.Println(arg.Degrees, err)

	if err := parent.Remove(context.Background()); err != nil {
		fmt.Println(err)
	}
	err = drmtest.Ioctl(client, exampleIoctl, &arg)
	fmt.Println("unplugged:", errors.Is(err, unix.ENODEV))
	// Output:
	// 21 <nil>
	// unplugged: true
}

// A timer takes a guard before it uses the hardware, because no client's request
// has taken one. It counts its ticks in the data of the device, which stay when
// the hardware goes.
func ExampleDevice_WithGuard() {
	tick := func(dev *drm.Device) error {
		*drm.Data[*int](dev)++
		return dev.WithGuard(func(dev *drm.RegisteredDevice) error {
			fmt.Println("the parent is bound:", dev.Parent().Bound())
			return nil
		})
	}

	class := drm.NewClass(drm.ClassOptions{})
	driver := &bus.Driver{Name: "clock", Probe: func(parent *bus.BoundDevice) error {
		dev, err := drm.NewDevice(class, &drm.Driver{Info: drm.DriverInfo{Name: "clock"}}, parent, new(int))
		if err != nil {
			return err
		}
		_, err = dev.Register(nil)
		return err
	}}
	parent, err := bus.New("platform").Add("clock.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := parent.Bind(driver); err != nil {
		fmt.Println(err)
		return
	}
	dev := class.Minor(0).Device()
	dev.Get()
	defer dev.Put()
	fmt.Println(tick(dev))
	if err := parent.Unbind(context.Background()); err != nil {
		fmt.Println(err)
	}
	fmt.Println(errors.Is(tick(dev), drm.ErrUnplugged))
	fmt.Println("ticks:", *drm.Data[*int](dev))
	// Output:
	// the parent is bound: true
	// <nil>
	// true
	// ticks: 2
}
