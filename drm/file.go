package drm

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A File is an open node: struct drm_file. All methods may be called
// concurrently; Close once.
type File struct {
	minor  *Minor
	client Client
	parts  []any // the state of each part, in the order of Device.parts
	caps   ClientCaps

	// Guarded by Device.masterMu.
	master        *Master
	isMaster      bool
	wasMaster     bool
	authenticated bool
	magic         uint32

	events eventSpace

	closeOnce sync.Once
}

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
}

// Open opens the node for client. flags are those of open(2); events go to
// sink, or, when sink is nil, to a queue that [File.Read] reads. Errors:
// ENODEV when the device is unplugged, EBUSY for O_EXCL, and what the
// driver's Open returns.
//
// The first opener of a primary node becomes its master.
func (m *Minor) Open(client Client, flags int, sink EventSink) (*File, error) {
	if flags&os.O_EXCL != 0 {
		return nil, fmt.Errorf("drm: opening %s with O_EXCL: DRM nodes cannot be opened exclusively: %w", m.Name(), unix.EBUSY)
	}
	d := m.dev
	f := &File{minor: m, client: client, authenticated: client.Admin}
	f.events.init(sink)
	err := d.WithGuard(func(dev *RegisteredDevice) (err error) {
		defer d.recoverTo(&err, "open", client)
		return f.open(dev)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open(dev *RegisteredDevice) error {
	for _, p := range dev.parts {
		state, err := p.Open(dev, f)
		if err != nil {
			f.releaseParts(dev)
			return err
		}
		f.parts = append(f.parts, state)
	}
	if opener, ok := dev.driver.(FileOpener); ok {
		if err := opener.Open(dev, f); err != nil {
			f.releaseParts(dev)
			return err
		}
	}
	dev.Get()
	if f.minor.typ == Primary {
		dev.openMaster(f)
	}
	dev.fileMu.Lock()
	defer dev.fileMu.Unlock()
	dev.files[f] = struct{}{}
	return nil
}

// Close releases all that the file owns: pending events, the state of its
// parts, its mastership, in this order. On an unplugged device only software
// objects are left to release. Closing again does nothing.
func (f *File) Close() error {
	f.closeOnce.Do(f.release)
	return nil
}

func (f *File) release() {
	d := f.minor.dev
	d.fileMu.Lock()
	delete(d.files, f)
	d.fileMu.Unlock()
	f.events.close()

	guard, err := d.RegistrationGuard()
	var dev *RegisteredDevice
	if err == nil {
		defer guard.Exit()
		dev = guard.Device()
	}
	f.releaseParts(dev)
	if f.minor.typ == Primary {
		d.releaseMaster(f)
	}
	if closer, ok := d.driver.(PostCloser); ok {
		closer.PostClose(d, f)
	}
	d.Put()
}

// releaseParts releases the state of the parts that Open has reached.
func (f *File) releaseParts(dev *RegisteredDevice) {
	d := f.minor.dev
	for i, state := range f.parts {
		func() {
			var err error
			defer d.recoverTo(&err, "close", f.client)
			d.parts[i].Release(dev, f, state)
		}()
	}
}

// hangUp tells all files that no event will come any more.
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

// Part returns the state that p made for the file when it was opened. It
// panics when p is not attached to the device.
func (f *File) Part(p Part) any {
	for i, other := range f.minor.dev.parts {
		if other == p {
			return f.parts[i]
		}
	}
	panic(fmt.Sprintf("drm: %T is not a part of %s", p, f.minor.dev.Name()))
}

// Caps returns the capabilities that the client has declared so far.
func (f *File) Caps() ClientCapSet {
	f.caps.mu.Lock()
	defer f.caps.mu.Unlock()
	return f.caps.ClientCapSet
}

// recoverTo makes a panic of a driver or part the EIO of one client, and
// reports it. It is deferred.
func (d *Device) recoverTo(err *error, what string, client Client) {
	p := recover()
	if p == nil {
		return
	}
	slog.Error("drm: a handler panicked; its client gets EIO",
		"device", d.Name(), "request", what, "pid", client.PID, "comm", client.Comm, "panic", p, "stack", stack())
	*err = fmt.Errorf("drm: %s on %s panicked: %v: %w", what, d.Name(), p, unix.EIO)
}
