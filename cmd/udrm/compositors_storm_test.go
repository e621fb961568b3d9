//go:build compositors

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// A hub of DisplayPort MST has four streams beside the panel of its card.
const hubCard = `
cards:
  laptop:
    crtcs: {a: , b: , c: , d: , e: }
    connectors:
      panel: {type: eDP, monitor: "Panel:1920x1080@60,300x170mm"}
`

// A hub is a card whose monitors come and go.
type hub struct {
	t       *testing.T
	card    *machine.Card
	display *kms.ModeConfig
	rand    *rand.Rand
	streams []string        // connectors of the hub
	lit     map[string]bool // connectors with monitors
	done    []string        // what was done, for reports
}

// monitor returns a monitor with a name and a size of its own.
func (h *hub) monitor() *kms.Monitor {
	h.t.Helper()
	sizes := []string{"1920x1080", "1280x1024", "2560x1440", "1024x768", "1680x1050"}
	m, err := config.ParseMonitor(fmt.Sprintf("M%d:%s", len(h.done), sizes[h.rand.IntN(len(sizes))]), len(h.done)+1)
	if err != nil {
		h.t.Fatal(err)
	}
	return m.Monitor
}

// step does one thing to a connector.
func (h *hub) step() {
	h.t.Helper()
	do := func(what, name string, err error) {
		h.t.Helper()
		h.done = append(h.done, what+" "+name)
		if err != nil {
			h.t.Fatalf("%s %s: %v\n%s", what, name, err, strings.Join(h.done, "\n"))
		}
	}
	ctx := h.t.Context()
	if n := h.rand.IntN(len(h.streams) + 2); n == 0 && len(h.streams) < 4 || len(h.streams) == 0 {
		var monitor *kms.Monitor
		if h.rand.IntN(4) > 0 {
			monitor = h.monitor()
		}
		name, err := h.card.AddConnector(ctx, uapi.ModeConnectorDisplayPort, monitor)
		do("add", name, err)
		h.streams = append(h.streams, name)
		h.lit[name] = monitor != nil
		return
	}
	name := h.streams[h.rand.IntN(len(h.streams))]
	switch n := h.rand.IntN(4); {
	case n == 0:
		do("remove", name, h.card.RemoveConnector(ctx, name))
		h.streams = slices.DeleteFunc(h.streams, func(s string) bool { return s == name })
		delete(h.lit, name)
	case !h.lit[name]:
		do("connect", name, h.card.Connect(ctx, name, h.monitor()))
		h.lit[name] = true
	case n == 1: // another monitor, so quickly that only its EDID tells
		do("replace", name, h.card.Connect(ctx, name, h.monitor()))
	default:
		do("disconnect", name, h.card.Disconnect(ctx, name))
		h.lit[name] = false
	}
}

// checkPaths checks that each stream has a path of its own.
func (h *hub) checkPaths() {
	h.t.Helper()
	paths := map[string]string{}
	for _, c := range h.display.Connectors() {
		if !slices.Contains(h.streams, c.Name()) || !c.Registered() {
			continue
		}
		if other := paths[c.Path()]; c.Path() == "" || other != "" {
			h.t.Errorf("%s and %s have the path %q", c.Name(), other, c.Path())
		}
		paths[c.Path()] = c.Name()
	}
	if len(paths) != len(h.streams) {
		h.t.Errorf("paths %v of connectors %v", paths, h.streams)
	}
}

// connected returns the connectors with monitors, in order.
func (h *hub) connected() (names []string) {
	for name, lit := range h.lit {
		if lit {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// swayOutputs returns the outputs that sway has lit, in order.
func swayOutputs(t *testing.T, dir string) (names []string) {
	t.Helper()
	sockets, err := filepath.Glob(filepath.Join(dir, "sway-ipc.*"))
	if err != nil || len(sockets) != 1 {
		return nil // not yet
	}
	out, err := exec.Command("swaymsg", "-s", sockets[0], "-t", "get_outputs", "-r").Output()
	if err != nil {
		t.Fatalf("sway does not answer: %v", err)
	}
	var outputs []struct {
		Name   string
		Active bool
	}
	if err := json.Unmarshal(out, &outputs); err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs {
		if o.Active {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestSwayStorm lets the monitors of a hub come and go under sway, faster than it
// follows. In the end it must light those that are there, and nothing may be left of
// the others.
func TestSwayStorm(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("seatd must be root: run this test as root")
	}
	t.Setenv("WLR_RENDERER", "pixman")
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := swayDir(t, showBlue)
			file := filepath.Join(t.TempDir(), "hub.yaml")
			if err := os.WriteFile(file, []byte(hubCard), 0o644); err != nil {
				t.Fatal(err)
			}
			cards, err := config.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newSessionOf(t, cards)
			h := &hub{t: t, card: s.card(t, "card0"), rand: rand.New(rand.NewPCG(seed, 0)), lit: map[string]bool{"eDP-1": true}}
			h.display, _ = drm.PartOf[*kms.ModeConfig](h.card.Device())
			// The encoders of streams stay once there has been one.
			if name, err := h.card.AddConnector(t.Context(), uapi.ModeConnectorDisplayPort, nil); err != nil {
				t.Fatal(err)
			} else if err := h.card.RemoveConnector(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			objects := h.display.Objects()
			c := s.start(t, "sh", "-c", swayScript, "sh", dir)
			said := make(chan []string)
			go func() { said <- readTo(c, "Shutting down sway") }()
			settled := func() {
				t.Helper()
				want := h.connected()
				await(t, fmt.Sprintf("sway lights %v after %q", want, h.done), func() bool {
					if !slices.Equal(swayOutputs(t, dir), want) {
						return false
					}
					for _, info := range h.card.ConnectorInfos() {
						if info.Connected != (info.CRTC != nil) {
							return false
						}
					}
					return true
				})
				h.checkPaths()
			}
			settled()
			for i := range 100 {
				h.step()
				if i%10 == 9 {
					settled()
				}
			}
			for len(h.streams) < 4 {
				h.step()
			}
			settled()
			for _, name := range slices.Clone(h.streams) {
				if err := h.card.RemoveConnector(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				h.streams = h.streams[1:]
				delete(h.lit, name)
			}
			settled()
			await(t, "sway lets the connectors go", func() bool {
				return !slices.ContainsFunc(h.display.Connectors(), func(c *kms.Connector) bool { return !c.Registered() })
			})
			c.stdin.Close()
			lines := <-said
			if status := c.end(t); status != 0 {
				t.Errorf("exit status %d\n%s", status, strings.Join(lines, "\n"))
			}
			if n := h.display.Objects(); n != objects {
				t.Errorf("%d objects are left, before sway there were %d", n, objects)
			}
			s.end(t)
		})
	}
}
