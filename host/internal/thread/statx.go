package thread

import "golang.org/x/sys/unix"

// statCached is fstatat(2), but it does not wait for the server of a network or
// FUSE file system, which a program may control: it returns what the kernel
// knows. Only Dev, Ino, Mode, Rdev and Mtim of st are set.
func statCached(dirfd int, path string, flags int, st *unix.Stat_t) error {
	var stx unix.Statx_t
	err := unix.Statx(dirfd, path, flags|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE|unix.STATX_MODE|unix.STATX_INO|unix.STATX_MTIME, &stx)
	if err != nil {
		return err
	}
	*st = unix.Stat_t{
		Dev: unix.Mkdev(stx.Dev_major, stx.Dev_minor), Ino: stx.Ino, Mode: uint32(stx.Mode),
		Rdev: unix.Mkdev(stx.Rdev_major, stx.Rdev_minor),
		Mtim: unix.Timespec{Sec: stx.Mtime.Sec, Nsec: int64(stx.Mtime.Nsec)},
	}
	return nil
}

// IdentifyFD returns the identity and type of an open file of the thread, which
// may be open with O_PATH.
func (t ID) IdentifyFD(fd int32, st *unix.Stat_t) error {
	return statCached(unix.AT_FDCWD, t.FDPath(fd), 0, st)
}

// IdentifyCWD returns the identity and type of the thread's working directory.
func (t ID) IdentifyCWD(st *unix.Stat_t) error {
	return statCached(unix.AT_FDCWD, t.CWDPath(), 0, st)
}
