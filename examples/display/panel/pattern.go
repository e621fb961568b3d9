package panel

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// IoctlCreatePattern makes a buffer with a test pattern. Its argument is a
// [CreatePattern].
var IoctlCreatePattern = uapi.IOWR(uapi.CommandBase, 40)

// A CreatePattern is the argument of [IoctlCreatePattern].
type CreatePattern struct {
	Width, Height uint32 // in pixels
	Color         uint32 // of every other square: a pixel of ARGB8888
	Square        uint32 // the side of the squares, in pixels

	// What the driver answers.
	Handle uint32
	Pitch  uint32
	Size   uint64
	Offset uint64 // for mmap(2)
}

// maxSide limits a pattern.
const maxSide = 4096

// createPattern returns the handler of the request.
func createPattern(buffers *gem.Manager) func(*drm.RegisteredDevice, *drm.Request, *CreatePattern) error {
	return func(_ *drm.RegisteredDevice, req *drm.Request, arg *CreatePattern) error {
		if arg.Width-1 >= maxSide || arg.Height-1 >= maxSide || arg.Square == 0 {
			return fmt.Errorf("panel: a pattern of %dx%d pixels in squares of %d: %w", arg.Width, arg.Height, arg.Square, unix.EINVAL)
		}
		arg.Pitch = 4 * arg.Width
		o, err := buffers.NewObjectOf(req.File, uint64(arg.Pitch)*uint64(arg.Height))
		if err != nil {
			return err
		}
		defer o.Put() // the handle has a reference of its own
		pixels, err := o.Pixels()
		if err != nil {
			return err
		}
		for y := range arg.Height {
			for x := range arg.Width {
				if (x/arg.Square+y/arg.Square)%2 == 0 {
					binary.LittleEndian.PutUint32(pixels[y*arg.Pitch+4*x:], arg.Color)
				}
			}
		}
		if arg.Offset, err = buffers.MmapOffset(o); err != nil {
			return err
		}
		arg.Handle, arg.Size = buffers.CreateHandle(req.File, o), o.Size()
		return nil
	}
}
