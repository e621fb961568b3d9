package host

import "golang.org/x/sys/unix"

// statFromStatx is what stat says where statx says st.
func statFromStatx(st *unix.Statx_t) unix.Stat_t {
	return unix.Stat_t{
		Dev:     unix.Mkdev(st.Dev_major, st.Dev_minor),
		Ino:     st.Ino,
		Nlink:   st.Nlink,
		Mode:    uint32(st.Mode),
		Uid:     st.Uid,
		Gid:     st.Gid,
		Rdev:    unix.Mkdev(st.Rdev_major, st.Rdev_minor),
		Size:    int64(st.Size),
		Blksize: int32(st.Blksize),
		Blocks:  int64(st.Blocks),
		Atim:    timespec(st.Atime),
		Mtim:    timespec(st.Mtime),
		Ctim:    timespec(st.Ctime),
	}
}

func timespec(t unix.StatxTimestamp) unix.Timespec {
	return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
}
