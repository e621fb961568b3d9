package host

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/mounts"
)

// A program can have mounts of its own, as in a sandbox: over /sys, so that it has
// no virtual files there, or over /dev and /sys with fewer rights. The kernel keeps
// these rules for files that are mounted, except for nodes, which only this process
// opens.

// Shows reports whether the program sees the virtual file in a directory
// that is really there. In calls mode, that directory must be the one that this
// process has; seesDevices checks /dev.
func (c *call) Shows(file string) bool {
	switch h := c.host; {
	case h.everyRoot, c.fromOurs:
		return true
	case h.mounts != nil:
		var st unix.Stat_t
		return !mounts.InDevices(file) || c.tid().Identify(file, &st) == nil && st.Dev == h.mounts.device(file)
	}
	return c.sharesDir(path.Dir(file))
}

// sharesDir reports whether the program has the real directory dir of /sys that this
// process has, or what is nearest to it, perhaps in the sysfs of another network
// namespace.
func (c *call) sharesDir(dir string) bool {
	if c.host.everyRoot || dir != "/sys" && !strings.HasPrefix(dir, "/sys/") || c.tid().InOurRoot() {
		return true
	}
	dir, ours := nearestDir(dir)
	var theirs unix.Stat_t
	if c.tid().Identify(dir, &theirs) != nil || theirs.Ino != ours.Ino {
		return false
	}
	return theirs.Dev == ours.Dev || isSysfs(c.tid().FileSystem(dir)) && isSysfs(fileSystemOf(dir))
}

// nearestDir returns the directory at dir, or the first one above it, that this
// process has.
func nearestDir(dir string) (string, unix.Stat_t) {
	for {
		var st unix.Stat_t
		if dir == "/" || unix.Stat(dir, &st) == nil {
			return dir, st
		}
		dir = path.Dir(dir)
	}
}

func isSysfs(fs unix.Statfs_t, err error) bool { return err == nil && fs.Type == unix.SYSFS_MAGIC }

func fileSystemOf(dir string) (fs unix.Statfs_t, err error) {
	err = unix.Statfs(dir, &fs)
	return fs, err
}

// mayOpenDevices reports whether the program may open a node: its mount has no
// "nodev" that the one of this process lacks.
func (c *call) mayOpenDevices(file string) bool {
	switch {
	case !mounts.InDevices(file):
		return true // the streams of debugfs are nodes only for this process
	case c.host.mounts == nil:
		return c.addedFlags(file)&unix.ST_NODEV == 0
	}
	options, err := c.tid().MountOptions(c.host.tree.Load().Top(file))
	return err != nil || !slices.Contains(strings.Split(options, ","), "nodev")
}

// isReadOnly reports whether the program sees the virtual file on a mount that is
// read-only, unlike the one of this process.
func (c *call) isReadOnly(file string) bool {
	return c.host.mounts == nil && c.addedFlags(file)&unix.ST_RDONLY != 0
}

// addedFlags returns the flags of the program's mount of the file that the one of this
// process lacks.
func (c *call) addedFlags(file string) int64 {
	if c.host.everyRoot || !mounts.InDevices(file) && !strings.HasPrefix(file, "/sys/") || c.tid().InOurRoot() {
		return 0
	}
	dir, _ := nearestDir(path.Dir(c.host.tree.Load().Top(file)))
	theirs, err := c.tid().FileSystem(dir)
	ours, ownErr := fileSystemOf(dir)
	if err != nil || ownErr != nil {
		return 0
	}
	return theirs.Flags &^ ours.Flags
}
