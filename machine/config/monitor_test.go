package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/edid"
)

// TestMonitorKinds reads a headset, and EDIDs that are damaged.
func TestMonitorKinds(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cards.yaml")
	for name, data := range map[string]string{
		"zeros.bin": string(make([]byte, 128)), "short.bin": "\x00\xff\xff",
		"cards.yaml": `
cards:
  desk:
    planes: {p: {type: primary, possible_crtcs: [c]}}
    crtcs: {c: {}}
    encoders: {e: {possible_crtcs: [c]}}
    connectors:
      a: {type: DP, possible_encoders: [e], monitor: {modes: [1920x1080], non-desktop: 1}}
      b: {type: HDMI-A, possible_encoders: [e], edid: zeros.bin}
      c: {type: HDMI-A, possible_encoders: [e], edid: short.bin}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cards, err := ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	connectors := cards[0].VKMS.Topology.Connectors
	if m := connectors[0].Monitor; !m.NonDesktop || len(m.Modes) != 1 {
		t.Errorf("headset: %+v", m)
	}
	for _, c := range connectors[1:] {
		if m := c.Monitor; m == nil || m.EDID != nil || len(m.Modes) != 0 {
			t.Errorf("monitor with a damaged EDID: %+v", m)
		}
	}
}

// TestMonitorAbilities checks the words for what a monitor can do beyond modes.
func TestMonitorAbilities(t *testing.T) {
	wide, err := ParseMonitor("Wide:2560x1440@144,hdr,vrr=48-144", 1)
	if err != nil {
		t.Fatal(err)
	}
	if m := wide.Monitor; m.MinRefresh != 48 || m.MaxRefresh != 144 || m.Modes[0].Name != "2560x1440" {
		t.Errorf("%+v", m)
	}
	if m, err := edid.Parse(wide.Monitor.EDID); err != nil || m.HDR == nil || m.HDR.MaxLuminance < 900 || m.Colorimetry&edid.BT2020RGB == 0 {
		t.Errorf("%v: %+v", err, m)
	}
	headset, err := ParseMonitor("2160x1200@90,non-desktop", 1)
	if err != nil || !headset.Monitor.NonDesktop {
		t.Errorf("%v: %+v", err, headset.Monitor)
	}
	cards, err := parse("test", []byte(`cards: {card: {connectors: {
		a: {monitor: {name: Wall, modes: [2560x2880], tile: 2x1+0+0}},
		b: {monitor: {name: Wall, modes: [2560x2880], tile: 2x1+1+0, hdr: 1}},
		c: {monitor: {name: Other, tile-group: Wall, modes: [2560x2880], tile: 2x1+1+0, vrr: 40-60}},
		d: {monitor: "Other:2560x2880,tile=2x1+1+0"}}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var tiles []*edid.Tile
	for _, c := range cards[0].VKMS.Topology.Connectors {
		tiles = append(tiles, c.Monitor.Tile)
	}
	if tiles[0].Group != tiles[1].Group || tiles[0].Group != tiles[2].Group || tiles[0].Group == tiles[3].Group || tiles[1].Column != 1 || tiles[1].Width != 2560 {
		t.Errorf("tiles %+v %+v %+v %+v", tiles[0], tiles[1], tiles[2], tiles[3])
	}
}

// TestMisspeltMonitor checks that an error says how an item may be meant.
func TestMisspeltMonitor(t *testing.T) {
	for spec, want := range map[string]string{
		"1920x1080@60Hz":       "did you mean 1920x1080@60?",
		"1920x1080@":           "did you mean 1920x1080?",
		"1920*1080":            "did you mean 1920x1080?",
		"1920X1080@59.94hz":    "did you mean 1920x1080@59.94?",
		"1920x1080,60Hz":       "write the rate behind one, as in 1920x1080@60",
		"1920x1080,HDMI":       "did you mean HDMI-A?",
		"1920x1080,hdmi-a":     "did you mean HDMI-A?",
		"1920x1080,DP-1":       "did you mean DP?",
		"1920x1080,disconnect": "did you mean disconnected?",
		"1920x1080,DP,HDMI-A":  "HDMI-A is there twice, or two items exclude each other",
		"1920x1080,hdr,hdr":    "hdr is there twice",
		"1920x1080,":           "an item is empty; write a monitor as [NAME:]ITEM",
		"":                     "an item is empty",
		"1920x1080,resolution": `unknown item "resolution"; write a monitor as [NAME:]ITEM`,
	} {
		if _, err := ParseMonitor(spec, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}
