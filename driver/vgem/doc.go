// Package vgem is a driver for a device without hardware and displays. It has
// buffers, and fences that clients attach to them and signal by a request. It
// answers clients as the kernel's vgem does. Test suites use it as a second
// device, to share buffers and to control fences.
//
// A [Driver] is bound to a device of any bus:
//
//	platform := bus.New("platform")
//	dev, err := platform.Add("vgem")
//	…
//	err = dev.Bind(vgem.NewDriver(class).BusDriver())
//
// Command udrm plugs in vgem cards with --vgem.
//
// Lock order: Driver.mu, fences.mu and fileFences.mu are leaves. No lock is held
// while a fence is signalled, because the waiters may belong to any other device.
//
// Start reading at driver.go, then fences.go.
package vgem
