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

// eventfd registers an eventfd of the client, to be signalled when a point is
// signalled or, with WAIT_AVAILABLE, submitted. It returns at once.
func (m *Manager) eventfd(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.SyncobjEventfd) error {
	if err := needs(dev, drm.FeatureSyncobjTimeline); err != nil {
		return err
	}
	if arg.Flags&^uint32(uapi.SyncobjWaitFlagsWaitAvailable) != 0 || arg.Pad != 0 {
		return invalid("SYNCOBJ_EVENTFD: flags %#x, padding %#x: only WAIT_AVAILABLE is allowed", arg.Flags, arg.Pad)
	}
	s, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer s.Put()
	account := req.File.Client().Account
	if err := account.Charge(drm.Descriptors, 1, unix.ENOMEM); err != nil {
		return err
	}
	fd, err := req.DupFD(arg.FD)
	if err != nil {
		account.Refund(drm.Descriptors, 1)
		return fmt.Errorf("syncobj: SYNCOBJ_EVENTFD: descriptor %d: %w", arg.FD, err)
	}
	e := &event{fd: fd, account: account}
	if !isEventfd(fd) {
		e.close()
		return invalid("SYNCOBJ_EVENTFD: descriptor %d is not an eventfd", arg.FD)
	}
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

// An event signals an eventfd once.
type event struct {
	fd      int
	account *drm.Account // charged for fd
	over    atomic.Bool
}

func (e *event) close() {
	_ = unix.Close(e.fd)
	e.account.Refund(drm.Descriptors, 1)
}

// writeTimeout limits how long signal waits for its write. The write blocks
// only if the client fills the eventfd at the same moment.
const writeTimeout = 10 * time.Millisecond

// signal adds one to the eventfd. The client shares the eventfd and may fill
// it; then the write blocks until the client reads, perhaps forever. So a
// goroutine writes, and signal waits for it only briefly. Goroutines that wait
// in a write hold threads. The account is charged for them: beyond its quota,
// the eventfd is not written.
func (e *event) signal() {
	if e.over.Swap(true) {
		return
	}
	fds := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLOUT}}
	if n, _ := unix.Poll(fds, 0); n != 1 || fds[0].Revents&unix.POLLOUT == 0 {
		e.close() // full, and therefore readable already
		return
	}
	if e.account.Charge(drm.Copies, 1, unix.EAGAIN) != nil {
		e.close()
		return
	}
	written := make(chan struct{})
	go func() {
		_, _ = unix.Write(e.fd, binary.NativeEndian.AppendUint64(nil, 1))
		e.account.Refund(drm.Copies, 1)
		e.close()
		close(written)
	}()
	select {
	case <-written: // the client sees the event when signal returns
	case <-time.After(writeTimeout):
	}
}

// drop closes the eventfd of an event that will never occur.
func (e *event) drop() {
	if !e.over.Swap(true) {
		e.close()
	}
}
