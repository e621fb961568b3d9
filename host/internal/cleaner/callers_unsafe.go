package cleaner

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapCallers maps the table that fd is a descriptor of, for good.
func mapCallers(fd, prot int) (*Callers, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	memory, err := unix.Mmap(fd, 0, int(st.Size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	// The memory is aligned to a page.
	return &Callers{last: unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/8)}, nil
}
