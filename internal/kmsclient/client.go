// Package kmsclient is a small KMS client: it finds displays, makes buffers,
// shows them, and reads events. It knows nothing of udrm's core, so that it
// runs on any DRM node, a real kernel's included.
//
// A [Client] sends its requests through a [File], which is the way to the
// device:
//
//   - [Card] makes real system calls;
//   - package drmtest has one for devices in the same process;
//   - package conformance has one for each file of a case.
//
// Pointers are always addresses of this process's own memory.
//
// The demo's client, the programs of internal/testprogs and the tests of
// several packages use it.
//
// Start reading at [Client], then [Client.Display].
package kmsclient

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A File is an open DRM file: a node, or a lease. Errors wrap the errno that a
// program sees.
type File interface {
	// Ioctl sends one request. arg is an address in this process, which need
	// not be valid.
	Ioctl(cmd uint32, arg uintptr) error

	// Mmap maps memory that both sides see, for reading and writing.
	Mmap(offset uint64, length int) ([]byte, error)

	// Read reads pending events. It waits for the first one, unless the file is
	// nonblocking.
	Read(p []byte) (int, error)

	// Poll waits for one of the events of poll(2), at most for timeout; a
	// negative timeout does not end. It returns the events that hold: 0 when
	// the time is over.
	Poll(events int16, timeout time.Duration) (int16, error)
}

// A Client uses the device behind a file. Its methods may be called
// concurrently if those of the file may.
type Client struct{ File }

// New returns a client that sends its requests through f.
func New(f File) *Client { return &Client{f} }

// Errno returns the errno that err wraps, 0 for nil.
func Errno(err error) unix.Errno {
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		panic(fmt.Sprintf("kmsclient: an error without an errno: %v", err))
	}
	return errno
}
