// Package vkms is a virtual display: a DRM driver whose hardware is a page of
// memory. It answers clients as the kernel's vkms does: the same names,
// objects in the same order, properties, modes and limits, because programs
// and test suites know that one.
//
// A [Driver] is bound to a device of any bus:
//
//	platform := bus.New("platform")
//	dev, err := platform.Add("vkms")
//	…
//	err = dev.Bind(vkms.NewDriver(class, vkms.DefaultConfig()).BusDriver())
//
// That is the default device. A [Topology] describes any other: several CRTCs,
// planes for some of them, connectors with monitors or without.
// [Driver.Hotplug] pulls and plugs monitors while clients are at work.
//
// The page is the driver's registers: a commit writes what is shown, each
// vblank its number. It is mapped by probe and unmapped when the binding
// ends, so that a driver, or a core, that touches hardware without a guard
// does not go on as if nothing had happened: see [Registers].
//
// Command udrm plugs vkms cards; tests of package drm/kms run on them.
//
// Lock order: the driver has one lock, of the registers, a leaf.
//
// Start reading at [Driver.Probe], then topology.go.
package vkms
