package gem

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// createDumb makes a buffer for pixels drawn by the CPU. It ignores the
// client's pitch, size and handle.
func (m *Manager) createDumb(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeCreateDumb) error {
	if m.noDumb {
		return errNoDumb
	}
	arg.Handle, arg.Pitch, arg.Size = 0, 0, 0
	pitch, size, ok := dumbLayout(arg.Width, arg.Height, arg.BPP)
	if !ok {
		return fmt.Errorf("gem: CREATE_DUMB of %dx%d at %d bits a pixel: a zero, or over 4 GiB: %w",
			arg.Width, arg.Height, arg.BPP, unix.EINVAL)
	}
	o, err := m.NewObjectOf(req.File, size)
	if err != nil {
		return err
	}
	arg.Pitch, arg.Size = pitch, size
	arg.Handle = m.createHandle(req.File, o)
	return nil
}

// dumbLayout computes the pitch and the size in bytes. As in the kernel, a line
// in whole bytes a pixel and the buffer must fit into 32 bits.
func dumbLayout(width, height, bpp uint32) (pitch uint32, size uint64, ok bool) {
	if width == 0 || height == 0 || bpp == 0 || bpp > math.MaxUint32-8 {
		return 0, 0, false
	}
	cpp := (uint64(bpp) + 7) / 8
	stride := cpp * uint64(width)
	if stride > math.MaxUint32 || stride*uint64(height) > math.MaxUint32 {
		return 0, 0, false
	}
	page := uint64(os.Getpagesize())
	if pageAligned := (stride*uint64(height) + page - 1) &^ (page - 1); pageAligned > math.MaxUint32 {
		return 0, 0, false
	}
	pitch = uint32((uint64(width)*uint64(bpp) + 7) / 8)
	size = (uint64(pitch)*uint64(height) + page - 1) &^ (page - 1)
	return pitch, size, true
}

// mapDumb returns the offset at which the client can map the buffer.
func (m *Manager) mapDumb(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeMapDumb) error {
	if m.noDumb {
		return errNoDumb
	}
	o, err := m.Lookup(req.File, arg.Handle)
	if err != nil {
		return err
	}
	defer o.Put()
	if o.foreign {
		return fmt.Errorf("gem: MAP_DUMB of handle %d: another device made the buffer; map its dma-buf: %w", arg.Handle, unix.EINVAL)
	}
	offset, err := m.MmapOffset(o)
	arg.Offset = offset
	return err
}

func (m *Manager) destroyDumb(dev *drm.RegisteredDevice, req *drm.Request, arg *uapi.ModeDestroyDumb) error {
	if m.noDumb {
		return errNoDumb
	}
	return m.CloseHandle(req.File, arg.Handle)
}
