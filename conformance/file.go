package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A file is a descriptor of the client: an open node, or one that a request
// returned.
type file struct {
	*kmsclient.Client
	t      *tester
	fd     int
	name   string
	closed atomic.Bool
}

// FD returns the descriptor.
func (f *file) FD() int32 { return int32(f.fd) }

// Ioctl sends the request with an argument: a pointer to a struct of package
// uapi, an address as a uintptr, or nil for 0.
func (f *file) Ioctl(cmd uint32, arg any) error {
	var at uintptr
	switch arg := arg.(type) {
	case nil:
	case uintptr:
		at = arg
	default:
		at = reflect.ValueOf(arg).Pointer()
	}
	defer runtime.KeepAlive(arg)
	return f.send(cmd, at)
}

// send sends a request and counts the answer.
func (f *file) send(cmd uint32, arg uintptr) error {
	err := f.t.target.System.Ioctl(f.fd, cmd, arg)
	var errno unix.Errno
	errors.As(err, &errno)
	f.t.covered.mu.Lock()
	defer f.t.covered.mu.Unlock()
	f.t.covered.add(cmd, errno)
	return err
}

// Must is Ioctl for a request that has to succeed. The case ends on an error.
func (f *file) Must(cmd uint32, arg any) {
	f.t.Helper()
	if err := f.Ioctl(cmd, arg); err != nil {
		f.t.Fatalf("%s: %s", uapi.IoctlName(cmd), name(err))
	}
}

// Want is Ioctl for a request that has to return one of the errnos; none stand
// for success. what completes the name of the request in the failure line:
// "as non-master".
func (f *file) Want(what string, cmd uint32, arg any, errnos ...unix.Errno) bool {
	f.t.Helper()
	title := cmp.Or(uapi.IoctlName(cmd), fmt.Sprintf("ioctl %#x", cmd))
	if what != "" {
		title += " " + what
	}
	return f.t.Want(title, f.Ioctl(cmd, arg), errnos...)
}

// Close closes the descriptor, once.
func (f *file) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	return f.t.target.System.Close(f.fd)
}

// Dup returns another descriptor of the same file.
func (f *file) Dup() *file {
	f.t.Helper()
	fd, err := f.t.target.System.Dup(f.fd)
	f.t.Must("dup", err)
	return f.t.File(fd, f.name)
}

// Read reads once.
func (f *file) Read(p []byte) (int, error) { return f.t.target.System.Read(f.fd, p) }

// Poll waits for one of the events, at most for timeout.
func (f *file) Poll(events int16, timeout time.Duration) int16 {
	f.t.Helper()
	revents, err := f.t.target.System.Poll(f.fd, events, timeout)
	f.t.Must("poll", err)
	return revents
}

// Mmap maps length bytes until the end of the case.
func (f *file) Mmap(offset uint64, length int) ([]byte, error) {
	p, err := f.t.target.System.Mmap(f.fd, offset, length)
	if err == nil {
		f.t.Cleanup(func() { f.t.target.System.Munmap(p) })
	}
	return p, err
}

// A transport sends the requests of a file's client.
type transport struct{ *file }

// Ioctl implements [kmsclient.File].
func (f transport) Ioctl(cmd uint32, arg uintptr) error { return f.send(cmd, arg) }

// Poll implements [kmsclient.File].
func (f transport) Poll(events int16, timeout time.Duration) (int16, error) {
	return f.t.target.System.Poll(f.fd, events, timeout)
}
