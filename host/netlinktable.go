package host

import "golang.org/x/sys/unix"

// isNetlinkTable reports whether path, which has no links on the way, is the file of
// /proc that lists the netlink sockets of a process's network namespace.
func isNetlinkTable(path string) bool {
	parts := inProcess(path)
	return len(parts) == 2 && parts[0] == "net" && parts[1] == "netlink"
}

// openNetlinkTable opens a file for which isNetlinkTable holds, with the monitors of
// all programs, which are in a network namespace of their own.
func (c *call) openNetlinkTable(path string, flags int) (answered bool) {
	if c.host.landlock.used.Load() || flags&(unix.O_ACCMODE|unix.O_PATH|unix.O_DIRECTORY) != unix.O_RDONLY {
		return false
	}
	monitors := c.host.monitors.Table()
	if monitors == "" {
		return false
	}
	text, err := c.tid().ReadProc(path)
	if err != nil {
		return false
	}
	c.openSnapshot(path, string(text)+monitors, flags)
	return true
}
