package host_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// A device is a card that answers the requests of testprogs/host: a buffer to map
// at the first fake offset, and ioctls for what the tests are about.
type device struct {
	t      testing.TB
	bus    *bus.Device
	buffer int // a memfd

	waiting atomic.Int32  // handlers of reqWait
	let     chan struct{} // ends one of them with success
	held    chan struct{} // receives one for each handler of reqHold; nil: it does nothing
	free    chan struct{} // ends one of them
	nothing *int          // nil, for the handler that faults
	echo    echo

	mu    sync.Mutex
	files map[*drm.File]struct{}
	freed *sync.Cond // files became empty
}

const bufferSize = 1 << 20

type (
	sumArg    = [8]uint64
	callerArg = struct{ PID, UID int64 }
)

func newDevice(t testing.TB, class *drm.Class, name string) *device {
	t.Helper()
	d := &device{t: t, let: make(chan struct{}), free: make(chan struct{}), files: make(map[*drm.File]struct{})}
	d.freed = sync.NewCond(&d.mu)
	var err error
	if d.buffer, err = unix.MemfdCreate("buffer", unix.MFD_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(d.buffer, bufferSize); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.buffer >= 0 {
			_ = unix.Close(d.buffer)
		}
	})
	d.bus = drmtest.Bind(t, bus.New("platform"), name, (&drmtest.Driver{
		Class: class,
		Parts: []drm.Part{d},
		Own: []drm.Ioctl{
			drm.NewIoctl(uapi.IO(0x40), 0, func(*drm.RegisteredDevice, *drm.Request, *struct{}) error { return nil }),
			drm.NewIoctl(uapi.IOWR(0x41, 64), 0, d.sum),
			drm.NewIoctl(uapi.IOW(0x42, 8), 0, d.event),
			drm.NewIoctl(uapi.IO(0x43), 0, d.wait),
			drm.NewIoctl(uapi.IO(0x44), 0, func(*drm.RegisteredDevice, *drm.Request, *struct{}) error { panic("asked for") }),
			drm.NewIoctl(uapi.IO(0x45), 0, d.unplug),
			drm.NewIoctl(uapi.IOR(0x46, 16), 0, d.caller),
			drm.NewIoctl(uapi.IOR(0x47, 8), 0, d.count),
			drm.NewIoctl(uapi.IOR(0x48, 8), 0, d.waiters),
			drm.NewIoctl(uapi.IO(0x49), 0, func(*drm.RegisteredDevice, *drm.Request, *struct{}) error { *d.nothing = 1; return nil }),
			drm.NewIoctl(uapi.IO(0x4a), 0, d.hold),
		},
	}).BusDriver())
	return d
}

func (d *device) sum(_ *drm.RegisteredDevice, _ *drm.Request, arg *sumArg) error {
	var sum uint64
	for _, n := range arg {
		sum += n
	}
	arg[7] = sum
	return nil
}

func (d *device) event(_ *drm.RegisteredDevice, req *drm.Request, data *uint64) error {
	e, err := req.File.ReserveEvent(32)
	if err != nil {
		return err
	}
	ev := make([]byte, 32)
	binary.NativeEndian.PutUint32(ev, 0x80000000)
	binary.NativeEndian.PutUint32(ev[4:], 32)
	binary.NativeEndian.PutUint64(ev[8:], *data)
	e.Send(ev)
	return nil
}

func (d *device) wait(_ *drm.RegisteredDevice, req *drm.Request, _ *struct{}) error {
	d.waiting.Add(1)
	defer d.waiting.Add(-1)
	ctx := req.Context()
	select {
	case <-d.let:
		return nil
	case <-ctx.Done():
	}
	if errors.Is(contextCause(ctx), drm.ErrUnplugged) {
		return nil
	}
	return unix.EINTR
}

// hold waits without saying so.
func (d *device) hold(*drm.RegisteredDevice, *drm.Request, *struct{}) error {
	if d.held != nil {
		d.held <- struct{}{}
		<-d.free
	}
	return nil
}

func (d *device) unplug(*drm.RegisteredDevice, *drm.Request, *struct{}) error {
	go func() {
		if err := d.bus.Remove(context.Background()); err != nil && !errors.Is(err, unix.ENODEV) {
			d.t.Error(err)
		}
	}()
	return nil
}

func (d *device) caller(_ *drm.RegisteredDevice, req *drm.Request, arg *callerArg) error {
	client := req.Client()
	arg.PID, arg.UID = int64(client.PID), int64(client.UID)
	return nil
}

func (d *device) count(_ *drm.RegisteredDevice, _ *drm.Request, n *uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n = uint64(len(d.files))
	return nil
}

func (d *device) waiters(_ *drm.RegisteredDevice, _ *drm.Request, n *uint64) error {
	*n = uint64(d.waiting.Load())
	return nil
}

// waitClosed waits until no client has the device open.
func (d *device) waitClosed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.files) > 0 {
		d.freed.Wait()
	}
}

// open reports whether a client has the device open.
func (d *device) open() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.files) > 0
}

func (d *device) contents() []byte {
	d.t.Helper()
	p := make([]byte, bufferSize)
	if _, err := unix.Pread(d.buffer, p, 0); err != nil {
		d.t.Fatal(err)
	}
	return p
}

// The methods of drm.Part.

func (d *device) Ioctls() []drm.Ioctl { return nil }

func (d *device) Open(_ *drm.RegisteredDevice, f *drm.File) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[f] = struct{}{}
	return nil, nil
}

func (d *device) Release(_ *drm.RegisteredDevice, f *drm.File) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, f)
	d.freed.Broadcast()
}

func (d *device) Mmap(_ *drm.RegisteredDevice, _ *drm.File, offset, length uint64) (drm.Mapping, bool, error) {
	const first = drm.FakeOffsetMin
	if offset < first || offset >= first+bufferSize {
		return drm.Mapping{}, false, nil
	}
	return drm.Mapping{FD: d.buffer, Offset: int64(offset - first), Release: func() {}}, true, nil
}
