// Package vkms is a driver for virtual displays, whose hardware is a page of
// memory. It answers clients as the kernel's vkms does, because programs and
// test suites know that driver: with the same names, properties, modes and
// limits, and with objects in the same order.
//
// A [Driver] is bound to a device of any bus:
//
//	config := vkms.DefaultConfig()
//	dev, err := bus.New(config.Bus()).AddDescribed("vkms", config.Description())
//	…
//	err = dev.Bind(vkms.NewDriver(class, config).BusDriver())
//
// That is the default device; [ConfigOf] has those of other versions of Linux. A [Topology] describes any other: several CRTCs,
// planes for some of them, connectors with or without a monitor.
// [Driver.Hotplug] plugs and unplugs monitors while clients use the device.
//
// The page has the driver's registers: a commit writes the new state to them, a
// vblank its number. Probe maps the page, and the end of the binding unmaps it.
// A driver, or a core, that accesses hardware without a guard therefore faults
// instead of going on unnoticed: see [Registers].
//
// Command udrm plugs in vkms cards; the tests of package drm/kms run on them.
//
// Lock order: Registers.mu and Driver.mu are leaves.
//
// Start reading at driver.go, then topology.go.
package vkms
