// Command toydriver is a whole DRM driver in less than 100 lines, toy.go, and a
// client that uses it while it is unplugged.
//
// The driver has a register that is memory of its own, unmapped when the device
// goes: a request that touched it too late would kill the process. Nothing in
// the driver waits for requests, counts them, or asks whether the device is
// still there. The registration guard around each request does that, and devres
// gives back what probe has taken.
//
//	go run ./examples/toydriver    # 0: every request was answered as it should
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

func run() error {
	class, platform := drm.NewClass(drm.ClassOptions{}), bus.New("platform")
	var released []string
	platform.Subscribe(func(e bus.Event) {
		fmt.Println("  bus:", e.Action, e.Device.Name(), e.Resource)
		if e.Action == "release" {
			released = append(released, e.Resource)
		}
	})
	parent, err := platform.Add("toy.0")
	if err != nil {
		return err
	}
	if err := parent.Bind(Driver(class)); err != nil {
		return err
	}
	node := class.Minor(0)
	client, err := drmtest.OpenAs(node, drmtest.Self())
	if err != nil {
		return err
	}
	defer client.File.Close()
	fmt.Println("opened", node.Name())

	failed := errors.Join(
		expect("the temperature", waitFor(client, 0), answer{}),
		expect("a request that it does not know", answer{err: drmtest.Ioctl(client, uapi.IO(uapi.CommandBase+1), new(struct{}))}, answer{err: unix.EINVAL}))

	waiting := begin(node.Device(), client, 80)
	for _, temperature := range []byte{40, 60, 85} {
		if err := Heat(node.Device(), temperature); err != nil {
			return err
		}
	}
	failed = errors.Join(failed, expect("a wait for 80°", <-waiting, answer{temperature: 85}))

	waiting = begin(node.Device(), client, 200)
	fmt.Println("unplugging, with a request in flight")
	if err := parent.Remove(context.Background()); err != nil {
		return err
	}
	failed = errors.Join(failed,
		expect("the request in flight", <-waiting, answer{temperature: 85, err: unix.ENODEV}),
		expect("a later request", waitFor(client, 0), answer{err: unix.ENODEV}),
		expect("a late interrupt", answer{err: Heat(node.Device(), 99)}, answer{err: unix.ENODEV}))
	if want := []string{"drm registration", "drm device", "registers"}; !slices.Equal(released, want) {
		failed = errors.Join(failed, fmt.Errorf("released %q, want %q", released, want))
	}
	return failed
}

// answer is what a client gets.
type answer struct {
	temperature uint32
	err         error
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d°", a.temperature)
}

func waitFor(client *drmtest.Client, temperature uint32) answer {
	arg := toyWait{AtLeast: temperature}
	err := drmtest.Ioctl(client, toyIoctlWait, &arg)
	return answer{arg.Temperature, err}
}

// begin sends the request and returns when it is in flight.
func begin(dev *drm.Device, client *drmtest.Client, temperature uint32) <-chan answer {
	ended := make(chan answer, 1)
	go func() { ended <- waitFor(client, temperature) }()
	for dev.Guards() == 0 {
		runtime.Gosched()
	}
	return ended
}

func expect(what string, got, want answer) error {
	fmt.Printf("%s: %v\n", what, got)
	if got.temperature != want.temperature || !errors.Is(got.err, want.err) {
		return fmt.Errorf("%s: got %d° and error %v, want %d° and %v", what, got.temperature, got.err, want.temperature, want.err)
	}
	return nil
}
