package syncobj_test

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/syncobj"
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
