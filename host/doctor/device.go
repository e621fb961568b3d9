package doctor

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// A device is the card that the client tries: it has one buffer and one request,
// which sends an event.
type device struct {
	memfd int
	bus   *bus.Device
}

const (
	eventRequest = 0x40
	eventSize    = 32
	bufferSize   = 4096
)

func newDevice(class *drm.Class) (*device, error) {
	memfd, err := unix.MemfdCreate("udrm doctor", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	d := &device{memfd: memfd}
	if err = unix.Ftruncate(memfd, bufferSize); err == nil {
		d.bus, err = bus.New("platform").Add("doctor")
	}
	if err == nil {
		err = d.bus.Bind(newDriver(class, d))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a card: %w", err), unix.Close(memfd))
	}
	return d, nil
}

func (d *device) close() {
	_ = d.bus.Remove(context.Background())
	_ = unix.Close(d.memfd)
}

func newDriver(class *drm.Class, part drm.Part) *bus.Driver {
	return &bus.Driver{Name: "doctor", Probe: func(parent *bus.BoundDevice) error {
		u, err := drm.NewDevice(class, &drm.Driver{Info: drm.DriverInfo{Name: "doctor"}}, parent, nil)
		if err == nil {
			err = u.Attach(part)
		}
		if err == nil {
			_, err = u.Register(nil)
		}
		return err
	}}
}

// Ioctls implements [drm.Part].
func (d *device) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{drm.NewIoctl(uapi.IOWR(eventRequest, 8), 0,
		func(_ *drm.RegisteredDevice, req *drm.Request, arg *uint64) error {
			e, err := req.File.ReserveEvent(eventSize)
			if err != nil {
				return err
			}
			e.Send(make([]byte, eventSize))
			*arg++
			return nil
		})}
}

// Mmap implements [drm.MmapPart].
func (d *device) Mmap(_ *drm.RegisteredDevice, _ *drm.File, offset, _ uint64) (drm.Mapping, bool, error) {
	return drm.Mapping{FD: d.memfd, Release: func() {}}, offset == drm.FakeOffsetMin, nil
}
