package host

import (
	"fmt"
	"os/user"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
	"github.com/udrm/udrm/seat/vt"
)

// The file of a virtual terminal is the pts of a pseudoterminal (package vt). The
// kernel reads, writes and polls it, and serves the requests of all terminals.
// Only those of virtual ones are served here, and questions about the descriptor.
//
// The same requests on a terminal of the machine fail, so that a program with a
// seat of its own does not change the machine's.

// Types of the requests of linux/kd.h and linux/vt.h.
const (
	keyboardType = 'K'
	vtType       = 'V'
)

// Device numbers of terminals.
const (
	terminalMajor = 4
	consoleMajor  = 5 // of /dev/tty and /dev/console, too
	consoleMinor  = 1

	firstTerminal = 1
)

// isVTRequest reports whether a request is one of virtual terminals. Those of
// video4linux have the same type, and a size.
func isVTRequest(cmd uint32) bool {
	return cmd == unix.TIOCLINUX || cmd>>8 == keyboardType || cmd>>8 == vtType
}

// addTerminals adds the virtual terminals.
func (h *Host) addTerminals(t *vfs.Tree) {
	if h.terminals == nil {
		return
	}
	for number := range vt.Count + 1 {
		t.AddTerminal(terminalPath(number), 0o620, terminalMajor, number)
	}
	t.AddTerminal("/dev/console", 0o600, consoleMajor, consoleMinor)
	if !h.isMounted { // otherwise the kernel opens it
		t.AddTerminal(ownTerminal, 0o666, consoleMajor, 0)
	}
}

func terminalPath(number int) string { return fmt.Sprintf("/dev/tty%d", number) }

// ttyGroup returns the group of terminals.
var ttyGroup = sync.OnceValue(func() uint32 {
	g, err := user.LookupGroup("tty")
	if err != nil {
		return 0
	}
	gid, _ := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid)
})

// ownTerminal is the controlling terminal of the process that opens it. On a
// console this is a virtual terminal. So a process without one gets the first
// virtual terminal, and requests on any other are served as those of the first.
const ownTerminal = "/dev/tty"

// openTerminal gives the program a terminal.
func (c *call) openTerminal(n *vfs.Node, flags int, mode uint32) {
	number := n.Minor
	switch {
	case n.Major != consoleMajor:
	case n.Minor == consoleMinor:
		number = 0
	case c.tid().ControllingTerminal() != 0:
		c.openReal(ownTerminal, flags, mode)
		return
	default:
		number = firstTerminal
	}
	fd, err := c.host.terminals.Open(number, flags)
	if err != nil {
		c.fail(err)
		return
	}
	c.retFD(fd, flags&unix.O_CLOEXEC != 0)
}

// terminalPath returns the path of the virtual terminal that a file is, or "".
func (h *Host) terminalPath(id pollfd.ID) string {
	if h.terminals == nil {
		return ""
	}
	if number := h.terminals.Number(id.Dev, id.Inode); number > 0 {
		return terminalPath(number)
	}
	return ""
}

// vtIoctl serves a request on a virtual terminal.
func (c *call) vtIoctl() {
	if c.host.terminals == nil {
		c.proceed()
		return
	}
	number, real := c.terminal(c.fd(0))
	switch {
	case real:
		c.fail(unix.ENOTTY)
		return
	case number == 0:
		c.proceed()
		return
	}
	r := c.request()
	result, err := c.host.terminals.Ioctl(r, r, number, uint32(c.arg(1)), c.arg(2))
	r.end()
	if err != nil {
		c.host.log.Info("host: request on a virtual terminal refused", "terminal", number, "err", err)
		c.fail(drm.Errno(err))
		return
	}
	c.ret(result)
}

// terminal returns the number of the virtual terminal that a descriptor refers to,
// or 0. real says that it refers to one of the machine.
func (c *call) terminal(fd int32) (number int, real bool) {
	var st unix.Stat_t
	if c.tid().StatFD(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0, false
	}
	if number = c.host.terminals.Number(st.Dev, st.Ino); number > 0 {
		return number, false
	}
	rdev := st.Rdev
	if rdev == unix.Mkdev(consoleMajor, 0) { // ownTerminal
		number = c.host.terminals.NumberOfDevice(c.tid().ControllingTerminal())
		return max(number, firstTerminal), false
	}
	major, minor := unix.Major(rdev), unix.Minor(rdev)
	return 0, major == terminalMajor && minor <= vt.Count || major == consoleMajor && minor == consoleMinor
}
