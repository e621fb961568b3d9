// Command compositor shows a picture on the first display of each card, in
// atomic commits, one card after the other. When a card goes, it says so and
// goes on with the others. It ends with status 0 when it gets SIGTERM, or when
// no card is left.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compositor:", err)
		os.Exit(1)
	}
}

func run() error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	paths, err := filepath.Glob("/dev/dri/card*")
	if err != nil {
		return err
	}
	var outputs []*output
	for _, path := range paths {
		o, err := newOutput(path)
		if err != nil {
			return err
		}
		outputs = append(outputs, o)
	}
	for len(outputs) > 0 {
		outputs = slices.DeleteFunc(outputs, func(o *output) bool {
			err = errors.Join(err, o.show())
			return o.gone
		})
		if err != nil {
			return err
		}
		select {
		case <-end:
			return nil
		default:
		}
	}
	return nil
}

// An output is the first display of a card.
type output struct {
	*kmsclient.Card
	display *kmsclient.Display
	plane   uint32
	buffers [2]*kmsclient.Buffer // shown in turns
	frames  int
	gone    bool
}

func newOutput(path string) (*output, error) {
	card, err := kmsclient.Open(path)
	if err != nil {
		return nil, err
	}
	o := &output{Card: card}
	if err := card.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
		return nil, err
	}
	if o.display, err = card.Display(); err != nil {
		return nil, err
	}
	if o.plane, err = card.FindPlane(o.display, uapi.PlaneTypePrimary); err != nil {
		return nil, err
	}
	for i := range o.buffers {
		if o.buffers[i], err = card.NewBuffer(int(o.display.Mode.HDisplay), int(o.display.Mode.VDisplay)); err != nil {
			return nil, err
		}
		draw(o.buffers[i])
	}
	return o, nil
}

// draw draws a picture in which no two neighbours are equal: the red component
// of a pixel is its x, the green one its y, and the blue one their sum.
func draw(b *kmsclient.Buffer) {
	for y := range b.Height {
		row := b.Row(y)
		for x := range b.Width {
			row[4*x], row[4*x+1], row[4*x+2] = byte(x+y), byte(y), byte(x)
		}
	}
}

// show shows the next frame, and waits until it is on the screen.
func (o *output) show() error {
	fb := kmsclient.Set{
		Object: o.plane, ObjectType: uapi.ModeObjectPlane,
		Property: "FB_ID", Value: uint64(o.buffers[o.frames%len(o.buffers)].FB),
	}
	var err error
	if o.frames == 0 {
		err = o.modeset(fb)
	} else {
		err = o.Commit(0, fb)
	}
	if errors.Is(err, unix.ENODEV) {
		fmt.Printf("%s: gone after %d frames\n", o.Path, o.frames)
		o.gone = true
		return nil
	}
	o.frames++
	return err
}

// modeset switches the display on.
func (o *output) modeset(fb kmsclient.Set) error {
	mode := o.display.Mode
	blob, err := o.CreateModeBlob(&mode)
	if err != nil {
		return err
	}
	crtc, width, height := uint64(o.display.CRTC), uint64(mode.HDisplay), uint64(mode.VDisplay)
	sets := []kmsclient.Set{
		{Object: o.display.ID, ObjectType: uapi.ModeObjectConnector, Property: "CRTC_ID", Value: crtc},
		{Object: o.display.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "MODE_ID", Value: uint64(blob)},
		{Object: o.display.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "ACTIVE", Value: 1},
		fb,
	}
	for property, value := range map[string]uint64{
		"CRTC_ID": crtc, "CRTC_W": width, "CRTC_H": height, "SRC_W": width << 16, "SRC_H": height << 16,
	} {
		sets = append(sets, kmsclient.Set{Object: o.plane, ObjectType: uapi.ModeObjectPlane, Property: property, Value: value})
	}
	return o.Commit(uapi.ModeAtomicAllowModeset, sets...)
}
