package syncobj

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/internal/handle"
)

type handles = handle.Table[*Syncobj]

// A file is the [drm.ClientFile] of a sync object.
type file struct{ object *Syncobj }

// Ioctl fails with ENOTTY: a sync object's file has no requests.
func (f *file) Ioctl(_ context.Context, _ drm.Caller, cmd uint32, _ uint64) error {
	return fmt.Errorf("syncobj: a sync object has no ioctl %#x: %w", cmd, unix.ENOTTY)
}

// Close drops the file's reference to the object.
func (f *file) Close() error {
	f.object.Put()
	return nil
}

// install gives the client a descriptor for s and returns it.
func install(req *drm.Request, s *Syncobj) (int32, error) {
	return req.InstallFile(unix.O_CLOEXEC, func(drm.EventSink) (drm.ClientFile, error) {
		s.Get()
		return &file{s}, nil
	})
}
