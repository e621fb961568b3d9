package vkms_test

import (
	"context"
	"fmt"
	"log"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// The driver makes a DRM device on a device of any bus.
func Example() {
	class := drm.NewClass(drm.ClassOptions{})
	dev, err := bus.New("faux").Add("vkms")
	if err != nil {
		log.Fatal(err)
	}
	driver := vkms.NewDriver(class, vkms.DefaultConfig())
	if err := dev.Bind(driver.BusDriver()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(driver.Device().Primary().Name())
	for _, c := range driver.ModeConfig().Connectors() {
		fmt.Println(c.Name())
	}
	if err := driver.Hotplug("Virtual-1", uapi.ModeDisconnected, nil); err != nil {
		log.Fatal(err)
	}
	if err := dev.Remove(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// card0
	// Writeback-1
	// Virtual-1
}

// A topology describes a device with two CRTCs and two connectors.
func ExampleNewTopology() {
	config := vkms.Config{Cursor: true}
	config.Topology = vkms.NewTopology(2, []vkms.Connector{
		{Name: "left", Type: uapi.ModeConnectorDisplayPort},
		{Name: "right", Type: uapi.ModeConnectorHDMIA, Status: uapi.ModeDisconnected},
	}, &config)
	fmt.Println(len(config.Topology.Planes), config.Topology.Validate())
	config.Topology.Connectors[1].PossibleEncoders = 0
	fmt.Println(config.Topology.Validate())
	// Output:
	// 4 <nil>
	// vkms: connectors/right: no encoder can drive it: add one to possible_encoders
}
