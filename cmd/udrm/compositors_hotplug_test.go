//go:build compositors

package main

import (
	"fmt"
	"image"
	"os"
	"slices"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine/config"
)

// TestSwayHotplug pulls one of sway's two monitors and plugs in another one.
func TestSwayHotplug(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("seatd must be root: run this test as root")
	}
	t.Setenv("WLR_RENDERER", "pixman")
	dir := swayDir(t, showBlue)
	cards, err := config.ReadFile("../../machine/config/testdata/two-monitors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, cards)
	card := s.card(t, "card0")
	c := s.start(t, "sh", "-c", swayScript, "sh", dir)
	said := make(chan []string)
	go func() { said <- readTo(c, "Shutting down sway") }()
	shows := func(connector string, width, height int) {
		t.Helper()
		await(t, fmt.Sprintf("%s shows %dx%d pixels of blue", connector, width, height), func() bool {
			picture, err := card.Screenshot(connector)
			middle := image.Pt(width/2, height/2)
			return err == nil && picture.Rect.Size() == image.Pt(width, height) && picture.NRGBAAt(middle.X, middle.Y) == blue
		})
	}
	shows("DP-1", 2560, 1440)
	shows("HDMI-A-1", 1920, 1080)

	if err := card.Disconnect(t.Context(), "DP-1"); err != nil {
		t.Fatal(err)
	}
	await(t, "sway switches DP-1 off", func() bool {
		_, err := card.Screenshot("DP-1")
		return err != nil
	})
	third, err := config.ParseMonitor("Third:1280x1024", 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := card.Connect(t.Context(), "DP-1", third.Monitor); err != nil {
		t.Fatal(err)
	}
	shows("DP-1", 1280, 1024)
	shows("HDMI-A-1", 1920, 1080)

	// A hub of DisplayPort MST: a connector comes in place of DP-1, whose CRTC it
	// needs, and goes.
	if err := card.Disconnect(t.Context(), "DP-1"); err != nil {
		t.Fatal(err)
	}
	await(t, "sway switches DP-1 off again", func() bool {
		_, err := card.Screenshot("DP-1")
		return err != nil
	})
	fourth, err := config.ParseMonitor("Fourth:1440x900", 4)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		name, err := card.AddConnector(t.Context(), uapi.ModeConnectorDisplayPort, fourth.Monitor)
		if err != nil {
			t.Fatal(err)
		}
		shows(name, 1440, 900)
		if err := card.RemoveConnector(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		display, _ := drm.PartOf[*kms.ModeConfig](card.Device())
		await(t, "sway lets the connector go", func() bool {
			return !slices.ContainsFunc(display.Connectors(), func(c *kms.Connector) bool { return !c.Registered() })
		})
	}
	shows("HDMI-A-1", 1920, 1080)
	c.stdin.Close()
	lines := <-said
	if status := c.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, lines)
	}
	s.end(t)
}
