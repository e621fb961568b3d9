package syncobj

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// eventfd has an eventfd of the client signalled when a point is, or is
// submitted. It does not wait.
func (m *Manager) eventfd(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjEventfd) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.SyncobjWaitFlagsWaitAvailable) != 0 || arg.Pad != 0 {
		return invalid("SYNCOBJ_EVENTFD with flags %#x and padding %#x", arg.Flags, arg.Pad)
	}
	s, err := m.lookup(req, arg.Handle)
	if err != nil {
		return err
	}
	defer s.Put()
	fd, err := req.DupFD(arg.FD)
	if err != nil {
		return fmt.Errorf("syncobj: SYNCOBJ_EVENTFD with descriptor %d: %w", arg.FD, err)
	}
	if !isEventfd(fd) {
		_ = unix.Close(fd)
		return invalid("SYNCOBJ_EVENTFD with descriptor %d, which is no eventfd", arg.FD)
	}
	e := &event{fd: fd}
	s.await(&waiter{
		point: arg.Point,
		submitted: func(f *fence.Fence) {
			if arg.Flags&uapi.SyncobjWaitFlagsWaitAvailable != 0 {
				e.signal()
				return
			}
			f.AddCallback(e.signal)
		},
		dropped: e.drop,
	})
	return nil
}

func isEventfd(fd int) bool {
	link := make([]byte, 64)
	n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), link)
	return err == nil && string(link[:n]) == "anon_inode:[eventfd]"
}

// An event is an eventfd to be signalled once.
type event struct {
	fd   int
	over atomic.Bool
}

// patience is how long somebody who signals waits for a client that fills its
// eventfd at the same moment.
const patience = 10 * time.Millisecond

// signal adds one to the eventfd. That is the client's as well: should it be
// full, the write waits until the client reads, which may be never.
func (e *event) signal() {
	if e.over.Swap(true) {
		return
	}
	fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLOUT}}
	if n, _ := unix.Poll(fds, 0); n != 1 || fds[0].Revents&unix.POLLOUT == 0 {
		_ = unix.Close(e.fd) // full: it is signalled
		return
	}
	written := make(chan struct{})
	go func() {
		_, _ = unix.Write(e.fd, binary.NativeEndian.AppendUint64(nil, 1))
		_ = unix.Close(e.fd)
		close(written)
	}()
	select {
	case <-written: // so that it is there when the client looks
	case <-time.After(patience):
	}
}

// drop gives up an event that will not come.
func (e *event) drop() {
	if !e.over.Swap(true) {
		_ = unix.Close(e.fd)
	}
}
