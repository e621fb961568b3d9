package host

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// isFDInfo reports whether path, which has no links on the way, is a file of
// /proc that describes a descriptor.
func isFDInfo(path string) bool {
	parts := inProcess(path)
	return len(parts) == 2 && parts[0] == "fdinfo"
}

// openFDInfo opens a file for which isFDInfo holds, if the descriptor is of a node:
// with the flags of the node and not those of the pipe that stands for it. Where
// Landlock may forbid the open, the kernel decides.
func (c *call) openFDInfo(path string, flags int) (answered bool) {
	if c.host.landlock.used.Load() || flags&(unix.O_ACCMODE|unix.O_PATH|unix.O_DIRECTORY) != unix.O_RDONLY {
		return false
	}
	o, _, err := c.magic(strings.Replace(path, "/fdinfo/", "/fd/", 1))
	if err != nil || o.file == nil {
		return false
	}
	text, err := c.tid().ReadProc(path)
	if err != nil {
		return false
	}
	c.openSnapshot(path, c.host.fdInfo(o, text), flags)
	return true
}

// fdInfo returns the description of a node, from that of the pipe that stands for
// it. What the driver says about the file is at the end.
func (h *Host) fdInfo(o opened, text []byte) string {
	st := h.statNode(o.file.Node().Minor())
	var b strings.Builder
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":\t"))
		switch string(key) {
		case "flags":
			flags, _ := strconv.ParseInt(string(value), 8, 64)
			fmt.Fprintf(&b, "flags:\t0%o\n", o.flags(int(flags)))
		case "mnt_id":
			fmt.Fprintf(&b, "mnt_id:\t%d\n", st.Mnt_id)
		case "ino":
			fmt.Fprintf(&b, "ino:\t%d\n", st.Ino)
		default:
			b.Write(line)
		}
	}
	b.WriteString(o.file.Node().FDInfo())
	return b.String()
}
