package host

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Two devices make dma-bufs without a card: /dev/udmabuf of the memory in a
// program's memfd, and /dev/dma_heap/system of new memory. They hide those of the
// machine, whose dma-bufs a virtual card could not import.

// Request numbers and flags of linux/udmabuf.h and linux/dma-heap.h.
const (
	udmabufMagic      = 'u'
	udmabufCreate     = 0x40187542
	udmabufCreateList = 0x40087543
	udmabufCloexec    = 1
	udmabufItemSize   = 24 // struct udmabuf_create_item, and struct udmabuf_create

	dmaHeapMagic   = 'H'
	dmaHeapFDFlags = unix.O_CLOEXEC | unix.O_ACCMODE
)

// Limits of the kernel's udmabuf, which are parameters of its module.
const (
	udmabufListLimit = 1024
	udmabufSizeLimit = 64 << 20
)

// Device numbers. A kernel chooses them when its drivers are loaded.
const (
	miscMajor, udmabufMinor     = 10, 125
	dmaHeapMajor, systemMinor   = 252, 0
	udmabufPath, systemHeapPath = "/dev/udmabuf", "/dev/dma_heap/system"
)

func (h *Host) addMemoryDevices(t *vfs.Tree) {
	t.AddDevice(udmabufPath, 0o660, miscMajor, udmabufMinor, func(drm.EventSink) (io.Closer, error) { return udmabuf{h.memory}, nil })
	t.AddDir("/dev/dma_heap")
	t.AddDevice(systemHeapPath, 0o660, dmaHeapMajor, systemMinor, func(drm.EventSink) (io.Closer, error) { return systemHeap{h.memory}, nil })
}

// udmabuf is an open /dev/udmabuf.
type udmabuf struct{ memory *gem.Memory }

// Close implements drm.ClientFile.
func (udmabuf) Close() error { return nil }

// Ioctl implements drm.ClientFile.
func (u udmabuf) Ioctl(_ context.Context, caller drm.Caller, cmd uint32, arg uint64) (err error) {
	var flags uint32
	var items []byte
	switch cmd {
	case udmabufCreate:
		// Its flags stand where the items of a list have padding.
		items = make([]byte, udmabufItemSize)
		if err := caller.CopyFromUser(items, arg); err != nil {
			return err
		}
		flags = binary.NativeEndian.Uint32(items[4:])
	case udmabufCreateList:
		var head [8]byte // flags and count
		if err := caller.CopyFromUser(head[:], arg); err != nil {
			return err
		}
		flags = binary.NativeEndian.Uint32(head[0:])
		count := binary.NativeEndian.Uint32(head[4:])
		if count > udmabufListLimit {
			return fmt.Errorf("host: UDMABUF_CREATE_LIST of %d items; at most %d: %w", count, udmabufListLimit, unix.EINVAL)
		}
		items = make([]byte, count*udmabufItemSize)
		if err := caller.CopyFromUser(items, arg+uint64(len(head))); err != nil {
			return err
		}
	default:
		return fmt.Errorf("host: unknown udmabuf ioctl %#x: %w", cmd, unix.ENOTTY)
	}
	merged, err := rangesOf(items)
	if err != nil {
		return err
	}
	open := unix.O_RDWR
	if flags&udmabufCloexec != 0 {
		open |= unix.O_CLOEXEC
	}
	fd, err := u.memory.Wrap(caller, merged, open)
	if r, ok := caller.(*request); ok && err == nil {
		r.result = int64(fd)
	}
	return err
}

// rangesOf returns the range that items (struct udmabuf_create_item) make
// together. EINVAL when they are not one range of whole pages.
func rangesOf(items []byte) (whole gem.Range, err error) {
	refuse := func(why string) (gem.Range, error) {
		return gem.Range{}, fmt.Errorf("host: UDMABUF_CREATE: %s: %w", why, unix.EINVAL)
	}
	page := uint64(os.Getpagesize())
	for item := range slices.Chunk(items, udmabufItemSize) {
		r := gem.Range{
			FD:     int32(binary.NativeEndian.Uint32(item[0:])),
			Offset: binary.NativeEndian.Uint64(item[8:]),
			Size:   binary.NativeEndian.Uint64(item[16:]),
		}
		switch {
		case r.Offset%page != 0 || r.Size%page != 0:
			return refuse(fmt.Sprintf("%d bytes at %#x are not whole pages", r.Size, r.Offset))
		case r.Size > udmabufSizeLimit-whole.Size:
			return refuse(fmt.Sprintf("it has more than %d bytes", udmabufSizeLimit))
		case whole.Size == 0:
			whole = r
		case r.Size == 0:
		case r.FD != whole.FD || r.Offset != whole.Offset+whole.Size:
			return refuse("the items are not one range of one memfd, which udrm needs")
		default:
			whole.Size += r.Size
		}
	}
	if whole.Size == 0 {
		return refuse("it has no bytes")
	}
	return whole, nil
}

// systemHeap is an open /dev/dma_heap/system.
type systemHeap struct{ memory *gem.Memory }

// Close implements drm.ClientFile.
func (systemHeap) Close() error { return nil }

// Ioctl implements drm.ClientFile. Like a DRM request, DMA_HEAP_IOCTL_ALLOC is
// known by its number alone, and its struct may have another size.
func (s systemHeap) Ioctl(_ context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	const allocSize = 24 // struct dma_heap_allocation_data
	if uapi.IOCNr(cmd) != 0 {
		return fmt.Errorf("host: unknown dma-heap ioctl %#x: %w", cmd, unix.EINVAL)
	}
	var alloc [allocSize]byte
	given := alloc[:min(int(uapi.IOCSize(cmd)), allocSize)]
	if uapi.IOCDir(cmd)&uapi.IOCWrite != 0 {
		if err := caller.CopyFromUser(given, arg); err != nil {
			return err
		}
	}
	size := binary.NativeEndian.Uint64(alloc[0:])
	fd, flags := binary.NativeEndian.Uint32(alloc[8:]), binary.NativeEndian.Uint32(alloc[12:])
	heapFlags := binary.NativeEndian.Uint64(alloc[16:])
	refuse := func(why string, errno unix.Errno) error {
		return fmt.Errorf("host: DMA_HEAP_IOCTL_ALLOC of %d bytes: %s: %w", size, why, errno)
	}
	var machine unix.Sysinfo_t
	switch err := unix.Sysinfo(&machine); {
	case fd != 0:
		return refuse("fd must be 0", unix.EINVAL)
	case flags&^dmaHeapFDFlags != 0:
		return refuse(fmt.Sprintf("fd_flags %#o; only O_CLOEXEC and access modes are known", flags), unix.EINVAL)
	case heapFlags != 0:
		return refuse(fmt.Sprintf("heap_flags %#x; none is known", heapFlags), unix.EINVAL)
	case size == 0, size > -uint64(os.Getpagesize()):
		return refuse("no size", unix.EINVAL)
	case err == nil && size > machine.Totalram*uint64(machine.Unit):
		return refuse("the machine has less memory", unix.ENOMEM)
	}
	made, err := s.memory.Allocate(caller, size, int(flags))
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(alloc[8:], uint32(made))
	if uapi.IOCDir(cmd)&uapi.IOCRead != 0 {
		return caller.CopyToUser(arg, given)
	}
	return nil
}
