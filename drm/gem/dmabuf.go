package gem

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/pollfd"
)

// A DMABuf is a buffer outside its device: struct dma_buf. Programs have
// descriptors of it, which they pass on, poll for the fences of the buffer, and
// import into other devices. It keeps the buffer alive after the last handle,
// the file and the device are gone.
//
// It lives while it is held: by a program with a descriptor, by each object
// imported from it, and by the exported object while that has handles, so that
// a further export gives the same file.
//
// All methods may be called concurrently, even after it has ended.
type DMABuf struct {
	object  *Object      // of the device that made it
	flags   int          // access mode of the first export
	account *drm.Account // charged for the terminal

	mu       sync.Mutex
	file     *pollfd.Terminal
	refs     int // of objects; the terminal is held while there are any
	released bool
	retrying bool   // update will run again shortly
	name     string // set by a client
}

// dmaBufs are the dma-bufs that exist. It is global, as in a kernel: any device
// of the process may be given a descriptor of one, and the IDs of files are
// unique in the process.
var dmaBufs = struct {
	count atomic.Int64
	mu    sync.Mutex
	byID  map[pollfd.ID]*DMABuf
}{byID: make(map[pollfd.ID]*DMABuf)}

// DMABufs returns the number of dma-bufs.
func DMABufs() int { return int(dmaBufs.count.Load()) }

// LookupDMABuf returns the dma-buf whose descriptor has this status, or nil.
func LookupDMABuf(st *unix.Stat_t) *DMABuf {
	if dmaBufs.count.Load() == 0 || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return nil
	}
	dmaBufs.mu.Lock()
	defer dmaBufs.mu.Unlock()
	return dmaBufs.byID[pollfd.IDOf(st)]
}

// MaxDMABufs is the largest number of dma-bufs of a process. It leaves a quarter
// of the pseudoterminals that a machine has by default for logins.
const MaxDMABufs = 3072

// descriptorsOfDMABuf is how many descriptors a dma-buf takes: both ends of the
// pseudoterminal.
const descriptorsOfDMABuf = 2

// newDMABuf makes a dma-buf of o, with one reference.
func newDMABuf(o *Object, flags int) (*DMABuf, error) {
	if DMABufs() >= MaxDMABufs {
		if endClosed(); DMABufs() >= MaxDMABufs {
			return nil, fmt.Errorf("gem: too many dma-bufs (limit %d): %w", MaxDMABufs, unix.ENOSPC)
		}
	}
	if err := chargeDMABuf(o.account); err != nil {
		return nil, err
	}
	file, err := pollfd.NewTerminal()
	if err != nil {
		refundDMABuf(o.account)
		return nil, fmt.Errorf("gem: making a dma-buf: %w", err)
	}
	o.Get()
	d := &DMABuf{object: o, flags: flags, account: o.account, file: file, refs: 1}
	dmaBufs.mu.Lock()
	dmaBufs.count.Add(1)
	dmaBufs.byID[file.ID()] = d
	dmaBufs.mu.Unlock()
	o.fences.attach(d)
	go d.watch()
	return d, nil
}

func chargeDMABuf(account *drm.Account) error {
	if err := account.Charge(drm.DMABufs, 1, unix.ENOSPC); err != nil {
		return err
	}
	err := account.Charge(drm.Descriptors, descriptorsOfDMABuf, unix.EMFILE)
	if err != nil {
		account.Refund(drm.DMABufs, 1)
	}
	return err
}

func refundDMABuf(account *drm.Account) {
	account.Refund(drm.DMABufs, 1)
	account.Refund(drm.Descriptors, descriptorsOfDMABuf)
}

// get takes a reference. EBADF when the dma-buf has ended; EMFILE and the like
// when its terminal cannot be held.
func (d *DMABuf) get() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.released {
		return fmt.Errorf("gem: the dma-buf is closed: %w", unix.EBADF)
	}
	if d.refs == 0 {
		if err := d.file.Hold(); err != nil {
			return fmt.Errorf("gem: holding a dma-buf: %w", err)
		}
	}
	d.refs++
	return nil
}

func (d *DMABuf) put() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refs--; d.refs == 0 {
		d.file.Release()
	}
}

// watch ends the dma-buf when it is no longer held.
func (d *DMABuf) watch() {
	for {
		d.file.Wait()
		if d.end() {
			return
		}
	}
}

// end ends the dma-buf if it is not held, and reports whether it has ended.
func (d *DMABuf) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.released || d.refs > 0 || !d.file.Closed() {
		return d.released
	}
	d.released = true
	d.object.fences.detach(d)
	d.object.Put()
	// Once the file is closed, its ID may belong to another one.
	dmaBufs.mu.Lock()
	delete(dmaBufs.byID, d.file.ID())
	dmaBufs.count.Add(-1)
	dmaBufs.mu.Unlock()
	d.file.Close()
	refundDMABuf(d.account)
	return true
}

// endClosed ends the dma-bufs that are no longer held, without waiting for
// their watchers to notice.
func endClosed() {
	dmaBufs.mu.Lock()
	all := slices.Collect(maps.Values(dmaBufs.byID))
	dmaBufs.mu.Unlock()
	for _, d := range all {
		d.end()
	}
}

// update makes poll report the state of the buffer's fences.
func (d *DMABuf) update() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.released {
		return
	}
	reading, writing := d.object.fences.busy()
	if d.file.Set(!writing, !reading && !writing) != nil && !d.retrying {
		// No descriptor is left for a moment, and no caller could be told.
		d.retrying = true
		time.AfterFunc(updateRetry, d.retry)
	}
}

func (d *DMABuf) retry() {
	d.mu.Lock()
	d.retrying = false
	d.mu.Unlock()
	d.update()
}

// updateRetry is the delay before an update that failed is tried again.
const updateRetry = 10 * time.Millisecond

// install gives the client a descriptor.
func (d *DMABuf) install(caller drm.Caller, cloexec bool) (int32, error) {
	d.mu.Lock()
	end := d.file.FD() // held open by the caller's reference
	d.mu.Unlock()
	return caller.InstallFD(end, cloexec)
}

// Size returns the size in bytes, a multiple of the page size.
func (d *DMABuf) Size() uint64 { return d.object.size }

// Flags returns the access mode of the file, for F_GETFL: O_RDONLY, or O_RDWR
// if the client that exported it first asked for that.
func (d *DMABuf) Flags() int { return d.flags }

// Inode returns the number of the file, for stat.
func (d *DMABuf) Inode() uint64 { return d.file.ID().Inode }

// Mmap returns the mapping for mmap(2). EINVAL when the range is outside the
// buffer, ENOMEM without a descriptor or memory.
func (d *DMABuf) Mmap(offset, length uint64) (drm.Mapping, error) {
	switch {
	case offset > d.object.size || length > d.object.size-offset:
		return drm.Mapping{}, fmt.Errorf("gem: mapping %d bytes at %#x of a dma-buf of %d bytes: %w", length, offset, d.object.size, unix.EINVAL)
	case !d.object.tryGet():
		return drm.Mapping{}, fmt.Errorf("gem: mapping: the dma-buf is closed: %w", unix.EBADF)
	}
	return d.object.mappingAt(offset)
}

// Seek is lseek(2), which returns the size and does nothing else.
func (d *DMABuf) Seek(offset int64, whence int) (int64, error) {
	switch {
	case offset != 0 || whence != unix.SEEK_SET && whence != unix.SEEK_END:
		return 0, fmt.Errorf("gem: seeking to %d from %d in a dma-buf: %w", offset, whence, unix.EINVAL)
	case whence == unix.SEEK_END:
		return int64(d.object.size), nil
	}
	return 0, nil
}

// Ioctl serves a request of linux/dma-buf.h. It needs no guard: a buffer
// outlives its device.
func (d *DMABuf) Ioctl(ctx context.Context, caller drm.Caller, cmd uint32, arg uint64) error {
	fences := d.object.fences
	switch cmd {
	case uapi.DMABufIoctlSync:
		return fences.sync(ctx, caller, arg)
	case uapi.DMABufSetNameA, uapi.DMABufSetNameB:
		return d.setName(caller, arg)
	case uapi.DMABufIoctlExportSyncFile:
		return fences.exportSyncFile(caller, arg)
	case uapi.DMABufIoctlImportSyncFile:
		return fences.importSyncFile(caller, arg)
	}
	return fmt.Errorf("gem: unknown dma-buf ioctl %#x: %w", cmd, unix.ENOTTY)
}

// Name returns the name that a client set last, at first "".
func (d *DMABuf) Name() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.name
}

// setName reads the name at addr, which ends with a NUL. EINVAL when it has
// more than DMABufNameLen-1 bytes.
func (d *DMABuf) setName(caller drm.Caller, addr uint64) error {
	var buf [uapi.DMABufNameLen]byte
	for at := 0; at < len(buf); at++ { // the memory after the NUL may not be mapped
		if err := caller.CopyFromUser(buf[at:at+1], addr+uint64(at)); err != nil {
			return err
		}
		if buf[at] == 0 {
			d.mu.Lock()
			d.name = string(buf[:at])
			d.mu.Unlock()
			return nil
		}
	}
	return fmt.Errorf("gem: DMA_BUF_SET_NAME: no NUL in the first %d bytes: %w", len(buf), unix.EINVAL)
}

// DMABufIoctl is [DMABuf.Ioctl] on a descriptor of the caller. It returns
// false, and does nothing, when the descriptor is not of a dma-buf.
func DMABufIoctl(ctx context.Context, caller drm.Caller, fd int32, cmd uint32, arg uint64) (ok bool, err error) {
	var st unix.Stat_t
	if caller.StatFD(fd, &st) != nil {
		return false, nil
	}
	d := LookupDMABuf(&st)
	if d == nil {
		return false, nil
	}
	return true, d.Ioctl(ctx, caller, cmd, arg)
}
