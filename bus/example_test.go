package bus_test

import (
	"context"
	"fmt"

	"github.com/udrm/udrm/bus"
)

// A driver is bound to a device, and the device is then removed.
func Example() {
	platform := bus.New("platform")
	platform.Subscribe(func(e bus.Event) {
		if e.Action == "release" {
			fmt.Println("release", e.Resource)
		} else {
			fmt.Println(e.Action, e.Device.Name())
		}
	})
	driver := &bus.Driver{
		Name: "thermometer",
		Probe: func(dev *bus.BoundDevice) error {
			_, err := dev.Devres().Add("registers", func() {})
			return err
		},
	}

	dev, err := platform.Add("thermometer.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := dev.Bind(driver); err != nil {
		fmt.Println(err)
	}
	if err := dev.Remove(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// add thermometer.0
	// bind thermometer.0
	// release registers
	// unbind thermometer.0
	// remove thermometer.0
}
