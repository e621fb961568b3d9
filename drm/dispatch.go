package drm

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// Ioctl serves one request of the file: cmd with the argument at arg in the
// memory of caller. ctx ends when the calling thread is interrupted or dies.
// The checks and their order are those of the kernel's drm_ioctl: ENODEV if the
// device is unplugged, ENOTTY for a request that is not DRM's, EINVAL for an
// unknown one, EFAULT, EACCES, and the error of the handler. On a closed file,
// Ioctl fails with EBADF. Every error wraps the errno that a program sees; see
// [Errno].
//
// The request is checked and handled inside one guard: an unplug waits for it.
func (f *File) Ioctl(ctx context.Context, caller Caller, cmd uint32, arg uint64) error {
	err := f.ioctl(ctx, caller, cmd, arg)
	if err != nil && f.minor.dev.logsRefusals(ctx) {
		f.minor.dev.logRefusal(ctx, ioctlName(cmd), f.minor.Name(), caller.Client(), err)
	}
	return err
}

func (f *File) ioctl(ctx context.Context, caller Caller, cmd uint32, arg uint64) error {
	if err := f.use(); err != nil {
		return err
	}
	defer f.leave()
	req := &Request{Caller: caller, File: f, Cmd: cmd, ctx: ctx}
	defer req.finish()
	if f.minor.dev.traced() {
		req.call = &Call{Op: OpIoctl, Context: ctx, Minor: f.minor, File: f, Caller: caller, Memory: req, Cmd: cmd, Addr: arg}
		return req.call.run(func() error { return f.dispatch(req, arg) })
	}
	return f.dispatch(req, arg)
}

// dispatch copies the argument in, has it handled inside a guard, and copies
// the argument out, even if the request was refused or failed. The client's
// headers may have another size for the argument: what it did not send is zero.
//
// Both copies are made outside the guard: a client can make them slow
// (userfaultfd), and an unplug must not wait for that. The kernel does not hold
// drm_dev_enter there either. Nearly all arrays are copied there too: see
// requestmem.go.
func (f *File) dispatch(req *Request, addr uint64) error {
	ioctl, err := f.minor.dev.lookupIoctl(req.Cmd)
	if err != nil {
		return err
	}
	dir := uapi.IOCDir(req.Cmd) & uapi.IOCDir(ioctl.cmd)
	in, out := uapi.IOCSize(req.Cmd), uapi.IOCSize(req.Cmd)
	if dir&uapi.IOCWrite == 0 {
		in = 0
	}
	if dir&uapi.IOCRead == 0 {
		out = 0
	}
	arg := make([]uint64, (max(in, out, uapi.IOCSize(ioctl.cmd))+7)/8)
	if in > 0 {
		if err := req.Caller.CopyFromUser(asBytes(arg)[:in], addr); err != nil {
			return fmt.Errorf("drm: reading the argument of %s: %w", ioctl.name, err)
		}
	}
	if req.arg = arg; ioctl.fetch != nil {
		ioctl.fetch(req, arg)
	}
	err = f.guardedIoctl(req, ioctl, arg)
	if deliveryErr := req.deliver(); deliveryErr != nil {
		err = fmt.Errorf("drm: writing an array of %s: %w", ioctl.name, deliveryErr)
	}
	if out > 0 {
		if copyErr := req.Caller.CopyToUser(addr, asBytes(arg)[:out]); copyErr != nil {
			return fmt.Errorf("drm: writing the argument of %s: %w", ioctl.name, copyErr)
		}
	}
	return err
}

// lookupIoctl returns the request that cmd names. The device may be unplugged
// right after lookupIoctl has seen that it is not.
func (d *Device) lookupIoctl(cmd uint32) (*Ioctl, error) {
	if d.gate.Closed() {
		return nil, ErrUnplugged
	}
	if uapi.IOCType(cmd) != uapi.IoctlBase {
		return nil, fmt.Errorf("drm: ioctl %#x is not a DRM ioctl: %w", cmd, unix.ENOTTY)
	}
	ioctl := d.findIoctl(cmd)
	if ioctl == nil {
		return nil, fmt.Errorf("drm: ioctl %#x: %s has no request of number %#x: %w", cmd, d.driver.Info.Name, uapi.IOCNr(cmd), unix.EINVAL)
	}
	return ioctl, nil
}

// findIoctl returns the request that a DRM ioctl names, or nil.
func (d *Device) findIoctl(cmd uint32) *Ioctl {
	if ioctl := d.ioctls[uapi.IOCNr(cmd)]; ioctl != nil {
		return ioctl
	}
	return absentIoctls[uapi.IOCNr(cmd)]
}

// Handles reports whether a request of this number gets to a handler. Others fail
// outside of guards, for each client.
func (d *Device) Handles(cmd uint32) bool {
	return uapi.IOCType(cmd) == uapi.IoctlBase && d.findIoctl(cmd) != nil
}

// guardedIoctl checks the permission and runs the handler, inside a guard.
func (f *File) guardedIoctl(req *Request, ioctl *Ioctl, arg []uint64) error {
	cmd := req.Cmd
	return f.minor.dev.guarded(&f.records, purpose{cmd: cmd, file: f}, func(dev *RegisteredDevice) error {
		req.call.entered()
		err := req.call.guarded(arg)
		if err == nil {
			err = ioctl.permit(req)
		}
		if err == nil {
			err = ioctl.run(dev, req, arg)
		}
		return req.call.handled(err)
	})
}

func (ioctl *Ioctl) run(dev *RegisteredDevice, req *Request, arg []uint64) (err error) {
	defer dev.recoverTo(&err, purpose{cmd: req.Cmd, file: req.File})
	return withErrno(ioctl.handler(dev, req, arg))
}

// withErrno returns err, which wraps the errno that a program sees.
func withErrno(err error) error {
	if err == nil {
		return nil
	}
	if errno := unix.Errno(0); errors.As(err, &errno) { // errno is allocated
		return err
	}
	return fmt.Errorf("%w: %w", err, Errno(err))
}

// permit is drm_ioctl_permit.
func (ioctl *Ioctl) permit(req *Request) error {
	f := req.File
	refuse := func(why string) error {
		return fmt.Errorf("drm: %s on %s: %s: %w", ioctl.name, f.minor.Name(), why, unix.EACCES)
	}
	render := f.minor.typ == Render
	switch {
	case ioctl.flags&IoctlRootOnly != 0 && !req.Client().Admin:
		return refuse("it needs CAP_SYS_ADMIN")
	case ioctl.flags&IoctlAuth != 0 && !render && !f.authenticated.Load():
		return refuse("the client is not authenticated; send DRM_IOCTL_AUTH_MAGIC as master")
	case ioctl.flags&IoctlMaster != 0 && !f.IsMaster():
		return refuse("the client is not the master")
	case ioctl.flags&IoctlRenderAllow == 0 && render:
		return refuse("it is not allowed on a render node")
	}
	return nil
}

// Errno returns the error number that a client gets for an error of this
// package: 0 for nil, EINVAL for an error that wraps no errno.
func Errno(err error) unix.Errno {
	var errno unix.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &errno):
		return errno
	}
	return unix.EINVAL
}
