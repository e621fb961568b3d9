package thread

import (
	"structs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// procmapQuery is struct procmap_query of linux/fs.h.
type procmapQuery struct {
	_                                 structs.HostLayout
	size, flags, addr                 uint64
	start, end, vmaFlags, page        uint64
	offset, inode                     uint64
	major, minor, nameSize, buildSize uint32
	name, buildID                     uint64
}

const procmapQueryRequest = 0xc0686611 // PROCMAP_QUERY

// mappingAt returns the mapping that has addr. maps is a descriptor of
// /proc/TID/maps. ENOENT if there is none; ENOTTY before Linux 6.11.
func mappingAt(maps int, addr uint64) (mapping, error) {
	q := procmapQuery{addr: addr}
	q.size = uint64(unsafe.Sizeof(q))
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(maps), procmapQueryRequest, uintptr(unsafe.Pointer(&q))); errno != 0 {
		return mapping{}, errno
	}
	return mapping{q.start, q.end, q.inode, unix.Mkdev(q.major, q.minor)}, nil
}
