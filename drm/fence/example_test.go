package fence_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fence"
)

func Example() {
	context := fence.NewContext("gpu", "render")
	rendered := context.New()
	rendered.AddCallback(func() { fmt.Println("the frame is rendered") })

	rendered.Signal(nil)
	signaled, _, err := rendered.Status()
	fmt.Println(signaled, err)
	// Output:
	// the frame is rendered
	// true <nil>
}

// A fence that is signalled with an error tells its consumers that the work
// failed. An unplugged device signals its pending fences with ENODEV.
func ExampleFence_Signal() {
	f := fence.NewContext("gpu", "render").New()
	fmt.Println(f.Signal(unix.ENODEV))
	fmt.Println(f.Signal(nil)) // too late
	_, _, err := f.Status()
	fmt.Println(err)
	// Output:
	// true
	// false
	// no such device
}

func ExampleMerge() {
	gpu := fence.NewContext("gpu", "render").New()
	display := fence.NewContext("display", "crtc-0").New()
	both := fence.Merge(gpu, display)
	both.AddCallback(func() { fmt.Println("both are done") })
	gpu.Signal(nil)
	display.Signal(nil)
	// Output: both are done
}

// The points of a timeline are signalled in order, whatever the order of their
// own fences.
func ExampleNewChain() {
	context := fence.NewContext("gpu", "render")
	first, second := context.New(), context.New()
	timeline := fence.NewChain(nil, first, 1)
	timeline = fence.NewChain(timeline, second, 2)

	second.Signal(nil)
	fmt.Println(timeline.LastSignaled(), "of", timeline.LastSubmitted())
	first.Signal(nil)
	fmt.Println(timeline.LastSignaled(), "of", timeline.LastSubmitted())
	// Output:
	// 0 of 2
	// 2 of 2
}

func ExampleSet() {
	var pending fence.Set
	render, copies := fence.NewContext("gpu", "render"), fence.NewContext("gpu", "copy")
	pending.Add(render.New())
	last := render.New()
	pending.Add(last) // replaces the first: later fence of the same context
	pending.Add(copies.New())
	fmt.Println(len(pending.Pending()))
	last.Signal(nil)
	fmt.Println(len(pending.Pending()))
	// Output:
	// 2
	// 1
}
