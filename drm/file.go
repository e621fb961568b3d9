package drm

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A File is an open node: struct drm_file. All methods may be called
// concurrently.
//
// Requests on a closed file fail with EBADF. Requests in flight go on when the
// file is closed, and the last of them releases the file, as in the kernel.
type File struct {
	minor  *Minor
	id     uint64 // counts the files of the class, from 1
	client Client
	flags  int   // of open(2)
	states []any // of the parts, in the order of Device.parts
	caps   ClientCaps
	lessee bool // it came with a lease; does not change

	// Changed with Device.masterMu held.
	master        atomic.Pointer[Master]
	isMaster      atomic.Bool // of its Master; see current
	authenticated atomic.Bool

	// Guarded by Device.masterMu.
	wasMaster bool
	masterPID int // the process that it became master for
	magic     uint32
	magicUsed bool // it has authenticated the file

	events eventSpace
	name   clientName

	// What every request writes is on cache lines of its own, so that requests
	// of different files do not slow each other down.
	_       [cacheLine]byte
	closed  atomic.Bool
	users   atomic.Int64 // requests in flight, and one until Close
	records records      // of its requests, but for open and close
	spare   record       // the first of them
	_       [cacheLine]byte
}

// cacheLine is the size of a cache line of nearly all processors.
const cacheLine = 64

// ClientCaps are the capabilities that a client has declared with
// DRM_IOCTL_SET_CLIENT_CAP.
type ClientCaps struct {
	mu sync.Mutex
	ClientCapSet
}

// A ClientCapSet is a snapshot of the declared capabilities.
type ClientCapSet struct {
	Stereo3D            bool
	UniversalPlanes     bool
	Atomic              bool
	AspectRatio         bool
	WritebackConnectors bool
	CursorPlaneHotspot  bool
	PlaneColorPipeline  bool
}

// Open opens the node for client. flags are those of open(2). Events go to sink
// or, if sink is nil, to a queue that [File.Read] reads. Open fails with ENODEV
// if the device is unplugged, with EBUSY for O_EXCL, and with the errors of the
// parts and of the driver's Open.
//
// The first opener of a primary node becomes its master.
func (m *Minor) Open(client Client, flags int, sink EventSink) (*File, error) {
	f := m.newFile(client, flags, sink)
	var err error
	if m.dev.traced() {
		call := &Call{Op: OpOpen, Context: context.Background(), Minor: m, File: f, Flags: flags}
		err = call.run(func() error { return f.guardedOpen(call) })
	} else {
		err = f.guardedOpen(nil)
	}
	if err != nil {
		if ctx := context.Background(); m.dev.logsRefusals(ctx) {
			m.dev.logRefusal(ctx, "open", m.Name(), client, err)
		}
		return nil, err
	}
	return f, nil
}

func (f *File) guardedOpen(call *Call) error {
	opened := false
	err := f.minor.dev.guarded(&f.minor.dev.records, purpose{what: "open", file: f}, func(dev *RegisteredDevice) error {
		call.entered()
		err := call.guarded(nil)
		if err == nil && f.flags&os.O_EXCL != 0 {
			err = fmt.Errorf("drm: opening %s with O_EXCL: DRM nodes cannot be opened exclusively: %w", f.minor.Name(), unix.EBUSY)
		}
		if err == nil {
			err = f.open(dev)
			opened = err == nil
		}
		return call.handled(err)
	})
	if err != nil && opened { // a tracer has made it fail
		f.Close()
	}
	return err
}

func (m *Minor) newFile(client Client, flags int, sink EventSink) *File {
	f := &File{minor: m, id: m.dev.class.files.Add(1), client: client, flags: flags}
	f.authenticated.Store(client.Admin)
	f.users.Store(1)
	f.records.free = &f.spare
	f.events.init(sink)
	return f
}

// open adds the file to dev. Unless it is a lessee, it gets its master.
func (f *File) open(dev *RegisteredDevice) error {
	if err := f.openParts(dev); err != nil {
		f.releaseParts(dev)
		return err
	}
	dev.Get()
	if f.minor.typ == Primary && !f.lessee {
		dev.openMaster(f)
	}
	dev.fileMu.Lock()
	defer dev.fileMu.Unlock()
	dev.files[f] = struct{}{}
	return nil
}

func (f *File) openParts(dev *RegisteredDevice) (err error) {
	defer dev.recoverTo(&err, purpose{what: "open", file: f})
	for _, p := range dev.parts {
		var state any
		if p, ok := p.(FilePart); ok {
			if state, err = p.Open(dev, f); err != nil {
				return err
			}
		}
		f.states = append(f.states, state)
	}
	if dev.driver.Open != nil {
		return dev.driver.Open(dev, f)
	}
	return nil
}

// use begins a request, which leave ends. It fails with EBADF if the file is
// closed.
//
// Invariant: the last user, after Close, releases what the file owns. Why it
// holds: until Close the file itself counts as a user, and users never grows
// from zero.
func (f *File) use() error {
	for {
		users := f.users.Load()
		if users == 0 || f.closed.Load() {
			return fmt.Errorf("drm: request on a closed file of %s: %w", f.minor.Name(), unix.EBADF)
		}
		if f.users.CompareAndSwap(users, users+1) {
			return nil
		}
	}
}

func (f *File) leave() {
	if f.users.Add(-1) == 0 {
		f.release()
	}
}

// Close closes the file. With the end of the last request in flight, everything
// that the file owns is released: pending events, the state of its parts, its
// mastership, in this order. On an unplugged device only software objects are
// left to release. Closing again does nothing.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.events.close()
	f.leave()
	return nil
}

func (f *File) release() {
	d := f.minor.dev
	if !d.traced() {
		f.guardedRelease(nil)
		return
	}
	call := &Call{Op: OpClose, Context: context.Background(), Minor: f.minor, File: f}
	_ = call.begin() // a close cannot be refused
	f.guardedRelease(call)
	call.done(nil)
}

func (f *File) guardedRelease(call *Call) {
	d := f.minor.dev
	r, dev, err := d.records.enter(d, purpose{what: "close", file: f})
	if err == nil {
		defer r.exit()
		call.entered()
	}
	d.fileMu.Lock()
	delete(d.files, f)
	last := len(d.files) == 0
	d.fileMu.Unlock()
	f.releaseParts(dev)
	if f.minor.typ == Primary && d.releaseMaster(f) && dev != nil {
		dev.sendLeaseEvent()
	}
	if d.driver.PostClose != nil {
		d.callPart("PostClose", d.driver, func() { d.driver.PostClose(d, f) })
	}
	if last && dev != nil {
		d.lastClose(dev)
	}
	d.Put()
}

// releaseParts releases the states of the parts whose Open has succeeded.
func (f *File) releaseParts(dev *RegisteredDevice) {
	d := f.minor.dev
	for _, p := range d.parts[:len(f.states)] {
		if p, ok := p.(FilePart); ok {
			d.callPart("Release", p, func() { p.Release(dev, f) })
		}
	}
}

// lastClose tells the parts that no file is left.
func (d *Device) lastClose(dev *RegisteredDevice) {
	for _, p := range d.parts {
		if p, ok := p.(LastClosePart); ok {
			d.callPart("LastClose", p, func() { p.LastClose(dev) })
		}
	}
}

// hangUp tells all files that no more events will come.
func (d *Device) hangUp() {
	d.fileMu.Lock()
	defer d.fileMu.Unlock()
	for f := range d.files {
		f.events.hangUp()
	}
}

// Minor returns the node that was opened.
func (f *File) Minor() *Minor { return f.minor }

// Device returns the device of the node.
func (f *File) Device() *Device { return f.minor.dev }

// Client returns the process that opened the file.
func (f *File) Client() Client { return f.client }

// Caps returns the capabilities that the client has declared so far.
func (f *File) Caps() ClientCapSet {
	f.caps.mu.Lock()
	defer f.caps.mu.Unlock()
	return f.caps.ClientCapSet
}
