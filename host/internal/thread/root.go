package thread

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// This file is the only place where this process resolves a path of a program.
// It only looks: it reads links, statuses and names. A program's own thread
// opens its files.
//
// Invariant: what a look finds, the program could have found itself.
//
// Why it holds: the walk starts at a descriptor of the thread's root and
// cannot leave it (RESOLVE_IN_ROOT). It follows no link (RESOLVE_NO_SYMLINKS),
// so a link exchanged during the walk cannot redirect it, neither to
// /proc/self, which would be this process, nor to an open file
// (RESOLVE_NO_MAGICLINKS). It waits for no server of a file system (prompt.go):
// EAGAIN when it had to. It runs with the credentials of the thread. The
// descriptor that was checked is the one that is used.

const resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS

// look opens the file at path with flags, and runs f with the descriptor and
// the credentials of the thread. path is absolute, in the thread's root, and
// has no links on the way. ELOOP when it has.
func (t ID) look(path string, flags int, f func(fd int) error) error {
	return t.lookBy(path, flags, resolve, t.as, f)
}

// lookBy is look with those RESOLVE flags. as calls its argument with the
// credentials to use.
func (t ID) lookBy(path string, flags int, resolve uint64, as func(func() error) error, f func(fd int) error) error {
	root, err := unix.Open(t.path("root"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return as(func() error {
		fd, err := t.openPromptly(root, path, flags, resolve)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return f(fd)
	})
}

// Readlink reads the link at path, as the program sees it. EINVAL when the file
// is not a link.
func (t ID) Readlink(path string) (target string, err error) {
	return t.readlink(path, resolve)
}

// LinkHint is Readlink for a path that may have links on the way. The program
// can exchange them, so the result is only a hint of where a walk may lead.
func (t ID) LinkHint(path string) (target string, err error) {
	return t.readlink(path, resolve&^unix.RESOLVE_NO_SYMLINKS)
}

// MayBeLink reports whether a link may be at the end of path, or on the way. It is
// quick, waits for nothing and errs on the side of true. start names the file of
// /proc/TID at which the path starts: "root", "cwd" or "fd/N". An absolute path
// starts at the root.
//
// It looks with the credentials of this process, but says only whether LinkHint is
// worth asking.
func (t ID) MayBeLink(start, path string) bool {
	dir, err := unix.Open(t.path(start), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS | resolveCached}
	if start == "root" {
		how.Resolve |= unix.RESOLVE_IN_ROOT
	}
	fd, err := unix.Openat2(dir, path, &how)
	_ = unix.Close(dir)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err != nil && err != unix.ENOENT && err != unix.ENOTDIR
}

func (t ID) readlink(path string, resolve uint64) (target string, err error) {
	err = t.lookBy(path, unix.O_PATH|unix.O_NOFOLLOW, resolve, t.as, func(fd int) error {
		var st unix.Stat_t
		switch err := statCached(fd, "", unix.AT_EMPTY_PATH, &st); {
		case err != nil:
			return err
		case st.Mode&unix.S_IFMT != unix.S_IFLNK:
			return unix.EINVAL
		case !t.isPrompt(fd):
			return unix.EAGAIN
		}
		var buf [unix.PathMax]byte
		n, err := unix.Readlinkat(fd, "", buf[:])
		target = string(buf[:max(n, 0)])
		return err
	})
	return target, err
}

// DirectoryHint returns the path without links of the directory at path, in our
// root. The program can exchange the links on the way, so it is only a hint.
func (t ID) DirectoryHint(path string) (real string, err error) {
	err = t.lookBy(path, unix.O_PATH|unix.O_DIRECTORY, resolve&^unix.RESOLVE_NO_SYMLINKS, t.as, func(fd int) error {
		var buf [unix.PathMax]byte
		n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf[:])
		real = string(buf[:max(n, 0)])
		return err
	})
	return real, err
}

// Identify returns the identity and type of the file at path, as the program
// sees it. It does not follow a link.
func (t ID) Identify(path string, st *unix.Stat_t) error {
	return t.look(path, unix.O_PATH|unix.O_NOFOLLOW, func(fd int) error {
		return statCached(fd, "", unix.AT_EMPTY_PATH, st)
	})
}

// FileSystem returns the status of the file system at path, and the flags of the
// mount. EAGAIN when its server could make it wait.
func (t ID) FileSystem(path string) (fs unix.Statfs_t, err error) {
	err = t.look(path, unix.O_PATH|unix.O_NOFOLLOW, func(fd int) error {
		if !t.isPrompt(fd) {
			return unix.EAGAIN
		}
		return unix.Fstatfs(fd, &fs)
	})
	return fs, err
}

// MountOptions returns the options of the mount at path, separated by commas. It is
// slower than FileSystem and asks no file system.
func (t ID) MountOptions(path string) (options string, err error) {
	err = t.look(path, unix.O_PATH|unix.O_NOFOLLOW, func(fd int) error {
		var st unix.Statx_t
		if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st); err != nil {
			return err
		}
		options, _ = t.mount(st.Mnt_id)
		return nil
	})
	return options, err
}

// Entries lists the directory at path, as the program sees it.
func (t ID) Entries(path string) (entries []os.DirEntry, err error) {
	err = t.look(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, func(fd int) error {
		if !t.isPrompt(fd) {
			return unix.EAGAIN
		}
		opened, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		dir := os.NewFile(uintptr(opened), path)
		defer dir.Close()
		entries, err = dir.ReadDir(-1)
		return err
	})
	return entries, err
}

// ProcLink reads the link at path, which names a working directory or an open
// file below /proc. The kernel checks that the credentials of the thread may
// look at that process. EINVAL when no procfs is mounted there. EACCES for this
// process, at which the kernel lets us look with any credentials.
func (t ID) ProcLink(path string) (text string, err error) {
	err = t.lookProc(path, func(dir int, name string) error {
		var buf [unix.PathMax]byte
		n, err := unix.Readlinkat(dir, name, buf[:])
		text = string(buf[:max(n, 0)])
		return err
	})
	return text, err
}

// ReadProc reads a file of a process at path, which names a file in a directory
// below /proc, as ProcLink reads a link.
func (t ID) ReadProc(path string) (text []byte, err error) {
	err = t.lookProc(path, func(dir int, name string) error {
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		text = make([]byte, os.Getpagesize())
		n, err := unix.Read(fd, text)
		text = text[:max(n, 0)]
		return err
	})
	return text, err
}

// IdentifyLink returns the identity and type of the open file that a link leads
// to for which ProcLink succeeds.
func (t ID) IdentifyLink(path string, st *unix.Stat_t) error {
	return t.lookProc(path, func(dir int, name string) error { return statCached(dir, name, 0, st) })
}

// StatLink returns the status of the link at path itself, which names an open file
// below /proc.
func (t ID) StatLink(path string, st *unix.Statx_t) error {
	return t.lookProc(path, func(dir int, name string) error {
		return unix.Statx(dir, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME|unix.STATX_MNT_ID, st)
	})
}

// HasRoot reports whether the link at path, which names a root directory below
// /proc, leads to the root directory of the thread.
func (t ID) HasRoot(path string) (same bool, err error) {
	const mask = unix.STATX_INO | unix.STATX_MNT_ID
	err = t.lookProc(path, func(dir int, name string) error {
		var theirs, own unix.Statx_t
		if err := unix.Statx(dir, name, unix.AT_STATX_DONT_SYNC, mask, &theirs); err != nil {
			return err
		}
		if err := unix.Statx(unix.AT_FDCWD, t.path("root"), unix.AT_STATX_DONT_SYNC, mask, &own); err != nil {
			return err
		}
		same = theirs.Ino == own.Ino && theirs.Mnt_id == own.Mnt_id
		return nil
	})
	return same, err
}

// lookProc runs f with the directory of path. In a procfs no other file can
// take the place of name.
func (t ID) lookProc(path string, f func(dir int, name string) error) error {
	err := t.lookProcBy(path, t.as, f)
	if (err == unix.EACCES || err == unix.EPERM) && t.mayInspect(path) {
		err = t.lookProcBy(path, asOurselves, f)
	}
	return err
}

// asOurselves calls f with the credentials of this process.
func asOurselves(f func() error) error { return f() }

func (t ID) lookProcBy(path string, as func(func() error) error, f func(dir int, name string) error) error {
	dir, name := filepath.Split(path)
	return t.lookBy(dir, unix.O_PATH|unix.O_DIRECTORY, resolve, as, func(fd int) error {
		if !t.isPrompt(fd) {
			return unix.EINVAL
		}
		var fs unix.Statfs_t
		if err := unix.Fstatfs(fd, &fs); err != nil {
			return err
		}
		if fs.Type != unix.PROC_SUPER_MAGIC {
			return unix.EINVAL
		}
		process := "."
		if name != "cwd" && name != "root" {
			process = ".." // of the directory fd
		}
		if isOurs(fd, process) {
			return unix.EACCES
		}
		return f(fd, name)
	})
}
