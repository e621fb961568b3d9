package config

import (
	"os"
	"path/filepath"
	"testing"
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
