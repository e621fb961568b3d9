package gem

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// handleToFD exports a buffer.
func (m *Manager) handleToFD(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.PrimeHandle) error {
	if err := m.checkPrime("PRIME_HANDLE_TO_FD", uapi.PrimeCapExport); err != nil {
		return err
	}
	if arg.Flags&^(uapi.Cloexec|uapi.RDWR) != 0 {
		return fmt.Errorf("gem: PRIME_HANDLE_TO_FD: flags %#x; only DRM_CLOEXEC and DRM_RDWR are known: %w", arg.Flags, unix.EINVAL)
	}
	o, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	d, err := o.export(int(arg.Flags & uapi.RDWR))
	if err != nil {
		return err
	}
	defer d.put()
	arg.FD, err = d.install(req, arg.Flags&uapi.Cloexec != 0)
	return err
}

// export returns the dma-buf of the object, with a reference for the caller:
// the one that it was imported from, the one exported before, or a new one.
// ENOENT when it has no handle.
func (o *Object) export(flags int) (*DMABuf, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.dmaBuf
	if d == nil {
		if o.handles.Load() == 0 { // another thread has closed it
			return nil, fmt.Errorf("gem: exporting: the buffer has no handle: %w", unix.ENOENT)
		}
		var err error
		if d, err = newDMABuf(o, flags); err != nil {
			return nil, err
		}
		o.dmaBuf = d
	}
	if err := d.get(); err != nil {
		return nil, err
	}
	return d, nil
}

// keepExport makes further exports of the object give d, which was just
// imported. It matters to a buffer of this device that had no handle for a
// while.
func (o *Object) keepExport(d *DMABuf) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dmaBuf == nil && d.get() == nil {
		o.dmaBuf = d
	}
}

// endExport puts the dma-buf of an object that has no handle. Otherwise the two
// would hold each other.
func (o *Object) endExport() {
	if o.foreign {
		return
	}
	o.mu.Lock()
	var d *DMABuf
	if o.handles.Load() == 0 {
		d, o.dmaBuf = o.dmaBuf, nil
	}
	o.mu.Unlock()
	if d != nil {
		d.put()
	}
}

// fdToHandle imports a buffer of this device or another one, which may be gone.
// A file that has a handle of it gets that handle again.
func (m *Manager) fdToHandle(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.PrimeHandle) error {
	if err := m.checkPrime("PRIME_FD_TO_HANDLE", uapi.PrimeCapImport); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := req.StatFD(arg.FD, &st); err != nil {
		return fmt.Errorf("gem: PRIME_FD_TO_HANDLE: descriptor %d: %w", arg.FD, err)
	}
	d := LookupDMABuf(&st)
	if d == nil {
		return fmt.Errorf("gem: PRIME_FD_TO_HANDLE: descriptor %d is not a dma-buf: %w", arg.FD, unix.EINVAL)
	}
	o, err := m.imported(d)
	if err != nil {
		return fmt.Errorf("gem: PRIME_FD_TO_HANDLE: descriptor %d: %w", arg.FD, err)
	}
	o.handles.Add(1)
	o.keepExport(d)
	var created bool
	if arg.Handle, created = m.handles(req.File).FindOrCreate(o); !created {
		o.endHandle()
	}
	return nil
}

// imported returns the object of this manager for a dma-buf, with a reference
// for the caller. EBADF when the dma-buf has ended.
func (m *Manager) imported(d *DMABuf) (*Object, error) {
	if d.object.manager == m {
		if !d.object.tryGet() {
			return nil, unix.EBADF
		}
		return d.object, nil
	}
	if err := d.get(); err != nil {
		return nil, err
	}
	o, created := m.findOrImport(d)
	if !created {
		d.put() // the object has one
	}
	return o, nil
}

// findOrImport takes over a reference to d if it creates the object.
func (m *Manager) findOrImport(d *DMABuf) (o *Object, created bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.imports[d]; o != nil && o.tryGet() {
		return o, false
	}
	o = &Object{manager: m, fd: -1, base: d.object.base, size: d.object.size, fences: d.object.fences, foreign: true, dmaBuf: d}
	o.refs.Store(1)
	m.imports[d] = o
	m.count++
	return o, true
}
