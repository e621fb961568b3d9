package syncobj

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/internal/handle"
)

type handles = handle.Table[*Syncobj]

// A file is an object as a descriptor.
type file struct{ object *Syncobj }

// Ioctl implements [drm.ClientFile]: there are no requests on it.
func (f *file) Ioctl(_ context.Context, _ drm.Caller, cmd uint32, _ uint64) error {
	return fmt.Errorf("syncobj: ioctl %#x on a sync object: %w", cmd, unix.ENOTTY)
}

// Close implements [drm.ClientFile].
func (f *file) Close() error {
	f.object.Put()
	return nil
}

// install gives the client a descriptor of the object.
func install(req *drm.Request, s *Syncobj) (int32, error) {
	return req.InstallFile(unix.O_CLOEXEC, func(drm.EventSink) (drm.ClientFile, error) {
		s.Get()
		return &file{s}, nil
	})
}
