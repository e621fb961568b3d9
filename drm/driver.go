package drm

// A Driver is what a kind of display device supplies: struct drm_driver. It
// must not change once a device was made of it.
type Driver struct {
	// Info is the answer to DRM_IOCTL_VERSION.
	Info DriverInfo

	// Features says which parts of the uAPI the driver offers.
	Features Features

	// Kernel is the version of Linux whose reports in debugfs the device has.
	Kernel Kernel

	// Ioctls are the driver's own requests, numbered from
	// uapi.CommandBase.
	Ioctls []Ioctl

	// Open, if not nil, is called for each open of a node, after the parts
	// were. An error refuses the open.
	Open func(dev *RegisteredDevice, f *File) error

	// PostClose, if not nil, is called for each close, after everything that
	// the file owned is gone. It is called on an unplugged device as well.
	PostClose func(dev *Device, f *File)

	// FDInfo, if not nil, returns the driver's lines in /proc/PID/fdinfo of a file,
	// below those that the core has for such a driver. See [File.FDInfo].
	FDInfo func(dev *RegisteredDevice, f *File) string

	// DebugfsFiles, if not nil, returns the driver's files in debugfs, as a
	// [DebugfsPart] does.
	DebugfsFiles func(dev *Device) []DebugfsFile
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
	FeatureColorPipeline                        // DRM_CLIENT_CAP_PLANE_COLOR_PIPELINE may be set, as on Linux 6.19
)
