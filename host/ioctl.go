package host

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// ioctl serves the requests of DRM, dma-bufs and sync files on any descriptor.
// On dma-bufs it refuses the requests that change a terminal.
func (c *call) ioctl() {
	switch uapi.IOCType(uint32(c.arg(1))) {
	case terminalType, keyboardType, vtType:
		c.terminalIoctl()
		return
	case uffdType:
		c.host.faults.Serve()
		c.proceed()
		return
	}
	c.host.attributes.Drain(c) // earlier writes take effect first
	if uapi.IOCType(uint32(c.arg(1))) == fbdevMagic {
		c.chardevIoctl()
		return
	}
	f := c.file(c.fd(0))
	if f == nil {
		c.dmaBufIoctl()
		return
	}
	if f.NoIoctl() {
		f.Put()
		c.fail(unix.EACCES)
		return
	}
	c.settle(f, uint32(c.arg(1)))
	r := c.request()
	err := c.send(r, f.Client())
	r.end()
	c.awaitBehind()
	// With the answer the program may close the file, and its next request must
	// find that done. So put the file first.
	f.Put()
	if err != nil {
		c.fail(drm.Errno(err))
		return
	}
	c.ret(r.result)
}

func (c *call) request() *request {
	return &request{call: c, host: c.host, listener: c.listener, id: c.n.ID, tid: c.tid()}
}

// A request is the [drm.Caller] of an ioctl: the thread that sent it. It is
// also the context of the request, which ends when the thread is interrupted or
// killed. The context is set up only when it is first used: most requests end
// before.
type request struct {
	call     *call
	host     *Host
	listener *seccomp.Listener
	id       uint64
	tid      thread.ID
	result   int64 // what the ioctl returns if it succeeds

	mu      sync.Mutex
	done    chan struct{} // nil until the context is used
	err     error         // why it ended
	after   []func()
	watched *watched // by Host.watcher
	stays   bool     // a wait must not park the worker
}

// CopyFromUser, StatFD and DupFD check at the end that the thread still waits.
// Otherwise its id, and with it the memory or the descriptor, may belong to
// another process.

func (r *request) Client() drm.Client { return r.call.client() }

// ThreadID returns the thread that sent the request. Package trace asks for it,
// since it is known without looking the process up.
func (r *request) ThreadID() int { return int(r.tid) }

func (r *request) InstallFD(fd int, cloexec bool) (int32, error) {
	given, err := r.listener.AddFD(r.id, fd, cloexec)
	return int32(given), err
}

func (r *request) StatFD(fd int32, st *unix.Stat_t) error {
	err := r.tid.StatFD(fd, st)
	if !r.listener.Valid(r.id) {
		return unix.EBADF
	}
	return err
}

func (r *request) DupFD(fd int32) (int, error) {
	dup, err := r.tid.DupFD(int(fd), thread.EventFD)
	if err == nil && !r.listener.Valid(r.id) {
		_ = unix.Close(dup)
		return -1, unix.EBADF
	}
	return dup, err
}

// DupMemfd is DupFD for a memfd: see [gem.Memory.Wrap].
func (r *request) DupMemfd(fd int32) (int, error) {
	dup, err := r.tid.DupMemfd(int(fd))
	if err == nil && !r.listener.Valid(r.id) {
		_ = unix.Close(dup)
		return -1, unix.EBADF
	}
	return dup, err
}

func (r *request) InstallFile(flags int, open func(drm.EventSink) (drm.ClientFile, error)) (int32, error) {
	readEnd, err := r.host.files.Open(r.call.opener(), flags, open)
	if err != nil {
		return -1, err
	}
	defer unix.Close(readEnd)
	return r.InstallFD(readEnd, flags&unix.O_CLOEXEC != 0)
}

func (r *request) LookupFile(fd int32) drm.ClientFile {
	var buf [64]byte
	link, err := r.tid.FD(int(fd), buf[:])
	if err != nil {
		return nil
	}
	inode := files.PipeInode(link)
	if inode == 0 {
		return nil
	}
	if f := r.host.files.Lookup(inode, r.tid.FDPath(fd)); f != nil && !r.tid.PathOnly(fd) {
		return f.Client()
	}
	return nil
}

// Deadline, Done, Err and Value implement context.Context.
func (r *request) Deadline() (time.Time, bool) { return time.Time{}, false }

func (r *request) Value(any) any { return nil }

func (r *request) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *request) Done() <-chan struct{} {
	if !r.stays {
		r.call.park()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked()
	return r.done
}

// AfterFunc saves package context a goroutine that waits for Done.
func (r *request) AfterFunc(f func()) (stop func() bool) {
	if !r.stays {
		r.call.park()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.startLocked()
	if r.err != nil {
		go f()
		return func() bool { return false }
	}
	i := len(r.after)
	r.after = append(r.after, f)
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.after == nil || r.after[i] == nil {
			return false
		}
		r.after[i] = nil
		return true
	}
}

func (r *request) startLocked() {
	if r.done != nil {
		return
	}
	r.done = make(chan struct{})
	if r.err != nil {
		close(r.done)
		return
	}
	r.watched = r.host.watcher.add(r)
}

// end ends the context when the request is answered.
func (r *request) end() { r.cancel(context.Canceled) }

func (r *request) cancel(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	r.err = err
	if r.done == nil {
		return
	}
	close(r.done)
	r.host.watcher.remove(r.watched)
	for _, f := range r.after {
		if f != nil {
			go f()
		}
	}
	r.after = nil
}

// interrupted reports whether the thread was killed or has a pending signal:
// the kernel would interrupt a wait then.
func (r *request) interrupted() bool {
	return !r.listener.Valid(r.id) || r.tid.HasSignal()
}
