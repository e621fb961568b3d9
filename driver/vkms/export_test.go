package vkms

import "github.com/udrm/udrm/drm"

// TouchHardware does what a commit does.
func TouchHardware(dev *drm.RegisteredDevice) error {
	registersOf(dev).access(dev, func(v registerView) { v.write(regScanout, 1) })
	return nil
}

// HoldHardware returns a function that touches the hardware without looking
// where it is.
func HoldHardware(dev *drm.RegisteredDevice) (touch func()) {
	r := registersOf(dev)
	return func() { registerView(r.page).write(regScanout, 1) }
}
