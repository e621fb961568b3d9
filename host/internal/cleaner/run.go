package cleaner

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/confine"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// A run is what the cleaner knows of its host.
type run struct {
	marker    string
	remove    []removal
	keep      bool // the programs
	callers   *Callers
	listeners []*seccomp.Listener
}

// Run is the cleaner process. It returns when the host's process has ended and
// everything is cleaned up.
func Run() error {
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	// killall and pkill of the host's name must miss this process.
	_ = os.WriteFile("/proc/self/comm", []byte("cleaner"), 0)
	if err := errors.Join(confine.Hide(), confine.Filter()); err != nil {
		return fmt.Errorf("cleaner: %w", err)
	}
	thread.ReserveFew()
	const socket = 0
	_ = unix.Sendmsg(socket, []byte{ready}, nil, nil, unix.MSG_NOSIGNAL) // the host may have ended
	var r run
	for {
		open, err := r.receive(socket)
		if err != nil {
			return err
		}
		if !open {
			break
		}
	}
	if !r.keep {
		r.kill()
	}
	return r.removeAll()
}

// receive takes one message. It returns false when the host's process has
// ended.
func (r *run) receive(socket int) (open bool, err error) {
	message, rights := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	n, nrights, _, _, err := unix.Recvmsg(socket, message, rights, unix.MSG_CMSG_CLOEXEC)
	switch {
	case err == unix.EINTR:
		return true, nil
	case err == unix.ECONNRESET, err == nil && n == 0:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cleaner: reading the socket: %w", err)
	}
	text := string(message[1:n])
	switch message[0] {
	case msgMarker:
		r.marker = text
	case msgRemove:
		r.remove = append(r.remove, newRemoval(text))
	case msgKeep:
		r.keep = true
	case msgCallers, msgListener:
		fd, err := descriptor(rights[:nrights])
		if err != nil {
			return false, fmt.Errorf("cleaner: no descriptor in message %c: %w", message[0], err)
		}
		if message[0] == msgCallers {
			r.callers, err = mapCallers(fd, unix.PROT_READ)
			return true, errors.Join(err, unix.Close(fd))
		}
		r.dropHungUp()
		r.listeners = append(r.listeners, seccomp.FromFD(fd))
	}
	return true, nil
}

// descriptor returns the descriptor that came with a message.
func descriptor(rights []byte) (int, error) {
	controls, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return -1, err
	}
	if len(controls) != 1 {
		return -1, unix.EMFILE // it was dropped
	}
	fds, err := unix.ParseUnixRights(&controls[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// dropHungUp closes the listeners under which no process is left.
func (r *run) dropHungUp() {
	left := r.listeners[:0]
	for _, l := range r.listeners {
		if l.HungUp() {
			_ = l.Close()
			continue
		}
		left = append(left, l)
	}
	r.listeners = left
}

// searchInterval is the time between two searches for processes. A program
// that starts others faster than one search kills them is searched for again.
const searchInterval = 20 * time.Millisecond

// kill kills the processes of the host until none is left.
func (r *run) kill() {
	for {
		killed := r.killKnown()
		r.dropHungUp()
		if len(r.listeners) == 0 {
			return
		}
		timeout := -1 // the rest is found by its calls
		if killed {
			timeout = int(searchInterval.Milliseconds())
		}
		polled := make([]unix.PollFd, len(r.listeners))
		for i, l := range r.listeners {
			polled[i] = unix.PollFd{Fd: int32(l.FD()), Events: unix.POLLIN}
		}
		if _, err := unix.Poll(polled, timeout); err != nil {
			continue
		}
		for i, l := range r.listeners {
			if polled[i].Revents&unix.POLLIN != 0 {
				killCaller(l)
			}
		}
	}
}

// killCaller kills a process whose call has arrived. The call is not answered,
// so the thread that makes it cannot end, and its id stays valid, until the
// signal ends it.
func killCaller(l *seccomp.Listener) {
	var n seccomp.Notification
	if l.Receive(&n) == nil && n.PID != 0 && l.Valid(n.ID) {
		_ = unix.Kill(int(n.PID), unix.SIGKILL)
	}
}
