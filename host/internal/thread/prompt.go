package thread

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The server of a file system answers for it: a program for FUSE, a machine for
// network file systems, a daemon for automounts. A thread that waits for it
// cannot be interrupted, for ever if the server wants it so. Any user can have
// such a server, in a user namespace. So no look at a path of a program asks
// one: it takes what the kernel knows already, or fails with EAGAIN.

// resolveCached is RESOLVE_CACHED of linux/openat2.h.
const resolveCached = 0x20

// openPromptly is openat2(2) of a path beneath root that waits for no server of a
// file system. EAGAIN when it would have to.
//
// Why it does not wait: RESOLVE_CACHED never does. Otherwise each directory in
// which a name is looked up is in a file system that is prompt, and
// RESOLVE_NO_XDEV ends the look at the next mount.
func (t ID) openPromptly(root int, path string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve | resolveCached}
	fd, err := unix.Openat2(root, path, &how)
	if err != unix.EAGAIN {
		return fd, err
	}
	at, err := unix.FcntlInt(uintptr(root), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	how.Resolve = resolve | unix.RESOLVE_NO_XDEV
	for rest := strings.TrimLeft(path, "/"); ; {
		if rest == "" && flags&unix.O_PATH != 0 {
			return at, nil // a mount
		}
		if !t.isPrompt(at) {
			_ = unix.Close(at)
			return -1, unix.EAGAIN
		}
		name := rest
		if name == "" {
			name = "."
		}
		fd, err := unix.Openat2(at, name, &how)
		if err != unix.EXDEV || rest == "" {
			_ = unix.Close(at)
			return fd, err
		}
		// A mount is on the way. Links on the way to it are not followed.
		first, after, _ := strings.Cut(rest, "/")
		next, err := unix.Openat2(at, first, &unix.OpenHow{
			Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS,
		})
		_ = unix.Close(at)
		if err != nil {
			return -1, err
		}
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
		at, rest = next, strings.TrimLeft(after, "/")
	}
}

// isPrompt reports whether the file system of an open file, which may be open
// with O_PATH, is one that no server can hold up: it is on a device, or one of
// this machine's own, or of a kind without a server.
func (t ID) isPrompt(fd int) bool {
	var st unix.Statx_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_MNT_ID, &st) != nil {
		return false
	}
	device := unix.Mkdev(st.Dev_major, st.Dev_minor)
	return st.Dev_major != 0 || slices.Contains(ownFileSystems(), device) || t.hasPromptMount(st.Mnt_id)
}

// ownFileSystems returns the file systems of this process on which others
// depend as well.
var ownFileSystems = sync.OnceValue(func() (devices []uint64) {
	for _, path := range []string{"/", "/dev", "/dev/shm", "/proc", "/run", "/sys", "/tmp"} {
		var st unix.Stat_t
		if statCached(unix.AT_FDCWD, path, 0, &st) == nil {
			devices = append(devices, st.Dev)
		}
	}
	return devices
})

// promptKinds are file systems that have neither a device nor a server.
var promptKinds = []string{
	"proc", "sysfs", "tmpfs", "ramfs", "devtmpfs", "devpts", "mqueue", "hugetlbfs", "cgroup", "cgroup2",
	"debugfs", "tracefs", "securityfs", "configfs", "pstore", "efivarfs", "bpf", "btrfs", "zfs",
}

// maxMountInfo bounds what is read of a list of mounts, as programs can make
// many.
const maxMountInfo = 1 << 18

// hasPromptMount reports whether a mount of the thread is one of promptKinds.
func (t ID) hasPromptMount(id uint64) bool {
	_, kind := t.mount(id)
	return slices.Contains(promptKinds, kind)
}

// mount looks in the mounts of the thread, mountinfo of proc(5).
func (t ID) mount(id uint64) (options, kind string) {
	file, err := os.Open(t.path("mountinfo"))
	if err != nil {
		return "", ""
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxMountInfo))
	if err != nil {
		return "", ""
	}
	want := strconv.AppendUint(nil, id, 10)
	for line := range bytes.Lines(text) {
		number, rest, _ := bytes.Cut(line, []byte(" "))
		if !bytes.Equal(number, want) {
			continue
		}
		mount, fs, _ := strings.Cut(string(rest), " - ")
		kind, _, _ := strings.Cut(fs, " ")
		const optionsField = 4 // after the parent, the device, the root and the mount point
		if fields := strings.Fields(mount); len(fields) > optionsField {
			options = fields[optionsField]
		}
		return options, kind
	}
	return "", ""
}
