package drm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// IoctlFlags are the permissions that a request needs (enum drm_ioctl_flags).
type IoctlFlags uint8

const (
	IoctlAuth        IoctlFlags = 1 << iota // needs an authenticated client or a render node
	IoctlMaster                             // needs the current master
	IoctlRootOnly                           // needs CAP_SYS_ADMIN
	IoctlRenderAllow                        // allowed on a render node
)

// An Ioctl is one request and its handler. [NewIoctl] makes it.
type Ioctl struct {
	cmd     uint32
	name    string
	flags   IoctlFlags
	handler func(dev *RegisteredDevice, req *Request, arg []uint64) error
	fetch   func(req *Request, arg []uint64) // see Fetching; or nil
}

// NewIoctl binds the driver's own request cmd to handler, whose argument is the
// struct T of the uAPI header. The handler runs inside a guard, whose view dev
// is. arg is a copy of the client's struct, zero-extended. Its content is
// copied back when the handler returns, even with an error. The error should be
// or wrap an errno; any other becomes EINVAL.
//
// A handler that waits must wait for req.Context as well, which ends at an
// unplug.
//
// NewIoctl panics if cmd does not encode the size of T.
func NewIoctl[T any](cmd uint32, flags IoctlFlags, handler func(dev *RegisteredDevice, req *Request, arg *T) error) Ioctl {
	name := ioctlName(cmd)
	if size := sizeOf[T](); size != uapi.IOCSize(cmd) {
		panic(fmt.Sprintf("drm: ioctl %s has an argument of %d bytes, its handler takes %d", name, uapi.IOCSize(cmd), size))
	}
	return Ioctl{cmd: cmd, name: name, flags: flags, handler: func(dev *RegisteredDevice, req *Request, arg []uint64) error {
		return handler(dev, req, asStruct[T](arg))
	}}
}

// NewCoreIoctl is [NewIoctl] for a request that all devices have, whose flags
// are therefore known. It panics for any other request.
func NewCoreIoctl[T any](cmd uint32, handler func(dev *RegisteredDevice, req *Request, arg *T) error) Ioctl {
	r, ok := requests[cmd]
	if !ok {
		panic(fmt.Sprintf("drm: %s is not a request of the core; use NewIoctl", ioctlName(cmd)))
	}
	return NewIoctl(cmd, r.flags, handler)
}

// ioctlName names a request in reports and errors.
func ioctlName(cmd uint32) string {
	if name := uapi.IoctlName(cmd); name != "" {
		return name
	}
	return fmt.Sprintf("ioctl %#x", cmd)
}

// An ioctlTable holds the requests of a device by number.
type ioctlTable [256]*Ioctl

// add adds all of the ioctls or, if it fails, none.
func (t *ioctlTable) add(d *Device, ioctls []Ioctl) error {
	before := *t
	for _, ioctl := range ioctls {
		nr := uapi.IOCNr(ioctl.cmd)
		if other := t[nr]; other != nil {
			*t = before
			return fmt.Errorf("drm: driver %s: ioctls %s and %s have the same number %#x: %w", d.driver.Info.Name, other.name, ioctl.name, nr, unix.EEXIST)
		}
		t[nr] = &ioctl
	}
	return nil
}

// Ioctls returns the requests that the device answers, in the order of their
// numbers.
func (d *Device) Ioctls() []uint32 {
	var cmds []uint32
	for _, ioctl := range d.ioctls {
		if ioctl != nil {
			cmds = append(cmds, ioctl.cmd)
		}
	}
	return cmds
}

// A Request is one ioctl: its [Caller], and the file that it was sent to.
type Request struct {
	Caller
	File *File
	Cmd  uint32 // as the client sent it
	ctx  context.Context
	call *Call // nil unless traced

	// Of the goroutine of the request: see requestmem.go.
	arg        []uint64
	fetched    []placed
	deliveries []delivery

	mu     sync.Mutex
	joined context.Context // see requestContext; nil until a handler waits
	end    func()          // ends joined
}

// Context returns a context that ends when the unplug of the device begins,
// with [ErrUnplugged] as its cause, when the client is interrupted, or when the
// handler returns. A handler that waits selects on it, and returns EINTR if the
// client was interrupted.
//
// The context carries the guard of the request, as that of
// [RegisteredDevice.Context] does.
func (r *Request) Context() context.Context { return (*requestContext)(r) }

// finish ends the context of the request.
func (r *Request) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end != nil {
		r.end()
	}
	if r.joined == nil {
		r.joined = ended
	}
}

// A requestContext joins the context of the client's thread and that of the
// device. It does so when a handler first asks for Done: most requests do not
// wait, and a host takes the call of its Done as the beginning of a wait.
type requestContext Request

func (c *requestContext) join() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined == nil {
		dev := c.File.minor.dev
		ctx, cancel := context.WithCancelCause(dev.inside(c.ctx))
		stop := context.AfterFunc(dev.ctx, func() { cancel(ErrUnplugged) })
		c.joined, c.end = ctx, func() { stop(); cancel(context.Canceled) }
	}
	return c.joined
}

// current returns the joined context if a handler has waited for it, or if it
// has ended; otherwise nil.
func (c *requestContext) current() context.Context {
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	if joined == nil && (c.ctx.Err() != nil || c.File.minor.dev.ctx.Err() != nil) {
		joined = c.join()
		<-joined.Done() // the device's end arrives by another goroutine
	}
	return joined
}

// Deadline implements context.Context.
func (c *requestContext) Deadline() (time.Time, bool) { return c.ctx.Deadline() }

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} { return c.join().Done() }

// Err implements context.Context.
func (c *requestContext) Err() error {
	if joined := c.current(); joined != nil {
		return joined.Err()
	}
	return nil
}

// Value implements context.Context. It is also where context.Cause looks.
func (c *requestContext) Value(key any) any {
	if joined := c.current(); joined != nil {
		return joined.Value(key)
	}
	return c.File.minor.dev.inside(c.ctx).Value(key)
}

// ended is a context that has ended. A wait with it polls once.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
