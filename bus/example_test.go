package bus_test

import (
	"context"
	"fmt"

	"github.com/udrm/udrm/bus"
)

// A driver is bound to a device, and loses it when the device is unplugged.
func Example() {
	platform := bus.New("platform")
	dev, err := platform.Add("thermometer.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	driver := &bus.Driver{
		Name: "thermometer",
		Probe: func(dev *bus.BoundDevice) error {
			fmt.Println("probe", dev.Name())
			_, err := dev.Devres().Add("registers", func() { fmt.Println("unmap the registers") })
			return err
		},
		Unbind: func(*bus.BoundDevice) { fmt.Println("switch the hardware off") },
	}
	if err := dev.Bind(driver); err != nil {
		fmt.Println(err)
	}
	if err := dev.Unbind(context.Background()); err != nil { // a planned removal
		fmt.Println(err)
	}
	if err := dev.Bind(driver); err != nil {
		fmt.Println(err)
	}
	if err := dev.Remove(context.Background()); err != nil { // a surprise removal
		fmt.Println(err)
	}

	// Output:
	// probe thermometer.0
	// switch the hardware off
	// unmap the registers
	// probe thermometer.0
	// unmap the registers
}
