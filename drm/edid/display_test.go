package edid

import (
	"math"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/internal/ediddecode"
)

// TestEncodeDisplay checks what a reader, and edid-decode, find of colours and of a
// variable refresh rate.
func TestEncodeDisplay(t *testing.T) {
	want := Monitor{
		Name: "Wide", Modes: modesFor(t, "2560x1440@60", "2560x1440@144"), MinRefresh: 48, MaxRefresh: 300,
		HDR:         &HDR{MaxLuminance: 1000, MaxFrameAverage: 400, MinLuminance: 0.05, HLG: true},
		Colorimetry: BT2020RGB | BT2020YCC | DCIP3,
	}
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) <= b/20 }
	if h := got.HDR; h == nil || !near(h.MaxLuminance, 1000) || !near(h.MaxFrameAverage, 400) || !near(h.MinLuminance, 0.05) || !h.HLG {
		t.Errorf("HDR %+v", h)
	}
	if got.Colorimetry != want.Colorimetry || got.MinRefresh != 48 || got.MaxRefresh != 300 {
		t.Errorf("parsed %+v", got)
	}
	out := ediddecode.Run(t, data, "--check")
	for _, line := range []string{
		"SMPTE ST2084", "Hybrid Log-Gamma", "Desired content max luminance", "BT2020RGB", "BT2020YCC", "ST2113RGB", "48-300 Hz V",
	} {
		if !strings.Contains(out, line) {
			t.Errorf("edid-decode does not say %q:\n%s", line, out)
		}
	}
	// Modes that the monitor was not given are not added for conformity.
	if _, failures, _ := strings.Cut(out, "Failures:"); strings.Count(failures, "\n  ") > 1 || !strings.Contains(failures, "640x480p60") {
		t.Error(failures)
	}
}

// TestEncodeDisplayKinds checks monitors with several of these properties, and
// what is refused.
func TestEncodeDisplayKinds(t *testing.T) {
	modes := modesFor(t, "1920x1200@60")
	tile := &Tile{Columns: 2, Rows: 1, Width: 1920, Height: 1200}
	for _, m := range []Monitor{
		{Modes: modes, HDR: &HDR{}}, {Modes: modes, HDR: &HDR{}, NonDesktop: true}, {Modes: modes, HDR: &HDR{}, Tile: tile},
		{Modes: modes, Colorimetry: XVYCC709, NonDesktop: true, Tile: tile},
	} {
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(data)
		if err != nil || (got.HDR != nil) != (m.HDR != nil) || got.Colorimetry != m.Colorimetry || got.NonDesktop != m.NonDesktop || (got.Tile != nil) != (m.Tile != nil) {
			t.Errorf("%v: parsed %+v, want %+v", err, got, m)
		}
	}
	for _, m := range []Monitor{
		{HDR: &HDR{MaxLuminance: 1}}, {HDR: &HDR{MaxLuminance: 1e9}}, {HDR: &HDR{MinLuminance: 1}}, {HDR: &HDR{MaxLuminance: 100, MinLuminance: 5}},
		{HDR: &HDR{MaxLuminance: 100, MaxFrameAverage: 200}}, {HDR: &HDR{MaxLuminance: math.NaN()}},
		{MinRefresh: 50}, {MaxRefresh: 50}, {MinRefresh: 60, MaxRefresh: 50}, {MinRefresh: 1, MaxRefresh: 511},
	} {
		m.Modes = modes
		if _, err := m.Encode(); err == nil {
			t.Errorf("encoded %+v %+v", m, m.HDR)
		}
	}
}
