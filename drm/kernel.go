package drm

// A Kernel is a version of Linux. Where the DRM core of one version differs from
// that of another in what clients see, a device has the ids of objects, and the
// files in debugfs, of its kernel. "" stands for Linux612.
type Kernel string

// The kernels that a device can have.
const (
	Linux72  Kernel = "7.2"
	Linux612 Kernel = "6.12"
)

// Kernels are all kernels, the newest first.
var Kernels = []Kernel{Linux72, Linux612}
