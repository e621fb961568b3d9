package drm

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// IoctlFlags say who may send a request (enum drm_ioctl_flags of the kernel).
type IoctlFlags uint8

const (
	IoctlAuth        IoctlFlags = 1 << iota // an authenticated client, or a render node
	IoctlMaster                             // the current master
	IoctlRootOnly                           // CAP_SYS_ADMIN
	IoctlRenderAllow                        // also on a render node
)

// An Ioctl is one request and its handler. [NewIoctl] makes it.
type Ioctl struct {
	cmd     uint32
	name    string
	flags   IoctlFlags
	handler func(dev *RegisteredDevice, req *Request, arg []uint64) error
}

// NewIoctl binds the driver's own request cmd to handler, whose argument is the
// struct T of the uAPI header. The handler runs inside a guard, which is where
// dev comes from. arg is a copy of the client's struct, zero-extended; what the
// handler leaves in it is copied back, also when it returns an error. The error
// should be, or wrap, an errno; any other becomes EINVAL.
//
// A handler that waits must wait for req.Context as well: an unplug ends it.
//
// NewIoctl panics when the size of T is not the one that cmd encodes.
func NewIoctl[T any](cmd uint32, flags IoctlFlags, handler func(dev *RegisteredDevice, req *Request, arg *T) error) Ioctl {
	name := ioctlName(cmd)
	if size := sizeOf[T](); size != uapi.IOCSize(cmd) {
		panic(fmt.Sprintf("drm: ioctl %s has an argument of %d bytes, its handler takes %d", name, uapi.IOCSize(cmd), size))
	}
	return Ioctl{cmd: cmd, name: name, flags: flags, handler: func(dev *RegisteredDevice, req *Request, arg []uint64) error {
		return handler(dev, req, asStruct[T](arg))
	}}
}

// NewCoreIoctl is [NewIoctl] for a request that is the same on all devices, and
// whose flags are therefore known. It panics for any other request.
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

// add takes all of the ioctls or, with an error, none.
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

// Ioctls returns the requests that the device answers, by number.
func (d *Device) Ioctls() []uint32 {
	var cmds []uint32
	for _, ioctl := range d.ioctls {
		if ioctl != nil {
			cmds = append(cmds, ioctl.cmd)
		}
	}
	return cmds
}

// A Request is one ioctl on its way: the [Caller] that sent it, and the file
// that it was sent to.
type Request struct {
	Caller
	File   *File
	Cmd    uint32 // as the client sent it
	ctx    context.Context
	call   *Call                          // nil unless traced
	joined atomic.Pointer[requestContext] // nil until Context is called
}

// A requestContext is the context of a request, with a function that ends it.
type requestContext struct {
	context.Context
	end func()
}

// Context returns a context that ends when the unplug of the device begins,
// with [ErrUnplugged] as its cause, when the client is interrupted, or when
// the handler returns. A handler that waits selects on it; interrupted, it
// returns EINTR.
//
// The context carries the guard of the request, as that of
// [RegisteredDevice.Context] does.
func (r *Request) Context() context.Context {
	if joined := r.joined.Load(); joined != nil {
		return joined.Context
	}
	dev := r.File.minor.dev
	ctx, cancel := context.WithCancelCause(dev.inside(r.ctx))
	stop := context.AfterFunc(dev.ctx, func() { cancel(ErrUnplugged) })
	joined := &requestContext{ctx, func() { stop(); cancel(context.Canceled) }}
	if r.joined.CompareAndSwap(nil, joined) {
		return joined.Context
	}
	joined.end() // another goroutine was faster, or the request has ended
	return r.joined.Load().Context
}

// finish ends the context of the request, also for later calls of Context.
func (r *Request) finish() {
	if joined := r.joined.Swap(&finished); joined != nil {
		joined.end()
	}
}

// finished is the context of requests that are over.
var finished = requestContext{ended, func() {}}

// ended is a context that has ended. A wait with it polls once.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
