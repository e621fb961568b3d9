package main

import (
	"encoding/binary"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// filesAreMounts says that the virtual files are mounted.
var filesAreMounts = os.Getenv("UDRM_FILES") == "mounts"

// firsts opens a path, which is the first descriptor that the host gives, and
// checks that the descriptor is what stat says of the path.
func firsts(args []string) {
	path, flags := args[0], must(strconv.Atoi(args[1]))
	fd := must(unix.Open(path, flags, 0))
	st := must(fstat(fd))
	var named unix.Stat_t
	check(unix.Stat(path, &named))
	equal(st.Mode, named.Mode, "the mode")
	if !filesAreMounts { // the mount has numbers of its own
		equal(st.Dev, named.Dev, "the device")
		equal(st.Ino, named.Ino, "the inode")
	}
	equal(st.Rdev, named.Rdev, "the number of the device")
	equal(st.Size, named.Size, "the size")
	want(unix.Fstat(1000, &st), unix.EBADF, "fstat of a bad descriptor")
	_, err := unix.FcntlInt(1000, unix.F_GETFL, 0)
	want(err, unix.EBADF, "F_GETFL of a bad descriptor")
}

// firstDMABuf checks a dma-buf when it is the only descriptor that the host gave.
func firstDMABuf([]string) {
	heap := must(unix.Open("/dev/dma_heap/system", unix.O_RDWR|unix.O_CLOEXEC, 0))
	var arg [24]byte
	binary.NativeEndian.PutUint64(arg[0:], 4096)
	binary.NativeEndian.PutUint32(arg[12:], unix.O_RDONLY|unix.O_CLOEXEC)
	check(ioctl(heap, dmaHeapAlloc, addrOf(arg[:])))
	fd := int(binary.NativeEndian.Uint32(arg[8:]))
	check(unix.Close(heap))
	for range 20 { // the heap is released meanwhile
		st := must(fstat(fd))
		equal(st.Mode, 0o600, "the mode")
		equal(st.Size, 4096, "the size")
		equal(must(unix.Seek(fd, 0, unix.SEEK_END)), 4096, "the end")
		equal(must(unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)), unix.O_RDONLY, "F_GETFL")
		time.Sleep(time.Millisecond)
	}
}
