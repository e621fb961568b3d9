// Command display shows a display driver that is not vkms, package panel, at
// work: a client scales a plane, stacks planes and makes them translucent, uses
// the driver's own property and request, and is refused what the hardware cannot
// do. Then the device is unplugged.
//
//	go run ./examples/display            # status 0: all answers are right
//	go run ./examples/display -o a.png   # and write the last picture to a file
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/examples/display/panel"
)

func main() {
	output := flag.String("o", "", "write the last picture to this PNG `file`")
	flag.Parse()
	picture, err := run()
	if err == nil && *output != "" {
		err = write(*output, picture)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "display:", err)
		os.Exit(1)
	}
}

// run tells what happens, and returns the last picture. The error has all
// answers that were wrong.
func run() (*image.NRGBA, error) {
	class := drm.NewClass(drm.ClassOptions{})
	driver := panel.New(class, nil)
	parent, err := bus.New("platform").Add("panel.0")
	if err != nil {
		return nil, err
	}
	if err := parent.Bind(driver.BusDriver()); err != nil {
		return nil, err
	}
	c, err := newClient(driver.Device().Primary())
	if err != nil {
		return nil, err
	}
	defer c.File.Close()
	s := &show{client: c, driver: driver}
	s.run()
	picture, err := driver.ModeConfig().Screenshot(driver.ModeConfig().CRTCs()[0])
	s.wantError("a picture", err, nil)

	fmt.Println("unplug")
	s.wantError("unplugging", parent.Remove(context.Background()), nil)
	s.wantError("a pattern after it", s.pattern(8, 8, 0, new(panel.CreatePattern)), unix.ENODEV)
	return picture, errors.Join(s.wrong...)
}

// A show is a client that does what the driver is for.
type show struct {
	*client
	driver *panel.Driver
	wrong  []error
}

var (
	red    = color.NRGBA{0xff, 0, 0, 0xff}
	blue   = color.NRGBA{0, 0, 0xff, 0xff}
	purple = color.NRGBA{0x7f, 0, 0x80, 0xff}
	black  = color.NRGBA{0, 0, 0, 0xff}
)

func (s *show) run() {
	config := s.driver.ModeConfig()
	crtc, connector, planes := config.CRTCs()[0].ID(), config.Connectors()[0].ID(), config.Planes()
	primary, lower, upper := planes[0].ID(), planes[1].ID(), planes[2].ID()

	fmt.Println("show a black screen, and one red square enlarged to the double")
	screen, err := s.framebuffer(1024, 768, 0xff000000)
	s.wantError("a framebuffer for the screen", err, nil)
	square, err := s.framebuffer(100, 100, 0xffff0000)
	s.wantError("a red framebuffer", err, nil)
	s.wantError("SETCRTC", s.setCRTC(crtc, connector, screen), nil)
	s.wantError("ATOMIC", s.commit(0, place(lower, crtc, square, 0, 0, 200, 100)...), nil)
	s.wantPixel(199, 199, red)
	s.wantPixel(200, 200, black)

	fmt.Println("lay a blue square over it")
	other, err := s.framebuffer(100, 100, 0xff0000ff)
	s.wantError("a blue framebuffer", err, nil)
	s.wantError("ATOMIC", s.commit(0, place(upper, crtc, other, 150, 150, 100, 100)...), nil)
	s.wantPixel(175, 175, blue)
	s.wantError("half alpha", s.commit(0, set{upper, "alpha", 0x8000}), nil)
	s.wantPixel(175, 175, purple)
	s.wantError("the other order", s.commit(0, set{lower, "zpos", 2}, set{upper, "zpos", 1}), nil)
	s.wantPixel(175, 175, red)

	fmt.Println("scale both: the hardware has one scaler")
	scaled := place(upper, crtc, other, 150, 150, 200, 100)
	s.wantError("ATOMIC", s.commit(0, scaled...), unix.ENOSPC)
	s.wantError("a test", s.commit(uapi.ModeAtomicTestOnly, scaled...), unix.ENOSPC)
	s.wantError("five times the size", s.commit(0, place(lower, crtc, square, 0, 0, 500, 100)...), unix.ERANGE)
	s.wantError("the primary plane", s.commit(0, place(primary, crtc, square, 0, 0, 200, 100)...), unix.ERANGE)

	fmt.Println("dim the backlight")
	s.wantError("40 %", s.commit(0, set{connector, "backlight", 40}), nil)
	s.wantError("0 %", s.commit(0, set{connector, "backlight", 0}), unix.EINVAL)
	s.wantError("the register", s.driver.Device().WithGuard(func(dev *drm.RegisteredDevice) error {
		if got := panel.Backlight(dev); got != 40 {
			return fmt.Errorf("it has %d", got)
		}
		return nil
	}), nil)
}

// wantError prints an answer, and notes it if it is not the wanted one.
func (s *show) wantError(what string, got, want error) {
	fmt.Printf("  %s: %s\n", what, answer(got))
	if !errors.Is(got, want) {
		s.wrong = append(s.wrong, fmt.Errorf("%s: %s, want %s", what, answer(got), answer(want)))
	}
}

func answer(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

// wantPixel does the same for a pixel of the screen.
func (s *show) wantPixel(x, y int, want color.NRGBA) {
	picture, err := s.driver.ModeConfig().Screenshot(s.driver.ModeConfig().CRTCs()[0])
	if err != nil {
		s.wantError("a picture", err, nil)
		return
	}
	got := picture.NRGBAAt(x, y)
	fmt.Printf("  the pixel at %d,%d: %v\n", x, y, got)
	if got != want {
		s.wrong = append(s.wrong, fmt.Errorf("the pixel at %d,%d is %v, want %v", x, y, got, want))
	}
}

func write(file string, picture image.Image) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, picture), f.Close())
}

// newClient opens a node as a client that knows atomic modesetting.
func newClient(node *drm.Minor) (*client, error) {
	c, err := drmtest.OpenAs(node, drmtest.Self())
	if err != nil {
		return nil, err
	}
	return &client{c}, drmtest.Ioctl(c, uapi.IoctlSetClientCap, &uapi.SetClientCap{Capability: uapi.ClientCapAtomic, Value: 1})
}
