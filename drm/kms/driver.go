package kms

import (
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
)

// A Driver is the functions of a display driver that this package calls: the
// kernel has them in struct drm_mode_config_funcs and in the tables of its
// helpers. Each may be nil.
//
// Every call comes from inside a registration guard of the device. Locks of
// this package are held, so a function must neither wait nor call the package
// back, except for the methods of its arguments.
type Driver struct {
	// Check refuses a change that the hardware cannot make: with ENOSPC when
	// it lacks planes, scalers or bandwidth, with EBUSY when that may pass, or
	// with EINVAL. The client gets the error. Check runs after the checks of
	// this package, for tests (TEST_ONLY) too, and must not touch the hardware:
	// the change may be dropped, and checked again later.
	Check func(a *AtomicState) error

	// Prepare runs once for each commit, after all checks and right before the
	// new state becomes the current one. An error refuses the commit: the
	// client gets it, nothing changes, and there is no event. In rare cases the
	// commit still fails afterwards: if the client has no room for the
	// descriptor of an out-fence.
	//
	// A fence makes the commit late: clients see the new state at once, but
	// the hardware keeps showing the old one. Commit is called when the fence
	// is signalled, and the commit is shown at the next vblank. Until then a
	// further commit to its CRTCs waits or is EBUSY. Moves of a legacy cursor,
	// and changes that concern no CRTC, are not held back.
	Prepare func(dev *drm.RegisteredDevice, a *AtomicState) (*fence.Fence, error)

	// Commit programs the hardware, which showed old, to show new. Calls do
	// not overlap. It is too late to refuse: after an error, the new state is
	// the current one and the request succeeds, as in the kernel. The error is
	// logged, and the out-fences of the commit are signalled with it.
	Commit func(dev *drm.RegisteredDevice, old, new *State) error

	// EnableVblank and DisableVblank say whether Vblank is to be called for c.
	// For a CRTC with a vblank source of its own, see
	// [CRTCConfig.VblankSource].
	EnableVblank  func(dev *drm.RegisteredDevice, c *CRTC)
	DisableVblank func(dev *drm.RegisteredDevice, c *CRTC)

	// Vblank runs at each vblank while it is enabled, before clients are told.
	// count is the vblank counter of c.
	Vblank func(dev *drm.RegisteredDevice, c *CRTC, count uint64)
}

func (d *Driver) check(a *AtomicState) error {
	if d.Check == nil {
		return nil
	}
	return d.Check(a)
}

func (d *Driver) prepare(dev *drm.RegisteredDevice, a *AtomicState) (*fence.Fence, error) {
	if d.Prepare == nil {
		return nil, nil
	}
	return d.Prepare(dev, a)
}

func (d *Driver) commit(dev *drm.RegisteredDevice, old, new *State) error {
	if d.Commit == nil {
		return nil
	}
	return d.Commit(dev, old, new)
}

func (d *Driver) enableVblank(dev *drm.RegisteredDevice, c *CRTC) {
	if d.EnableVblank != nil {
		d.EnableVblank(dev, c)
	}
}

func (d *Driver) disableVblank(dev *drm.RegisteredDevice, c *CRTC) {
	if d.DisableVblank != nil {
		d.DisableVblank(dev, c)
	}
}

func (d *Driver) vblank(dev *drm.RegisteredDevice, c *CRTC, count uint64) {
	if d.Vblank != nil {
		d.Vblank(dev, c, count)
	}
}
