// Command stale shows frames on the first card that it finds, survives errors,
// and opens the card again when it comes back after an unplug. It has a bug: it
// then goes on with the framebuffer of the device that has gone, and ends with
// status 3.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// frames is how many frames the program tries to show.
const frames = 60

func main() {
	var old uint32 // the framebuffer of a device that has gone
	for shown := 0; shown < frames; {
		card := open()
		if card == nil {
			shown++
			continue
		}
		err := show(card, &shown, &old)
		card.Close()
		if err != nil {
			fmt.Fprintln(os.Stderr, "stale:", err)
			os.Exit(3)
		}
	}
}

// open opens the first card that can be opened.
func open() *kmsclient.Card {
	nodes, _ := filepath.Glob("/dev/dri/card*")
	for _, node := range nodes {
		if card, err := kmsclient.Open(node); err == nil {
			return card
		}
	}
	return nil
}

// show shows frames until the card has gone. Any other error only costs the
// frame, but for the one of the bug.
func show(card *kmsclient.Card, shown *int, old *uint32) error {
	var fb uint32
	for ; *shown < frames; *shown++ {
		display, err := card.Display()
		if err == nil && *old != 0 {
			// The bug: the framebuffer belongs to another device.
			err = card.SetCRTC(display, *old, display.Mode)
			if errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("framebuffer %d has gone with its device: %w", *old, err)
			}
		} else if err == nil {
			if fb == 0 {
				fb, err = card.NewFB(uint32(display.Mode.HDisplay), uint32(display.Mode.VDisplay), 32, uapi.FormatXRGB8888)
			}
			if err == nil {
				err = card.SetCRTC(display, fb, display.Mode)
			}
		}
		if !errors.Is(err, unix.ENODEV) {
			continue
		}
		if fb != 0 {
			*old = fb
		}
		if other := open(); other != nil { // the card is back
			other.Close()
			return nil
		}
	}
	return nil
}
