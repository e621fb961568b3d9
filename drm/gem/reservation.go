package gem

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/uapi"
)

// A buffer has the fences of the work that reads or writes it: struct dma_resv.
// Its next user waits for them. Clients add and get them as sync files.

// A reservation is the fences of a buffer. All objects on the same memory share
// it, across devices. The zero value has no fences.
//
// It watches each pending fence once, and only while there are dma-bufs. So a
// client that adds fences and closes buffers again and again leaves nothing
// behind in fences that are never signalled.
type reservation struct {
	mu            sync.Mutex
	reads, writes fence.Set
	dmaBufs       []*DMABuf // told of changes
	watched       map[*fence.Fence]*watch
	round         int // counts the calls of rewatch
}

// A watch tells the reservation when a fence is signalled.
type watch struct {
	remove func() // nil until the callback is added
	round  int    // last round of rewatch with the fence pending
}

// add adds a fence.
func (r *reservation) add(f *fence.Fence, write bool) {
	r.mu.Lock()
	r.addLocked(f, write)
	r.mu.Unlock()
	r.changed()
}

func (r *reservation) addLocked(f *fence.Fence, write bool) {
	if write {
		r.writes.Add(f)
	} else {
		r.reads.Add(f)
	}
}

// changed tells the dma-bufs that a fence was added or signalled. The caller
// does not hold mu.
func (r *reservation) changed() {
	r.rewatch()
	r.mu.Lock()
	dmaBufs := slices.Clone(r.dmaBufs)
	r.mu.Unlock()
	for _, d := range dmaBufs {
		d.update()
	}
}

// rewatch watches the pending fences, and no others.
func (r *reservation) rewatch() {
	r.mu.Lock()
	if len(r.dmaBufs) == 0 {
		r.mu.Unlock()
		return
	}
	r.round++
	var begin, end []func()
	for _, f := range r.pendingLocked(true) {
		w := r.watched[f]
		if w == nil {
			w = new(watch)
			r.watched[f] = w
			begin = append(begin, func() { r.watch(f, w) })
		}
		w.round = r.round
	}
	for f, w := range r.watched {
		if w.round != r.round {
			delete(r.watched, f)
			end = append(end, w.remove)
		}
	}
	r.mu.Unlock()
	call(end)
	call(begin)
}

// watch adds the callback of w to f.
func (r *reservation) watch(f *fence.Fence, w *watch) {
	remove := f.AddCallback(r.changed)
	r.mu.Lock()
	wanted := r.watched[f] == w
	w.remove = remove
	r.mu.Unlock()
	if !wanted { // the fence is no longer pending
		remove()
	}
}

func call(functions []func()) {
	for _, f := range functions {
		if f != nil {
			f()
		}
	}
}

// attach makes the reservation tell d of changes.
func (r *reservation) attach(d *DMABuf) {
	r.mu.Lock()
	r.dmaBufs = append(r.dmaBufs, d)
	if r.watched == nil {
		r.watched = make(map[*fence.Fence]*watch)
	}
	r.mu.Unlock()
	r.changed()
}

func (r *reservation) detach(d *DMABuf) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dmaBufs = slices.DeleteFunc(r.dmaBufs, func(other *DMABuf) bool { return other == d })
	if len(r.dmaBufs) > 0 {
		return
	}
	for f, w := range r.watched {
		delete(r.watched, f)
		if w.remove != nil {
			w.remove()
		}
	}
}

// busy reports whether work that reads the buffer is pending, and work that
// writes it.
func (r *reservation) busy() (reading, writing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.reads.Pending()) > 0, len(r.writes.Pending()) > 0
}

// pending returns the fences to wait for before writing the buffer, or before
// reading it.
func (r *reservation) pending(write bool) []*fence.Fence {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pendingLocked(write)
}

func (r *reservation) pendingLocked(write bool) []*fence.Fence {
	var reads []*fence.Fence
	if write {
		reads = r.reads.Pending()
	}
	return slices.Concat(r.writes.Pending(), reads)
}

// Pending returns the unsignalled fences of work that writes the buffer. A
// reader waits for them.
func (o *Object) Pending() []*fence.Fence { return o.fences.pending(false) }

// Reserve adds the fence of work that reads or writes the buffer. EBUSY when
// conflicting work is pending: any work for a write, writes for a read.
func (o *Object) Reserve(f *fence.Fence, write bool) error {
	r := o.fences
	r.mu.Lock()
	if n := len(r.pendingLocked(write)); n > 0 {
		r.mu.Unlock()
		return fmt.Errorf("gem: buffer busy: %d conflicting fences pending: %w", n, unix.EBUSY)
	}
	r.addLocked(f, write)
	r.mu.Unlock()
	r.changed()
	return nil
}

// Wait waits for the work that writes the buffer, or for all work if the caller
// is going to write it (drm_gem_dma_resv_wait). Errors: the cause of the end of
// ctx.
func (o *Object) Wait(ctx context.Context, write bool) error { return o.fences.wait(ctx, write) }

func (r *reservation) wait(ctx context.Context, write bool) error {
	for _, f := range r.pending(write) {
		if err := f.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sync is DMA_BUF_IOCTL_SYNC: it waits for conflicting work before the client
// accesses the buffer. Errors: EINTR when ctx ends first.
func (r *reservation) sync(ctx context.Context, caller drm.Caller, arg uint64) error {
	words, err := drm.ReadArray[uint64](caller, arg, 1)
	if err != nil {
		return err
	}
	flags := words[0]
	if flags&^uint64(uapi.DMABufSyncValidFlagsMask) != 0 || flags&uapi.DMABufSyncRW == 0 {
		return fmt.Errorf("gem: DMA_BUF_IOCTL_SYNC: unknown flags in %#x, or no access: %w", flags, unix.EINVAL)
	}
	if flags&uapi.DMABufSyncEnd != 0 {
		return nil
	}
	if r.wait(ctx, flags&uapi.DMABufSyncWrite != 0) != nil {
		return unix.EINTR
	}
	return nil
}

// syncFileArg reads the argument of EXPORT_SYNC_FILE and IMPORT_SYNC_FILE.
func syncFileArg(caller drm.Caller, arg uint64) (flags uint32, fd int32, err error) {
	words, err := drm.ReadArray[uint32](caller, arg, 2)
	if err != nil {
		return 0, 0, err
	}
	flags, fd = words[0], int32(words[1])
	if flags&^uint32(uapi.DMABufSyncRW) != 0 || flags == 0 {
		return 0, 0, fmt.Errorf("gem: sync file of a dma-buf: flags %#x must be read, write or both: %w", flags, unix.EINVAL)
	}
	return flags, fd, nil
}

// exportSyncFile gives the client the fences to wait for.
func (r *reservation) exportSyncFile(caller drm.Caller, arg uint64) error {
	flags, _, err := syncFileArg(caller, arg)
	if err != nil {
		return err
	}
	merged, err := fence.MergeFor(caller.Client().Account, r.pending(flags&uapi.DMABufSyncWrite != 0)...)
	if err != nil {
		return err
	}
	// A descriptor cannot be taken back, so see first that its number can be told.
	if err := drm.PutArray(caller, arg+4, []int32{-1}); err != nil {
		return err
	}
	fd, err := fence.Install(caller, merged)
	if err != nil {
		return err
	}
	return drm.PutArray(caller, arg+4, []int32{fd})
}

// importSyncFile adds a fence of the client.
func (r *reservation) importSyncFile(caller drm.Caller, arg uint64) error {
	flags, fd, err := syncFileArg(caller, arg)
	if err != nil {
		return err
	}
	f, err := fence.Lookup(caller, fd)
	if err != nil {
		return fmt.Errorf("gem: DMA_BUF_IOCTL_IMPORT_SYNC_FILE: %w", err)
	}
	r.add(f, flags&uapi.DMABufSyncWrite != 0)
	return nil
}
