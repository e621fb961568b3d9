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

// fenceTimeout is the time after which a fence is signalled if its client does
// not do it, so that no waiter depends on a client for ever.
const fenceTimeout = 10 * time.Second

// fences is the drm.Part for the fences that clients attach to buffers.
type fences struct {
	buffers *gem.Manager

	mu        sync.Mutex
	files     map[*fileFences]struct{} // of the open files
	unplugged bool
}

// fileFences are the fences of one file.
type fileFences struct {
	mu     sync.Mutex
	last   uint32
	byName map[uint32]*timedFence // those that the client has not signalled
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

// attach adds a new fence to a buffer: EBUSY if it conflicts with a pending
// one.
func (p *fences) attach(dev *drm.RegisteredDevice, req *drm.Request, arg *FenceAttach) error {
	if arg.Flags&^FenceWrite != 0 || arg.Pad != 0 {
		return fmt.Errorf("vgem: FENCE_ATTACH: unknown flags in %#x or nonzero padding %#x: %w", arg.Flags, arg.Pad, unix.EINVAL)
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

// signal signals a fence: ETIMEDOUT if fenceTimeout signalled it before.
func (p *fences) signal(dev *drm.RegisteredDevice, req *drm.Request, arg *FenceSignal) error {
	if arg.Flags != 0 {
		return fmt.Errorf("vgem: FENCE_SIGNAL: nonzero flags %#x: %w", arg.Flags, unix.EINVAL)
	}
	f, err := drm.FileState[*fileFences](req.File, p).take(arg.Fence)
	if err != nil {
		return fmt.Errorf("vgem: FENCE_SIGNAL: fence %d: %w", arg.Fence, err)
	}
	if !f.finish(nil) {
		return fmt.Errorf("vgem: FENCE_SIGNAL: fence %d timed out after %v: %w", arg.Fence, fenceTimeout, unix.ETIMEDOUT)
	}
	return nil
}

// finish signals the fence. It reports false if it was signalled before.
func (f *timedFence) finish(err error) bool {
	f.timer.Stop()
	return f.Signal(err)
}

// add gives a fence a name. Names are not reused.
func (t *fileFences) add(f *fence.Fence) (name uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return 0, fmt.Errorf("vgem: FENCE_ATTACH: %w", drm.ErrUnplugged)
	case t.last == math.MaxInt32:
		return 0, fmt.Errorf("vgem: FENCE_ATTACH: the file has used up all names of fences: %w", unix.ENOSPC)
	}
	t.last++
	t.byName[t.last] = &timedFence{f, time.AfterFunc(fenceTimeout, func() { f.Signal(nil) })}
	return t.last, nil
}

// take removes a fence and returns it: ENOENT for an unknown name.
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

// end signals all fences. With an error, it refuses new ones as well.
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

// Release implements [drm.FilePart]: it signals the fences of the closed file,
// which has no request in flight.
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
