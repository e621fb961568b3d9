package drm

import (
	"context"

	"golang.org/x/sys/unix"
)

// Memory is the address space of a client. Both methods transfer all bytes, or
// fail with EFAULT after some or none. They may be called concurrently.
type Memory interface {
	CopyFromUser(dst []byte, addr uint64) error
	CopyToUser(addr uint64, src []byte) error
}

// A ContextMemory is a [Memory] whose copies can take long, because the client
// must provide a page first.
type ContextMemory interface {
	// CopyFromUserContext and CopyToUserContext copy inside of a guard. When ctx
	// ends, they end: their error is its cause then. Nothing else that a client
	// does makes them wait for long.
	CopyFromUserContext(ctx context.Context, dst []byte, addr uint64) error
	CopyToUserContext(ctx context.Context, addr uint64, src []byte) error

	// FetchFromUser copies before a guard, if the memory is there. It reports
	// whether it has copied all.
	FetchFromUser(dst []byte, addr uint64) bool
	// DeliverToUser copies after a guard. Its error is the cause of ctx if that
	// ends.
	DeliverToUser(ctx context.Context, addr uint64, src []byte) error
}

// A Client is a process that has opened a node or sends a request.
type Client struct {
	PID, UID int
	Comm     string
	Admin    bool // has CAP_SYS_ADMIN

	// Account is charged for what the client uses; nil: without limits.
	Account *Account
}

// A Caller is the process that sends one request, with its memory and its
// descriptors. As descriptors can be passed on, the caller of a request need
// not be the client that opened the file.
type Caller interface {
	Memory
	Client() Client // called only when a request depends on it

	// InstallFD gives the calling process a descriptor for the file of fd, and
	// returns its number. fd itself stays the owner's. InstallFD fails with
	// EMFILE if the process has too many descriptors.
	InstallFD(fd int, cloexec bool) (int32, error)

	// StatFD sets the device, the inode and the mode of an open file of the
	// calling process. They tell files of InstallFD from others. It fails with EBADF if the process has no such
	// descriptor, or has a character device open with O_PATH, which does not
	// prove that the process may use it.
	StatFD(fd int32, st *unix.Stat_t) error

	// DupFD returns another descriptor for an eventfd of the calling process,
	// which cannot be opened again. The caller of DupFD must close it. DupFD
	// fails with EBADF if the process has no such descriptor. It may fail with
	// EINVAL if the descriptor is no eventfd.
	DupFD(fd int32) (int, error)

	// InstallFile makes a file and gives the calling process a descriptor for
	// it, whose number it returns. open makes the file that serves the
	// descriptor; deliveries to the sink make the descriptor readable. flags
	// are those of open(2). InstallFile fails with EMFILE if the process has
	// too many descriptors, and with the error of open; it closes a file that
	// was made.
	//
	// The client can use the descriptor at once, so a request installs it last.
	InstallFile(flags int, open func(sink EventSink) (ClientFile, error)) (int32, error)

	// LookupFile returns the file of a descriptor of the calling process: one
	// that InstallFile made, or an open node. It returns nil for other
	// descriptors. The file may be closed at any moment.
	LookupFile(fd int32) ClientFile
}

// A ClientFile is a file that a request gives its client as a new descriptor: a
// sync file, or a [File] of a lease. All methods may be called concurrently.
//
// It lives as long as any process has a descriptor for it, possibly longer than
// the file of the request, the device and its registration. Polling and reading
// go to its [EventSink].
type ClientFile interface {
	// Ioctl serves one request, as [File.Ioctl] does. The error should be or
	// wrap an errno: ENOTTY for requests that the file does not have.
	Ioctl(ctx context.Context, caller Caller, cmd uint32, arg uint64) error

	// Close is called after the last descriptor was closed. Requests in flight
	// may go on.
	Close() error
}
