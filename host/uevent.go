package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
)

// Programs hear of devices that come and go from libudev's monitors: netlink
// sockets to which the kernel (group 1) and udev (group 2) multicast. Only
// the kernel can send as the kernel, so in answer to socket(AF_NETLINK, …,
// NETLINK_KOBJECT_UEVENT) a program gets a datagram socket of our own, and in
// answer to its bind we note the groups. Messages are sent from sockets whose
// abstract names read like the struct sockaddr_nl of the sender; libudev
// looks at the groups and the pid in it, not at the family. It also wants the
// sender to be root or the user of the program: we are one or the other.

// Multicast groups of NETLINK_KOBJECT_UEVENT.
const (
	groupKernel = 1
	groupUdev   = 2
)

// A uevent is what a device has to say, before it is put into a message.
type uevent struct {
	action, devpath, subsystem string
	env                        []string // KEY=value, as the kernel has them
	udev                       []string // what udev adds
	tags                       []string
}

// uevents are the monitors of a host.
type uevents struct {
	seqnum  atomic.Uint64
	closing atomic.Bool
	senders map[uint32]int // group → socket

	mu       sync.Mutex
	monitors map[uint64]*monitor // by inode
	wg       sync.WaitGroup
}

// A monitor is a socket of a program.
type monitor struct {
	name   unix.Sockaddr
	groups uint32 // 0 until bind

	queue   []message // guarded by uevents.mu, as sending is
	sending bool
}

type message struct {
	group uint32
	bytes []byte
}

// maxQueued is how many messages a monitor may leave unread, besides those in
// the socket's buffer; the kernel drops messages as well.
const maxQueued = 1024

// sendTimeout, in microseconds, is how long a message waits for a program
// that does not read before it is looked whether the host has ended.
const sendTimeout = 100_000

func newUevents() (*uevents, error) {
	u := &uevents{senders: make(map[uint32]int), monitors: make(map[uint64]*monitor)}
	u.seqnum.Store(1000)
	for _, group := range []uint32{groupKernel, groupUdev} {
		s, err := newSender(group)
		if err != nil {
			u.close()
			return nil, fmt.Errorf("a socket for uevents: %w", err)
		}
		u.senders[group] = s
	}
	return u, nil
}

// newSender returns a socket whose address, when its family is cut off, is
// the rest of a struct sockaddr_nl {pad u16; pid, groups u32}, and then
// something that no other host has.
func newSender(group uint32) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var rest [10]byte // pid 0 is the kernel
	binary.NativeEndian.PutUint32(rest[6:], group)
	err = unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: sendTimeout})
	for n := 0; err == nil; n++ {
		// The first byte, 0, makes the name abstract; x/sys writes it as '@'.
		name := "@" + string(rest[1:]) + fmt.Sprintf("udrm-%d-%d", unix.Getpid(), n)
		if err = unix.Bind(s, &unix.SockaddrUnix{Name: name}); err == nil {
			return s, nil
		}
		if err == unix.EADDRINUSE {
			err = nil
		}
	}
	return -1, errors.Join(err, unix.Close(s))
}

// close ends the monitors: nothing is sent any more.
func (u *uevents) close() {
	u.closing.Store(true)
	u.wg.Wait()
	for _, s := range u.senders {
		_ = unix.Close(s)
	}
}

// open returns a socket for a program. The caller passes it on and closes it.
func (u *uevents) open(flags int) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|flags&unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	fail := func(err error) (int, error) { return -1, errors.Join(err, unix.Close(s)) }
	// Without a name the kernel chooses one.
	if err := unix.Bind(s, &unix.SockaddrUnix{}); err != nil {
		return fail(err)
	}
	name, err := unix.Getsockname(s)
	if err != nil {
		return fail(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(s, &st); err != nil {
		return fail(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.monitors[st.Ino] = &monitor{name: name}
	return s, nil
}

// subscribe sets the groups of a monitor; false when the inode is not that of
// one.
func (u *uevents) subscribe(inode uint64, groups uint32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := u.monitors[inode]
	if m != nil {
		m.groups |= groups
	}
	return m != nil
}

// send sends e to all monitors, first as the kernel, then as udev.
func (u *uevents) send(e uevent) {
	e.env = append(e.env, fmt.Sprintf("SEQNUM=%d", u.seqnum.Add(1)))
	messages := []message{{groupKernel, e.kernelMessage()}, {groupUdev, e.udevMessage()}}
	u.mu.Lock()
	defer u.mu.Unlock()
	for inode, m := range u.monitors {
		for _, msg := range messages {
			if m.groups&msg.group != 0 && len(m.queue) < maxQueued {
				m.queue = append(m.queue, msg)
			}
		}
		if len(m.queue) > 0 && !m.sending && !u.closing.Load() {
			m.sending = true
			u.wg.Add(1)
			go u.drain(inode, m)
		}
	}
}

// drain sends what is queued. It waits for a program that does not read.
func (u *uevents) drain(inode uint64, m *monitor) {
	defer u.wg.Done()
	for {
		u.mu.Lock()
		if len(m.queue) == 0 || u.closing.Load() {
			m.sending = false
			u.mu.Unlock()
			return
		}
		msg := m.queue[0]
		u.mu.Unlock()
		err := unix.Sendto(u.senders[msg.group], msg.bytes, unix.MSG_NOSIGNAL, m.name)
		u.mu.Lock()
		switch err {
		case unix.EAGAIN, unix.EINTR: // not read yet
		case nil:
			m.queue = m.queue[1:]
		default: // ECONNREFUSED: closed
			m.queue = nil
			if u.monitors[inode] == m {
				delete(u.monitors, inode)
			}
		}
		u.mu.Unlock()
	}
}

// kernelMessage is what the kernel sends: "ACTION@DEVPATH", then KEY=value,
// each ended by a NUL.
func (e *uevent) kernelMessage() []byte {
	fields := append([]string{e.action + "@" + e.devpath, "ACTION=" + e.action, "DEVPATH=" + e.devpath, "SUBSYSTEM=" + e.subsystem}, e.env...)
	return nulTerminated(fields)
}

// udevMessage is what udev sends: a header, for which libudev has the kernel
// filter, and properties.
func (e *uevent) udevMessage() []byte {
	fields := []string{"ACTION=" + e.action, "DEVPATH=" + e.devpath, "SUBSYSTEM=" + e.subsystem}
	var devtype string
	for _, kv := range e.env {
		if name, ok := strings.CutPrefix(kv, "DEVNAME="); ok {
			kv = "DEVNAME=/dev/" + name
		}
		if t, ok := strings.CutPrefix(kv, "DEVTYPE="); ok {
			devtype = t
		}
		fields = append(fields, kv)
	}
	fields = append(fields, e.udev...)
	if len(e.tags) > 0 {
		tags := ":" + strings.Join(e.tags, ":") + ":"
		fields = append(fields, "TAGS="+tags, "CURRENT_TAGS="+tags)
	}
	properties := nulTerminated(fields)

	const magic, headerSize = 0xfeedcafe, 40
	h := make([]byte, headerSize, headerSize+len(properties))
	copy(h, "libudev")
	binary.BigEndian.PutUint32(h[8:], magic)
	binary.NativeEndian.PutUint32(h[12:], headerSize)
	binary.NativeEndian.PutUint32(h[16:], headerSize) // where the properties begin
	binary.NativeEndian.PutUint32(h[20:], uint32(len(properties)))
	binary.BigEndian.PutUint32(h[24:], murmur2(e.subsystem))
	if devtype != "" {
		binary.BigEndian.PutUint32(h[28:], murmur2(devtype))
	}
	bloom := tagBloom(e.tags)
	binary.BigEndian.PutUint32(h[32:], uint32(bloom>>32))
	binary.BigEndian.PutUint32(h[36:], uint32(bloom))
	return append(h, properties...)
}

func nulTerminated(fields []string) []byte {
	return []byte(strings.Join(fields, "\x00") + "\x00")
}

// murmur2 is the 32-bit MurmurHash2 with the seed 0, by which libudev names
// subsystems and tags in filters.
func murmur2(s string) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := binary.LittleEndian.Uint32([]byte(s))
		k *= m
		k ^= k >> 24
		k *= m
		h = h*m ^ k
	}
	for i := len(s) - 1; i >= 0; i-- {
		h ^= uint32(s[i]) << (8 * i)
	}
	if len(s) > 0 {
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// tagBloom is the Bloom filter in which libudev looks for tags: four bits for
// each, taken from its hash.
func tagBloom(tags []string) (bits uint64) {
	for _, tag := range tags {
		h := murmur2(tag)
		for shift := 0; shift <= 18; shift += 6 {
			bits |= 1 << (h >> shift & 63)
		}
	}
	return bits
}

// classEvent passes on what happened to an object of the class.
func (h *Host) classEvent(e drm.Uevent) {
	k := e.Kobject
	out := uevent{
		action:    e.Action,
		devpath:   strings.TrimPrefix(kobjectPath(k), "/sys"),
		subsystem: "drm",
		env:       e.Env,
		udev:      h.udevProperties(k),
		tags:      kobjectTags(k),
	}
	out.env = append(out.env[:len(out.env):len(out.env)], kobjectEnv(k)...)
	h.uevents.send(out)
}

// busEvent passes on what happened to a parent.
func (h *Host) busEvent(e bus.Event) {
	switch e.Action {
	case "add", "remove", "bind", "unbind":
	default:
		return // "release": of a managed resource
	}
	h.renew()
	d := e.Device
	if e.Action == "remove" {
		h.seen.Delete(d)
	}
	h.uevents.send(uevent{
		action:    e.Action,
		devpath:   strings.TrimPrefix(sysPath(d), "/sys"),
		subsystem: d.Bus().Name(),
		env:       []string{"MODALIAS=" + modalias(d)},
		udev:      []string{"ID_PATH=" + idPath(d), "ID_PATH_TAG=" + idPathTag(d)},
	})
}

// socket gives the program a socket on which it hears of our devices.
func (c *call) socket() {
	fd, err := c.host.uevents.open(int(c.arg(1)))
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, c.arg(1)&unix.SOCK_CLOEXEC != 0)
}

// bind notes the groups that such a socket is bound to. It sees all binds to
// addresses of the size of a struct sockaddr_nl.
func (c *call) bind() {
	var addr [unix.SizeofSockaddrNetlink]byte // family u16, pad u16, pid u32, groups u32
	link, err := c.tid().FD(int(c.fd(0)), c.linkBuf[:])
	if err != nil || c.tid().Read(addr[:], c.arg(1)) != nil {
		c.proceed()
		return
	}
	inode := bracketed(link, "socket:[")
	if inode == 0 || !c.host.uevents.subscribe(inode, binary.NativeEndian.Uint32(addr[8:])) {
		c.proceed()
		return
	}
	c.ret(0)
}
