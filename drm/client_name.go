package drm

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// clientName is the name that a client gave itself, for reports.
type clientName struct {
	mu   sync.Mutex
	name string
}

// clientName returns the name that the client gave the file with
// DRM_IOCTL_SET_CLIENT_NAME, or "".
func (f *File) clientName() string {
	f.name.mu.Lock()
	defer f.name.mu.Unlock()
	return f.name.name
}

// setClientName sets the name, which consists of printable ASCII characters
// without spaces, so that it fits in any report. It has no NUL at the end
// (drm.h, DRM_IOCTL_SET_CLIENT_NAME).
func setClientName(_ *RegisteredDevice, req *Request, arg *uapi.SetClientName) error {
	if arg.NameLen > uapi.ClientNameMaxLen {
		return fmt.Errorf("drm: SET_CLIENT_NAME: %d bytes (limit %d): %w", arg.NameLen, uapi.ClientNameMaxLen, unix.EINVAL)
	}
	name := make([]byte, arg.NameLen)
	if len(name) > 0 {
		if err := req.CopyFromUser(name, arg.Name); err != nil {
			return fmt.Errorf("drm: reading the name of SET_CLIENT_NAME: %w", err)
		}
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return fmt.Errorf("drm: SET_CLIENT_NAME: %q: only printable ASCII without spaces is allowed: %w", name, unix.EINVAL)
		}
	}
	f := req.File
	f.name.mu.Lock()
	defer f.name.mu.Unlock()
	f.name.name = string(name)
	return nil
}
