package drm

import (
	"context"

	"golang.org/x/sys/unix"
)

// Memory is the address space of a client. Both methods transfer all bytes or
// fail with EFAULT, having transferred some or none. They may be called
// concurrently.
type Memory interface {
	CopyFromUser(dst []byte, addr uint64) error
	CopyToUser(addr uint64, src []byte) error
}

// A Client is a process that has opened a node, or sends a request.
type Client struct {
	PID, UID int
	Comm     string
	Admin    bool // has CAP_SYS_ADMIN
}

// A Caller is the process that sends one request, with its memory and its
// descriptors. As descriptors can be passed on, the caller of a request need
// not be the client that opened the file.
type Caller interface {
	Memory
	Client() Client // looked up only when a request depends on it

	// InstallFD gives the calling process a descriptor of its own for the file
	// behind fd, which stays ours, and returns its number. EMFILE when the
	// process has too many.
	InstallFD(fd int, cloexec bool) (int32, error)

	// StatFD is fstat(2) of an open file of the calling process: it tells a
	// file that InstallFD gave it from all others. EBADF when there is no such
	// descriptor, or, of a character device, when it is one of O_PATH: that
	// proves nothing.
	StatFD(fd int32, st *unix.Stat_t) error

	// DupFD returns another descriptor of the very file that a descriptor of
	// the calling process is of: for an eventfd, which cannot be opened anew.
	// The result is ours to close. EBADF when there is no such descriptor.
	DupFD(fd int32) (int, error)

	// InstallFile makes a file and gives the calling process a descriptor of
	// it, whose number it returns. open makes the file that answers for the
	// descriptor; what is delivered to the sink makes it readable. flags are
	// those of open(2). EMFILE when the process has too many descriptors, and
	// what open returns; a file that was made is closed then.
	//
	// The client can use the descriptor at once: installing it is the last
	// thing that a request does.
	InstallFile(flags int, open func(sink EventSink) (ClientFile, error)) (int32, error)

	// LookupFile returns the file behind a descriptor of the calling process:
	// one that InstallFile made, or an open node. nil when it is neither. It
	// may be closed at any moment.
	LookupFile(fd int32) ClientFile
}

// A ClientFile is a file that a request hands to its client as a new
// descriptor: a sync file, or a DRM file of its own (a lease). [File] is one.
// All methods may be called concurrently.
//
// It lives for as long as the client, or anyone whom the client passed it to,
// has a descriptor of it: longer than the file of the request, the device and
// its registration. Polling and reading go to its [EventSink].
type ClientFile interface {
	// Ioctl serves one request, as [File.Ioctl] does: the error should be, or
	// wrap, an errno; ENOTTY for requests that are not the file's.
	Ioctl(ctx context.Context, caller Caller, cmd uint32, arg uint64) error

	// Close says that the last descriptor was closed. Requests that are in
	// flight may go on.
	Close() error
}
