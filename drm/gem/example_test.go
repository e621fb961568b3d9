package gem_test

import (
	"context"
	"fmt"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// createBO is the argument of a driver's own request: it makes a buffer of Size
// bytes that are all Fill, and returns a handle and where to map it.
type createBO struct{ Size, Offset, Handle, Fill uint64 }

var ioctlCreateBO = uapi.IOWR(uapi.CommandBase, 32)

// A driver with buffers of its own.
func ExampleManager_NewObjectOf() {
	buffers := gem.New()
	create := func(_ *drm.RegisteredDevice, req *drm.Request, arg *createBO) error {
		o, err := buffers.NewObjectOf(req.File, arg.Size)
		if err != nil {
			return err
		}
		defer o.Put() // the handle has a reference of its own
		pixels, err := o.Pixels()
		if err != nil {
			return err
		}
		for i := range pixels {
			pixels[i] = byte(arg.Fill)
		}
		if arg.Offset, err = buffers.MmapOffset(o); err != nil {
			return err
		}
		arg.Handle, arg.Size = uint64(buffers.CreateHandle(req.File, o)), o.Size()
		return nil
	}
	driver := &drmtest.Driver{
		Class: drm.NewClass(drm.ClassOptions{}), Parts: []drm.Part{buffers}, Offers: drm.FeatureGEM,
		Own: []drm.Ioctl{drm.NewIoctl(ioctlCreateBO, drm.IoctlAuth, create)},
	}
	parent, _ := bus.New("platform").Add("example")
	if err := parent.Bind(driver.BusDriver()); err != nil {
		fmt.Println(err)
		return
	}
	defer parent.Remove(context.Background())

	client, err := drmtest.OpenAs(driver.Device.Primary(), drmtest.Self())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.File.Close()
	bo := createBO{Size: 5000, Fill: 0x5a}
	if err := drmtest.Ioctl(client, ioctlCreateBO, &bo); err != nil {
		fmt.Println(err)
		return
	}
	memory, err := client.Process().Mmap(bo.Offset, int(bo.Size))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("handle %d, %d bytes, the last is %#x\n", bo.Handle, len(memory), memory[len(memory)-1])
	fmt.Println("size 0:", drmtest.Ioctl(client, ioctlCreateBO, &createBO{}))
	// Output:
	// handle 1, 8192 bytes, the last is 0x5a
	// size 0: gem: a buffer of 0 bytes: invalid argument
}
