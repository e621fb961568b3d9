package drm

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

// A Caller is who sends one request: its memory, and which process it is. A
// descriptor can be passed on, so that the caller of a request need not be
// the client that opened the file.
type Caller interface {
	Memory
	Client() Client // looked up only when a request depends on it
}
