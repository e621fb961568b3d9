package main

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

const (
	udmabufCreate     = 0x40187542 // UDMABUF_CREATE
	udmabufCreateList = 0x40087543 // UDMABUF_CREATE_LIST
	dmaHeapAlloc      = 0xc0184800 // DMA_HEAP_IOCTL_ALLOC
)

// memoryDevices makes dma-bufs with /dev/udmabuf and /dev/dma_heap/system, maps
// them, imports them and passes them on, and checks what is refused.
func memoryDevices([]string) {
	const page, rw = 4096, unix.PROT_READ | unix.PROT_WRITE
	card := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	device := must(unix.Open("/dev/udmabuf", unix.O_RDWR|unix.O_CLOEXEC, 0))
	equal(fdLink(device), "/dev/udmabuf", "the link")
	st := must(fstat(device))
	equal(st.Mode&unix.S_IFMT, uint32(unix.S_IFCHR), "the type")
	equal(unix.Major(st.Rdev), 10, "the major number")

	// create returns a dma-buf, or the error.
	create := func(memfd int, flags uint32, offset, size uint64) (int, error) {
		var arg [24]byte
		binary.NativeEndian.PutUint32(arg[0:], uint32(memfd))
		binary.NativeEndian.PutUint32(arg[4:], flags)
		binary.NativeEndian.PutUint64(arg[8:], offset)
		binary.NativeEndian.PutUint64(arg[16:], size)
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(device), udmabufCreate, addrOf(arg[:]))
		return int(fd), asError(errno)
	}
	createList := func(flags, count uint32, items ...uint64) (int, error) { // memfd, offset, size
		arg := make([]byte, 8+24*len(items)/3)
		binary.NativeEndian.PutUint32(arg[0:], flags)
		binary.NativeEndian.PutUint32(arg[4:], count)
		for i, v := range items {
			binary.NativeEndian.PutUint64(arg[8+8*i:], v)
		}
		fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(device), udmabufCreateList, addrOf(arg))
		return int(fd), asError(errno)
	}
	sealed := func(seals int) int {
		memfd := must(unix.MemfdCreate("memory", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING))
		check(unix.Ftruncate(memfd, 4*page))
		must(unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, seals))
		return memfd
	}
	memfd := sealed(unix.F_SEAL_SHRINK)
	theirs := must(unix.Mmap(memfd, 0, 4*page, rw, unix.MAP_SHARED))

	file := must(unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0))
	for _, bad := range []struct {
		what         string
		memfd        int
		offset, size uint64
		err          unix.Errno
	}{
		{"no size", memfd, 0, 0, unix.EINVAL},
		{"half a page", memfd, 0, page / 2, unix.EINVAL},
		{"an offset that is no page", memfd, 1, page, unix.EINVAL},
		{"more than there is", memfd, 0, 5 * page, unix.EINVAL},
		{"more than there is behind an offset", memfd, 2 * page, 3 * page, unix.EINVAL},
		{"an offset behind the end", memfd, 8 * page, page, unix.EINVAL},
		{"an offset that overflows", memfd, ^uint64(page - 1), page, unix.EINVAL},
		{"too much", memfd, 0, 65 << 20, unix.EINVAL},
		{"no descriptor", -1, 0, page, unix.EBADFD},
		{"a file", file, 0, page, unix.EBADFD},
		{"a card", card, 0, page, unix.EBADFD},
		{"a memfd that may shrink", sealed(0), 0, page, unix.EINVAL},
		{"a memfd that cannot be written", sealed(unix.F_SEAL_SHRINK | unix.F_SEAL_WRITE), 0, page, unix.EINVAL},
	} {
		_, err := create(bad.memfd, 0, bad.offset, bad.size)
		want(err, bad.err, "UDMABUF_CREATE of "+bad.what)
	}
	want(ioctl(device, udmabufCreate, 8), unix.EFAULT, "UDMABUF_CREATE of no memory")
	want(ioctl(device, udmabufCreate+1<<16, addrOf(theirs)), unix.ENOTTY, "an unknown request")
	_, err := createList(0, 1025)
	want(err, unix.EINVAL, "UDMABUF_CREATE_LIST of too many items")
	_, err = createList(0, 0)
	want(err, unix.EINVAL, "UDMABUF_CREATE_LIST of nothing")

	buf := must(create(memfd, 1, page, 2*page))
	equal(must(unix.FcntlInt(uintptr(buf), unix.F_GETFD, 0)), unix.FD_CLOEXEC, "F_GETFD")
	equal(must(unix.FcntlInt(uintptr(buf), unix.F_GETFL, 0)), unix.O_RDWR, "F_GETFL")
	equal(fdLink(buf), "/dmabuf:", "the link of a dma-buf")
	equal(must(unix.Seek(buf, 0, unix.SEEK_END)), 2*page, "its size")
	mapped := must(unix.Mmap(buf, 0, 2*page, rw, unix.MAP_SHARED))
	theirs[page], mapped[page] = 1, 2
	equal(mapped[0], 1, "what the program wrote to the memfd")
	equal(theirs[2*page], 2, "what the program wrote to the dma-buf")
	_, err = unix.Mmap(buf, page, 2*page, rw, unix.MAP_SHARED)
	want(err, unix.EINVAL, "mapping more than the dma-buf has")
	_, err = unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
	want(err, unix.EBUSY, "sealing the memfd against writing")

	// It outlives the memfd, in another file of the card as well.
	check(unix.Close(memfd))
	arg := uapi.PrimeHandle{FD: int32(buf)}
	check(ioctlPtr(card, uapi.IoctlPrimeFDToHandle, &arg))
	check(unix.Close(buf))
	again := exportBuffer(card, arg.Handle, uapi.Cloexec|uapi.RDWR)
	second := must(unix.Mmap(again, page, page, unix.PROT_READ, unix.MAP_SHARED))
	equal(second[0], 2, "what the card has")

	memfd = sealed(unix.F_SEAL_SHRINK)
	fd := uint64(memfd)
	list := must(createList(0, 2, fd, page, page, fd, 2*page, 2*page))
	equal(must(unix.Seek(list, 0, unix.SEEK_END)), 3*page, "the size of a list")
	equal(must(unix.FcntlInt(uintptr(list), unix.F_GETFD, 0)), 0, "F_GETFD")

	heap := must(unix.Open("/dev/dma_heap/system", unix.O_RDWR|unix.O_CLOEXEC, 0))
	alloc := func(size uint64, fd, flags uint32, heapFlags uint64) (int, error) {
		var arg [24]byte
		binary.NativeEndian.PutUint64(arg[0:], size)
		binary.NativeEndian.PutUint32(arg[8:], fd)
		binary.NativeEndian.PutUint32(arg[12:], flags)
		binary.NativeEndian.PutUint64(arg[16:], heapFlags)
		err := ioctl(heap, dmaHeapAlloc, addrOf(arg[:]))
		return int(binary.NativeEndian.Uint32(arg[8:])), err
	}
	for _, bad := range []struct {
		what      string
		size      uint64
		fd, flags uint32
		heapFlags uint64
		err       unix.Errno
	}{
		{"no size", 0, 0, 0, 0, unix.EINVAL},
		{"a size that overflows", ^uint64(0), 0, 0, 0, unix.EINVAL},
		{"more than the machine has", 1 << 60, 0, 0, 0, unix.ENOMEM},
		{"a descriptor", page, 1, 0, 0, unix.EINVAL},
		{"unknown flags", page, 0, unix.O_NONBLOCK, 0, unix.EINVAL},
		{"unknown flags of a heap", page, 0, 0, 1, unix.EINVAL},
	} {
		_, err := alloc(bad.size, bad.fd, bad.flags, bad.heapFlags)
		want(err, bad.err, "DMA_HEAP_IOCTL_ALLOC of "+bad.what)
	}
	want(ioctl(heap, dmaHeapAlloc+1, addrOf(theirs)), unix.EINVAL, "an unknown request of a heap")
	made := must(alloc(page+1, 0, unix.O_RDWR|unix.O_CLOEXEC, 0))
	equal(must(unix.Seek(made, 0, unix.SEEK_END)), 2*page, "the size")
	memory := must(unix.Mmap(made, 0, 2*page, rw, unix.MAP_SHARED))
	equal(memory[2*page-1], 0, "new memory")
	memory[0] = 3
	check(ioctlPtr(made, uapi.DMABufIoctlSync, &uapi.DMABufSync{Flags: uapi.DMABufSyncStart | uapi.DMABufSyncRW}))
	check(ioctlPtr(card, uapi.IoctlPrimeFDToHandle, &uapi.PrimeHandle{FD: int32(made)}))
	readOnly := must(alloc(page, 0, unix.O_RDONLY|unix.O_CLOEXEC, 0))
	_, err = unix.Mmap(readOnly, 0, page, rw, unix.MAP_SHARED)
	want(err, unix.EACCES, "writing to a dma-buf that was made O_RDONLY")
}
