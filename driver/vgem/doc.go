// Package vgem is a device without hardware and without displays: buffers, and
// fences that clients attach to them and signal by hand. It answers clients as
// the kernel's vgem does. Test suites use it as the other device, which shares
// its buffers and keeps others waiting.
//
// A [Driver] is bound to a device of any bus:
//
//	platform := bus.New("platform")
//	dev, err := platform.Add("vgem")
//	…
//	err = dev.Bind(vgem.NewDriver(class).BusDriver())
//
// Command udrm plugs vgem cards with --vgem.
//
// The locks, fences.mu and fileFences.mu, are leaves: none is held while a fence is
// signalled, as who waits for it may belong to any other device.
//
// Start reading at Driver.probe, then fences.go.
package vgem
