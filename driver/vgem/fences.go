package vgem

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/gem"
)

// fenceTimeout is when a fence is signalled that its client has forgotten:
// nobody is to wait for ever for what a client does.
const fenceTimeout = 10 * time.Second

// fences is the drm.Part of the fences that clients attach to buffers.
type fences struct {
	buffers *gem.Manager

	mu        sync.Mutex
	files     map[*fileFences]struct{} // that are open
	unplugged bool
}

// fileFences are the fences of one file.
type fileFences struct {
	mu     sync.Mutex
	last   uint32
	byName map[uint32]*timedFence // that the client has not signalled yet
	over   bool                   // the device is unplugged
}

type timedFence struct {
	*fence.Fence
	timer *time.Timer
}

func newFences(buffers *gem.Manager) *fences {
	return &fences{buffers: buffers, files: make(map[*fileFences]struct{})}
}

// Ioctls implements [drm.Part].
func (p *fences) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{
		drm.NewIoctl(IoctlFenceAttach, drm.IoctlRenderAllow, p.attach),
		drm.NewIoctl(IoctlFenceSignal, drm.IoctlRenderAllow, p.signal),
	}
}

// attach gives a buffer a fence. EBUSY when other fences of it are in the way.
func (p *fences) attach(dev *drm.RegisteredDevice, req *drm.Request, arg *FenceAttach) error {
	if arg.Flags&^FenceWrite != 0 || arg.Pad != 0 {
		return fmt.Errorf("vgem: FENCE_ATTACH with flags %#x and padding %#x: %w", arg.Flags, arg.Pad, unix.EINVAL)
	}
	o, err := p.buffers.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	f := fence.NewContext("vgem", "unbound").New()
	if err := o.Reserve(f, arg.Flags&FenceWrite != 0); err != nil {
		return err
	}
	if arg.OutFence, err = drm.FileState[*fileFences](req.File, p).add(f); err != nil {
		f.Signal(err)
	}
	return err
}

// signal signals a fence. ETIMEDOUT when it was signalled before, because the
// client took too long.
func (p *fences) signal(dev *drm.RegisteredDevice, req *drm.Request, arg *FenceSignal) error {
	if arg.Flags != 0 {
		return fmt.Errorf("vgem: FENCE_SIGNAL with flags %#x: %w", arg.Flags, unix.EINVAL)
	}
	f, err := drm.FileState[*fileFences](req.File, p).take(arg.Fence)
	if err != nil {
		return fmt.Errorf("vgem: FENCE_SIGNAL of fence %d: %w", arg.Fence, err)
	}
	if !f.finish(nil) {
		return fmt.Errorf("vgem: FENCE_SIGNAL of fence %d after more than %v: %w", arg.Fence, fenceTimeout, unix.ETIMEDOUT)
	}
	return nil
}

// finish signals the fence and reports whether it was not signalled before.
func (f *timedFence) finish(err error) bool {
	f.timer.Stop()
	return f.Signal(err)
}

// add names a fence. Names are not used again.
func (t *fileFences) add(f *fence.Fence) (name uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return 0, fmt.Errorf("vgem: FENCE_ATTACH: %w", drm.ErrUnplugged)
	case t.last == math.MaxInt32:
		return 0, fmt.Errorf("vgem: FENCE_ATTACH: the file has had all names that there are: %w", unix.ENOSPC)
	}
	t.last++
	t.byName[t.last] = &timedFence{f, time.AfterFunc(fenceTimeout, func() { f.Signal(nil) })}
	return t.last, nil
}

// take takes a fence out. ENOENT when there is none of that name.
func (t *fileFences) take(name uint32) (*timedFence, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.byName[name]
	switch {
	case f != nil:
		delete(t.byName, name)
		return f, nil
	case t.over:
		return nil, drm.ErrUnplugged
	}
	return nil, unix.ENOENT
}

// end signals all fences. With an error, those that are still to come as well.
func (t *fileFences) end(err error) {
	t.mu.Lock()
	left := t.byName
	t.byName, t.over = nil, err != nil
	t.mu.Unlock()
	for _, f := range left {
		f.finish(err)
	}
}

// Open implements [drm.FilePart].
func (p *fences) Open(*drm.RegisteredDevice, *drm.File) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := &fileFences{byName: make(map[uint32]*timedFence), over: p.unplugged}
	p.files[t] = struct{}{}
	return t, nil
}

// Release implements [drm.FilePart]: nobody waits for a client that is gone. No
// request of the file is under way.
func (p *fences) Release(_ *drm.RegisteredDevice, f *drm.File) {
	t := drm.FileState[*fileFences](f, p)
	p.mu.Lock()
	delete(p.files, t)
	p.mu.Unlock()
	t.end(nil)
}

// Unplug implements [drm.UnplugPart].
func (p *fences) Unplug(*drm.Device) {
	p.mu.Lock()
	p.unplugged = true
	open := slices.Collect(maps.Keys(p.files))
	p.mu.Unlock()
	for _, t := range open {
		t.end(unix.ENODEV)
	}
}
