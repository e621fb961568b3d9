package drm

import "context"

// A Chardev is a character device of a DRM device beside its nodes, such as
// /dev/fb0. It is a file of fixed size that programs read, write and map.
type Chardev struct {
	Major, Minor int

	// Memory returns the content. It fails with ENODEV when the device is
	// unplugged. A client that has it keeps it, also after an unplug.
	Memory func() (Mapping, error)

	// Ioctl serves one request, as [ClientFile.Ioctl] does.
	Ioctl func(ctx context.Context, caller Caller, cmd uint32, arg uint64) error
}
