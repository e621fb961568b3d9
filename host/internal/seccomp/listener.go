package seccomp

import (
	"fmt"
	"runtime"
	"structs"

	"golang.org/x/sys/unix"
)

// A Notification is a system call that a thread waits for, struct
// seccomp_notif.
type Notification struct {
	_     structs.HostLayout
	ID    uint64
	PID   uint32 // a thread id; 0 when the thread has no id in our pid namespace
	Flags uint32
	Data  Data
}

// Data is the system call itself, struct seccomp_data.
type Data struct {
	_    structs.HostLayout
	NR   int32
	Arch uint32
	IP   uint64 // after the instruction that made the call
	Args [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	_     structs.HostLayout
	id    uint64
	val   int64
	error int32
	flags uint32
}

// addfd is struct seccomp_notif_addfd.
type addfd struct {
	_          structs.HostLayout
	id         uint64
	flags      uint32
	srcfd      uint32
	newfd      uint32
	newfdFlags uint32
}

// A Listener is where the calls arrive that a filter hands over. All methods
// but Close may be called concurrently. Errors are errno values: ENOENT says
// that the notification is no longer valid, because its thread was killed.
type Listener struct {
	fd int
}

// Install puts the filter on the calling thread, which must be locked to its
// goroutine and never be unlocked again. It sets no_new_privs. Errors: EBUSY
// when a filter that is on the thread already has a listener.
func Install(f *Filter) (*Listener, error) {
	program, err := f.Program()
	if err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("seccomp: no_new_privs: %w", err)
	}
	fd, err := setModeFilter(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program)
	switch err {
	case nil:
	case unix.EBUSY:
		return nil, fmt.Errorf("seccomp: another listener, such as that of an outer udrm run, already gets the system calls of this process, and there can be only one; start it outside: %w", err)
	case unix.EINVAL:
		return nil, fmt.Errorf("seccomp: the kernel does not know WAIT_KILLABLE_RECV; Linux 5.19 or newer is needed: %w", err)
	default:
		return nil, fmt.Errorf("seccomp: installing the filter: %w", err)
	}
	l := &Listener{fd: fd}
	if err := checkSizes(); err != nil {
		l.Close()
		return nil, err
	}
	// Linux 6.6 and newer; without it an answer takes six times as long.
	_ = l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	return l, nil
}

// InstallOnAll puts a filter that hands nothing over on all threads of the
// process, for good. It sets no_new_privs. It fails when a thread has a filter
// that the calling thread lacks.
func InstallOnAll(f *Filter) error {
	program, err := f.Program()
	if err != nil {
		return err
	}
	// The kernel checks and copies no_new_privs of the calling thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("seccomp: no_new_privs: %w", err)
	}
	switch tid, err := setModeFilter(unix.SECCOMP_FILTER_FLAG_TSYNC, program); {
	case err != nil:
		return fmt.Errorf("seccomp: installing the filter on all threads: %w", err)
	case tid != 0:
		return fmt.Errorf("seccomp: thread %d has a filter of its own, so not all threads can have another one", tid)
	}
	return nil
}

// FromFD returns the listener that fd is a descriptor of. It takes fd over.
func FromFD(fd int) *Listener { return &Listener{fd: fd} }

// FD returns the descriptor, which stays the listener's.
func (l *Listener) FD() int { return l.fd }

// Wait waits until no process is left under the filter.
func (l *Listener) Wait() error {
	for {
		switch hungUp, err := l.poll(-1); {
		case hungUp:
			return nil
		case err != nil && err != unix.EINTR:
			return err
		}
	}
}

// HungUp reports whether no process is left under the filter.
func (l *Listener) HungUp() bool {
	hungUp, _ := l.poll(0)
	return hungUp
}

// poll looks for POLLHUP only: POLLERR says that a signal came while the
// kernel waited for a lock.
func (l *Listener) poll(timeout int) (hungUp bool, err error) {
	fds := []unix.PollFd{{Fd: int32(l.fd)}}
	_, err = unix.Poll(fds, timeout)
	return fds[0].Revents&unix.POLLHUP != 0, err
}

// Close ends the listener. Calls that wait, and all further ones, fail with
// ENOSYS. No method may be running.
func (l *Listener) Close() error { return unix.Close(l.fd) }

// Receive waits for the next call. Errors: ENOENT when the caller was killed
// before the call was received, or (Linux 6.11 and newer) when no process is left
// under the filter; EINTR.
func (l *Listener) Receive(n *Notification) error {
	*n = Notification{}
	return l.receive(n)
}

// Valid reports whether the thread still waits for the answer.
func (l *Listener) Valid(id uint64) bool {
	return uninterrupted(func() error { return l.valid(&id) }) == nil
}

// Return answers with a result.
func (l *Listener) Return(id uint64, val int64) error {
	return l.answer(response{id: id, val: val})
}

// Fail answers with an error.
func (l *Listener) Fail(id uint64, errno unix.Errno) error {
	return l.answer(response{id: id, error: -int32(errno)})
}

// Continue lets the kernel run the call as if it had not been handed over.
func (l *Listener) Continue(id uint64) error {
	return l.answer(response{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

func (l *Listener) answer(r response) error {
	return uninterrupted(func() error { return l.send(&r) })
}

// uninterrupted repeats a step that a signal interrupted: the kernel looks for
// signals when it takes the listener's lock, and has done nothing then.
func uninterrupted(step func() error) error {
	for {
		if err := step(); err != unix.EINTR {
			return err
		}
	}
}

// AddFD gives the caller a descriptor of the file behind fd, and returns its
// number there. EMFILE when the caller has too many.
func (l *Listener) AddFD(id uint64, fd int, cloexec bool) (given int, err error) {
	err = uninterrupted(func() (err error) {
		given, err = l.addFD(&addfd{id: id, srcfd: uint32(fd), newfdFlags: cloexecFlag(cloexec)})
		return err
	})
	return given, err
}

func cloexecFlag(cloexec bool) uint32 {
	if cloexec {
		return unix.O_CLOEXEC
	}
	return 0
}
