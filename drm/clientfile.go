package drm

import "context"

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

// InstallFile makes a file and gives the client a descriptor of it, see
// [Caller].
func (r *Request) InstallFile(flags int, open func(sink EventSink) (ClientFile, error)) (int32, error) {
	return r.caller.InstallFile(flags, open)
}

// LookupFile returns the file behind a descriptor of the client, see [Caller].
func (r *Request) LookupFile(fd int32) ClientFile { return r.caller.LookupFile(fd) }
