package drm

// A Driver is what a kind of display device supplies. Its methods are called
// concurrently and must always return the same.
//
// Optional methods: [FileOpener], [PostCloser].
type Driver interface {
	// Info is what DRM_IOCTL_VERSION answers.
	Info() DriverInfo

	// Features says which parts of the uAPI the driver offers.
	Features() Features

	// Ioctls are the driver's own, numbered from DRM_COMMAND_BASE. nil when it
	// has none.
	Ioctls() []Ioctl
}

// DriverInfo names a driver and its version, as struct drm_version in drm.h
// does.
type DriverInfo struct {
	Major, Minor, Patchlevel int
	Name, Desc, Date         string
}

// Features are the DRIVER_* flags of the kernel's struct drm_driver.
type Features uint32

const (
	FeatureGEM             Features = 1 << iota // buffers
	FeatureModeset                              // the primary node drives displays
	FeatureAtomic                               // DRM_CLIENT_CAP_ATOMIC may be set
	FeatureRender                               // has a render node
	FeatureSyncobj                              // DRM_CAP_SYNCOBJ
	FeatureSyncobjTimeline                      // DRM_CAP_SYNCOBJ_TIMELINE
	FeatureCursorHotspot                        // planes have hotspot properties
)

// A FileOpener is a [Driver] that wants to know of every open. An error
// refuses the open.
type FileOpener interface {
	Open(dev *RegisteredDevice, f *File) error
}

// A PostCloser is a [Driver] that wants to know of every close, after
// everything that the file owned is gone. It runs also when the device is
// unplugged.
type PostCloser interface {
	PostClose(dev *Device, f *File)
}
