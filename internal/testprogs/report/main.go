// Command report tries what public reports about DRM programs need of a card, and
// prints what the card answers, a line each:
//
//	report async
//	legacy 0
//	atomic EINVAL
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A trial is a client that has lit a display.
type trial struct {
	*kmsclient.Card
	display *kmsclient.Display
	buffer  *kmsclient.Buffer
}

var trials = map[string]func(t *trial, args []string){
	"async": (*trial).async, "cursor": (*trial).cursor, "planes": (*trial).planes, "modifiers": (*trial).modifiers,
	"gamma": (*trial).gamma, "blob": (*trial).blob, "pipeline": (*trial).pipeline, "clients": (*trial).clients,
}

func main() {
	if len(os.Args) < 2 || trials[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: report TRIAL ARG…")
		os.Exit(2)
	}
	t, err := light("/dev/dri/card0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	trials[os.Args[1]](t, os.Args[2:])
}

// light lights the first display of the card.
func light(path string) (*trial, error) {
	card, err := kmsclient.Open(path)
	if err != nil {
		return nil, err
	}
	display, err := card.Display()
	if err != nil {
		return nil, err
	}
	mode := display.Mode
	buffer, err := card.NewBuffer(int(mode.HDisplay), int(mode.VDisplay))
	if err != nil {
		return nil, err
	}
	return &trial{card, display, buffer}, card.SetCRTC(display, buffer.FB, mode)
}

// say prints what the card answers.
func say(what string, err error) {
	answer := "0"
	if errno := kmsclient.Errno(err); errno != 0 {
		answer = unix.ErrnoName(errno)
	}
	fmt.Println(what, answer)
}

// async flips the framebuffer at once.
func (t *trial) async([]string) {
	value, _ := t.Cap(uapi.CapAsyncPageFlip)
	fmt.Println("cap", value)
	say("legacy", kmsclient.Ioctl(t, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{
		CRTCID: t.display.CRTC, FBID: t.buffer.FB, Flags: uapi.ModePageFlipAsync,
	}))
	_ = t.SetClientCap(uapi.ClientCapAtomic, 1)
	plane, _ := t.FindPlane(t.display, uapi.PlaneTypePrimary)
	flip := kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: "FB_ID", Value: uint64(t.buffer.FB)}
	move := kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: "CRTC_X", Value: 1}
	say("atomic", t.Commit(uapi.ModePageFlipAsync|uapi.ModeAtomicNonblock, flip))
	say("moving", t.Commit(uapi.ModePageFlipAsync|uapi.ModeAtomicNonblock, flip, move))
	say("vblank flip", t.PageFlip(t.display.CRTC, t.buffer.FB, 0))
}

// cursor shows cursors of the sizes, such as 64x64.
func (t *trial) cursor(sizes []string) {
	for _, size := range sizes {
		width, height, _ := strings.Cut(size, "x")
		w, _ := strconv.Atoi(width)
		h, _ := strconv.Atoi(height)
		dumb, err := t.CreateDumb(uint32(w), uint32(h), 32)
		if err == nil {
			err = kmsclient.Ioctl(t, uapi.IoctlModeCursor, &uapi.ModeCursor{
				Flags: uapi.ModeCursorBO, CRTCID: t.display.CRTC, Width: uint32(w), Height: uint32(h), Handle: dumb.Handle,
			})
		}
		say(size, err)
	}
	say("move", kmsclient.Ioctl(t, uapi.IoctlModeCursor, &uapi.ModeCursor{Flags: uapi.ModeCursorMove, CRTCID: t.display.CRTC}))
}

// planes counts the planes that a client with further and further capabilities
// sees.
func (t *trial) planes([]string) {
	for _, c := range []struct {
		name string
		id   uint64
	}{{"universal", uapi.ClientCapUniversalPlanes}, {"atomic", uapi.ClientCapAtomic}, {"hotspot", uapi.ClientCapCursorPlaneHotspot}} {
		say(c.name, t.SetClientCap(c.id, 1))
		planes, err := t.Planes()
		say(fmt.Sprint("planes ", len(planes)), err)
	}
}

// modifiers adds framebuffers with modifiers.
func (t *trial) modifiers(modifiers []string) {
	value, _ := t.Cap(uapi.CapAddFB2Modifiers)
	fmt.Println("cap", value)
	dumb, err := t.CreateDumb(512, 64, 32)
	if err != nil {
		say("dumb", err)
		return
	}
	for _, text := range modifiers {
		modifier, _ := strconv.ParseUint(text, 0, 64)
		fb := kmsclient.FBOf(&dumb, uapi.FormatXRGB8888)
		fb.Flags, fb.Modifier[0] = uapi.ModeFBModifiers, modifier
		say(text, kmsclient.Ioctl(t, uapi.IoctlModeAddFB2, &fb))
	}
}

// gamma sets gamma tables of the sizes.
func (t *trial) gamma(sizes []string) {
	crtc, _ := t.GetCRTC(t.display.CRTC)
	fmt.Println("size", crtc.GammaSize)
	for _, text := range sizes {
		size, _ := strconv.Atoi(text)
		table := make([]uint16, size+1)
		var pin runtime.Pinner
		say(text, kmsclient.Ioctl(t, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{
			CRTCID: t.display.CRTC, GammaSize: uint32(size),
			Red: kmsclient.Address(&pin, table), Green: kmsclient.Address(&pin, table), Blue: kmsclient.Address(&pin, table),
		}))
		pin.Unpin()
	}
}

// blob sets a property of the connector to blobs of the sizes: PROPERTY SIZE…
func (t *trial) blob(args []string) {
	_ = t.SetClientCap(uapi.ClientCapAtomic, 1)
	for _, text := range args[1:] {
		size, _ := strconv.Atoi(text)
		id, err := t.CreateBlob(make([]byte, size))
		if err == nil {
			err = t.Commit(uapi.ModeAtomicAllowModeset, kmsclient.Set{
				Object: t.display.Connector.ID, ObjectType: uapi.ModeObjectConnector, Property: args[0], Value: uint64(id),
			})
		}
		say(text, err)
	}
}

// pipeline lists the operations of the colour pipeline of the primary plane.
func (t *trial) pipeline([]string) {
	say("before atomic", t.SetClientCap(uapi.ClientCapPlaneColorPipeline, 1))
	_ = t.SetClientCap(uapi.ClientCapAtomic, 1)
	say("cap", t.SetClientCap(uapi.ClientCapPlaneColorPipeline, 1))
	plane, _ := t.FindPlane(t.display, uapi.PlaneTypePrimary)
	properties, err := t.Properties(plane, uapi.ModeObjectPlane)
	for _, name := range []string{"COLOR_PIPELINE", "COLOR_ENCODING"} {
		_, ok := properties.Get(name)
		fmt.Println(name, ok)
	}
	say("properties", err)
	pipeline, ok := properties.Get("COLOR_PIPELINE")
	if !ok {
		return
	}
	first, err := t.last(pipeline.ID)
	say("values", err)
	for id := first; id != 0; {
		operation, err := t.Properties(id, uapi.ModeObjectColorop)
		if err != nil {
			say("operation", err)
			return
		}
		kind, _ := operation.Get("TYPE")
		next, _ := operation.Get("NEXT")
		fmt.Println("type", kind.Value)
		id = uint32(next.Value)
	}
}

// last returns the last value of an enum property.
func (t *trial) last(property uint32) (uint32, error) {
	arg := uapi.ModeGetProperty{PropID: property}
	if err := kmsclient.Ioctl(t, uapi.IoctlModeGetProperty, &arg); err != nil {
		return 0, err
	}
	values := make([]uint64, arg.CountValues)
	var pin runtime.Pinner
	defer pin.Unpin()
	arg = uapi.ModeGetProperty{PropID: property, ValuesPtr: kmsclient.Address(&pin, values), CountValues: arg.CountValues}
	err := kmsclient.Ioctl(t, uapi.IoctlModeGetProperty, &arg)
	return uint32(values[len(values)-1]), err
}

// clients tries the capabilities that a card without atomic modesetting refuses.
func (t *trial) clients([]string) {
	say("atomic", t.SetClientCap(uapi.ClientCapAtomic, 1))
	say("flip", t.PageFlip(t.display.CRTC, t.buffer.FB, 0))
}
