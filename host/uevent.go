package host

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/udev"
)

// classEvent tells programs of a change of an object of the class.
func (h *Host) classEvent(e drm.Uevent) {
	k := e.Kobject
	h.sendEvent(&udev.Event{
		Action:     e.Action,
		DevPath:    strings.TrimPrefix(kobjectPath(k), "/sys"),
		Subsystem:  kobjectClass(k),
		Env:        slices.Concat(e.Env, kobjectEnv(k)),
		Properties: h.udevProperties(k),
		Tags:       kobjectTags(k),
	})
}

// busEvent tells programs of a change of a device on a bus.
func (h *Host) busEvent(e bus.Event) {
	switch e.Action {
	case "add", "remove", "bind", "unbind":
	default:
		return // "release": of a managed resource
	}
	h.unlessClosed(func() {
		h.renew()
		d := e.Device
		if e.Action == "remove" {
			h.seen.Delete(d)
		}
		h.sendBusEvent(d, e.Action, nil)
	})
}

// sendBusEvent sends the event of a device on a bus, with env as further keys.
func (h *Host) sendBusEvent(d *bus.Device, action string, env []string) {
	h.sendEvent(&udev.Event{
		Action:     action,
		DevPath:    strings.TrimPrefix(sysPath(d), "/sys"),
		Subsystem:  d.Bus().Name(),
		Env:        append(env, deviceEnv(d)...),
		Properties: pathIDs(d),
	})
}

func (h *Host) sendEvent(e *udev.Event) {
	e.KernelOnly = h.hasOtherUdevd()
	h.log.Info("host: uevent", "action", e.Action, "device", e.DevPath)
	if err := h.monitors.Send(e); err != nil {
		h.log.Warn("host: a uevent was lost", "action", e.Action, "device", e.DevPath, "err", err)
	}
}

// socket gives the program a monitor in place of a netlink socket.
func (c *call) socket() {
	fd, err := c.host.monitors.Open(c.account, int(c.arg(1)))
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, c.arg(1)&unix.SOCK_CLOEXEC != 0)
}

// bind notes the groups that a monitor is bound to, unless it is a netlink
// socket. Other sockets may get a name in a virtual directory.
func (c *call) bind() {
	var buf [unix.SizeofSockaddrUnix]byte
	link, err := c.tid().FD(int(c.fd(0)), c.linkBuf[:])
	if err != nil || c.arg(2) > uint64(len(buf)) {
		c.proceed()
		return
	}
	addr := buf[:c.arg(2)]
	inode := files.SocketInode(link)
	if inode == 0 || c.readMemory(addr, c.arg(1)) != nil {
		c.proceed()
		return
	}
	// A struct sockaddr_nl: family u16, pad u16, pid u32, groups u32.
	if len(addr) == unix.SizeofSockaddrNetlink && c.host.monitors.Bind(inode, binary.NativeEndian.Uint32(addr[8:])) {
		c.ret(0)
		return
	}
	path, _, _ := bytes.Cut(addr[sizeofFamily:], []byte{0})
	if binary.NativeEndian.Uint16(addr) != unix.AF_UNIX || len(path) == 0 {
		c.proceed()
		return
	}
	_, err = c.newNameOf(unix.AT_FDCWD, path)
	switch err {
	case errNative:
		c.proceed()
	case nil:
		c.fail(unix.EPERM)
	case unix.EEXIST:
		c.fail(unix.EADDRINUSE)
	default:
		c.fail(err)
	}
}
