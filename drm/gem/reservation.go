package gem

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A buffer has fences of the work that reads or writes it: who uses it next
// waits for them (struct dma_resv). Clients add some, and get them, as sync
// files.

// reservations are the fences of all buffers, by inode: a buffer may be known
// to several devices, or, as a descriptor of a client, to none. It has an
// entry for as long as a fence is pending.
var reservations = struct {
	mu      sync.Mutex
	byInode map[uint64]*reservation
}{byInode: make(map[uint64]*reservation)}

type reservation struct{ reads, writes fence.Set }

// reserve adds a fence to a buffer.
func reserve(inode uint64, f *fence.Fence, write bool) {
	reservations.mu.Lock()
	r := reservations.byInode[inode]
	if r == nil {
		r = new(reservation)
		reservations.byInode[inode] = r
	}
	if write {
		r.writes.Add(f)
	} else {
		r.reads.Add(f)
	}
	reservations.mu.Unlock()
	f.AddCallback(func() { pending(inode, true) }) // for the entry to go
}

// pending returns the fences that somebody must wait for who wants to write a
// buffer, or only to read it. The entry of a buffer without fences goes.
func pending(inode uint64, write bool) []*fence.Fence {
	reservations.mu.Lock()
	defer reservations.mu.Unlock()
	r := reservations.byInode[inode]
	if r == nil {
		return nil
	}
	reads, writes := r.reads.Pending(), r.writes.Pending()
	if len(reads)+len(writes) == 0 {
		delete(reservations.byInode, inode)
	}
	if !write {
		reads = nil
	}
	return slices.Concat(writes, reads)
}

// Pending returns the fences that are not signalled of the work that writes
// the buffer: who reads it waits for them.
func (o *Object) Pending() []*fence.Fence { return pending(o.inode, false) }

// DMABufIoctl serves a request of linux/dma-buf.h on a descriptor of a client
// that is a dma-buf of this package. ok is false, and nothing done, when it is
// something else. A buffer outlives its device: there is no guard.
func DMABufIoctl(ctx context.Context, caller drm.Caller, fd int32, cmd uint32, arg uint64) (ok bool, err error) {
	// For reading: the client may have no more.
	file, err := caller.OpenFD(fd, unix.O_RDONLY)
	if err != nil {
		return false, nil
	}
	defer unix.Close(file)
	var st unix.Stat_t
	if _, ok := bufferName(file); !ok || unix.Fstat(file, &st) != nil {
		return false, nil
	}
	switch cmd {
	case uapi.DMABufIoctlSync:
		err = dmaBufSync(ctx, caller, st.Ino, arg)
	case uapi.DMABufIoctlExportSyncFile:
		err = exportSyncFile(caller, st.Ino, arg)
	case uapi.DMABufIoctlImportSyncFile:
		err = importSyncFile(caller, st.Ino, arg)
	default:
		err = fmt.Errorf("gem: ioctl %#x is not one of a dma-buf: %w", cmd, unix.ENOTTY)
	}
	return true, err
}

// dmaBufSync waits, ahead of an access by the client itself, until nobody else
// is at work on the buffer. EINTR when ctx ends first.
func dmaBufSync(ctx context.Context, caller drm.Caller, inode, arg uint64) error {
	var buf [8]byte
	if err := caller.CopyFromUser(buf[:], arg); err != nil {
		return err
	}
	flags := binary.NativeEndian.Uint64(buf[:])
	if flags&^uint64(uapi.DMABufSyncValidFlagsMask) != 0 || flags&uapi.DMABufSyncRW == 0 {
		return fmt.Errorf("gem: DMA_BUF_IOCTL_SYNC with flags %#x: %w", flags, unix.EINVAL)
	}
	if flags&uapi.DMABufSyncEnd != 0 {
		return nil
	}
	for _, f := range pending(inode, flags&uapi.DMABufSyncWrite != 0) {
		if f.Wait(ctx) != nil {
			return unix.EINTR
		}
	}
	return nil
}

// syncFileArg reads the argument of the two requests below.
func syncFileArg(caller drm.Caller, arg uint64) (flags uint32, fd int32, err error) {
	var buf [8]byte
	if err := caller.CopyFromUser(buf[:], arg); err != nil {
		return 0, 0, err
	}
	flags, fd = binary.NativeEndian.Uint32(buf[:]), int32(binary.NativeEndian.Uint32(buf[4:]))
	if flags&^uint32(uapi.DMABufSyncRW) != 0 || flags == 0 {
		return 0, 0, fmt.Errorf("gem: a sync file of a dma-buf with flags %#x: %w", flags, unix.EINVAL)
	}
	return flags, fd, nil
}

// exportSyncFile gives the client the fences that it must wait for.
func exportSyncFile(caller drm.Caller, inode, arg uint64) error {
	flags, _, err := syncFileArg(caller, arg)
	if err != nil {
		return err
	}
	fd, err := fence.Install(caller, fence.Merge(pending(inode, flags&uapi.DMABufSyncWrite != 0)...))
	if err != nil {
		return err
	}
	return caller.CopyToUser(arg+4, binary.NativeEndian.AppendUint32(nil, uint32(fd)))
}

// importSyncFile adds a fence of the client.
func importSyncFile(caller drm.Caller, inode, arg uint64) error {
	flags, fd, err := syncFileArg(caller, arg)
	if err != nil {
		return err
	}
	f, err := fence.Lookup(caller, fd)
	if err != nil {
		return fmt.Errorf("gem: DMA_BUF_IOCTL_IMPORT_SYNC_FILE: %w", err)
	}
	reserve(inode, f, flags&uapi.DMABufSyncWrite != 0)
	return nil
}
