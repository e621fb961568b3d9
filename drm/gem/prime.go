package gem

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A buffer leaves its device as a dma-buf: a descriptor of its memfd, which
// programs map, seek and pass on without us. It is known again by what no
// other file has: the name and the seals of our memfds. So it may come back
// after the last handle, the file and the device are gone.

// memfdPrefix begins the names of the memfds of all buffers; what follows says
// which manager made it.
const memfdPrefix = "drm gem object"

// handleToFD exports a buffer.
func (m *Manager) handleToFD(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.PrimeHandle) error {
	if arg.Flags&^(uapi.Cloexec|uapi.RDWR) != 0 {
		return fmt.Errorf("gem: PRIME_HANDLE_TO_FD with flags %#x: only DRM_CLOEXEC and DRM_RDWR are known: %w", arg.Flags, unix.EINVAL)
	}
	o, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	// A description of its own: its access mode is what the client asked for.
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", o.fd), int(arg.Flags&uapi.RDWR)|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("gem: exporting handle %d: %w", arg.Handle, err)
	}
	defer unix.Close(fd)
	arg.FD, err = req.InstallFD(fd, arg.Flags&uapi.Cloexec != 0)
	return err
}

// fdToHandle imports a buffer: of this device, of another one, or of one that
// is gone. A file that has a handle of it gets that one again.
func (m *Manager) fdToHandle(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.PrimeHandle) error {
	fd, err := req.OpenFD(arg.FD, unix.O_RDWR)
	if err != nil {
		return fmt.Errorf("gem: PRIME_FD_TO_HANDLE of descriptor %d: %w", arg.FD, err)
	}
	name, ok := bufferName(fd)
	if !ok {
		unix.Close(fd)
		return fmt.Errorf("gem: PRIME_FD_TO_HANDLE of descriptor %d, which is no dma-buf: %w", arg.FD, unix.EINVAL)
	}
	o, err := m.adopt(fd, name != m.memfdName)
	if err != nil {
		return err
	}
	o.handles.Add(1)
	var created bool
	if arg.Handle, created = m.handles(req.File).FindOrCreate(o); !created {
		o.endHandle()
	}
	return nil
}

// bufferName returns the name of the memfd behind fd; ok says that it is that
// of a buffer.
func bufferName(fd int) (name string, ok bool) {
	link := make([]byte, 128)
	n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), link)
	if err != nil {
		return "", false
	}
	name, ok = strings.CutPrefix(strings.TrimSuffix(string(link[:n]), " (deleted)"), "/memfd:")
	if !ok || !strings.HasPrefix(name, memfdPrefix) {
		return "", false
	}
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	return name, err == nil && got&seals == seals
}
