package syncobj_test

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/syncobj"
	"github.com/udrm/udrm/drm/uapi"
)

// A timeline is a sync object with points.
func ExampleSyncobj_AddPoint() {
	timeline := syncobj.New(nil)
	defer timeline.Put()
	gpu := fence.NewContext("gpu", "render")
	frame := gpu.New()
	timeline.AddPoint(frame, 1)
	timeline.AddPoint(gpu.New(), 2)

	first, err := timeline.Find(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	frame.Signal(nil)
	fmt.Println(first.Signaled(), timeline.Fence().Signaled())
	_, err = timeline.Find(3)
	fmt.Println(errors.Is(err, unix.EINVAL))
	// Output:
	// true false
	// true
}

// submit is the argument of a driver's own request: the work starts when In is
// signalled, and signals Out when it is done.
type submit struct{ In, Out uint32 }

var ioctlSubmit = uapi.IOW(uapi.CommandBase, 8)

// A driver whose work waits for sync objects and signals them.
func ExampleManager_FindFence() {
	syncobjs, queue := syncobj.NewManager(), fence.NewContext("example", "queue")
	run := func(_ *drm.RegisteredDevice, req *drm.Request, arg *submit) error {
		in, err := syncobjs.FindFence(req, arg.In, 0, 0)
		if err != nil {
			return err
		}
		out, err := syncobjs.Lookup(req.File, arg.Out)
		if err != nil {
			return err
		}
		defer out.Put()
		done := queue.New()
		out.Replace(done)
		in.AddCallback(func() {
			fmt.Println("working")
			done.Signal(nil)
		})
		return nil
	}
	driver := &drmtest.Driver{
		Class: drm.NewClass(drm.ClassOptions{}), Parts: []drm.Part{syncobjs}, Offers: drm.FeatureSyncobj,
		Own: []drm.Ioctl{drm.NewIoctl(ioctlSubmit, drm.IoctlAuth, run)},
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
	var in, out uapi.SyncobjCreate
	drmtest.Ioctl(client, uapi.IoctlSyncobjCreate, &in)
	drmtest.Ioctl(client, uapi.IoctlSyncobjCreate, &out)
	fmt.Println("nothing to wait for:", drmtest.Ioctl(client, ioctlSubmit, &submit{in.Handle, out.Handle}))

	s, err := syncobjs.Lookup(client.File, in.Handle)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Put()
	drawing := fence.NewContext("example", "drawing").New()
	s.Replace(drawing)
	fmt.Println("submitted:", drmtest.Ioctl(client, ioctlSubmit, &submit{in.Handle, out.Handle}))
	drawing.Signal(nil)
	// Output:
	// nothing to wait for: syncobj: the sync object has no fence yet: invalid argument
	// submitted: <nil>
	// working
}
