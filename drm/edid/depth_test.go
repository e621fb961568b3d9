package edid

import (
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/mode"
)

// TestBPC checks how many bits per component a monitor shows: what Encode writes,
// and what Parse makes of each revision.
func TestBPC(t *testing.T) {
	timing, err := mode.For(1024, 768, 60)
	if err != nil {
		t.Fatal(err)
	}
	modes := []mode.Mode{timing}
	for _, c := range []struct {
		monitor Monitor
		want    int
	}{
		{Monitor{}, 8}, {Monitor{HDR: &HDR{}}, 10}, {Monitor{BPC: 6}, 6}, {Monitor{BPC: 8, HDR: &HDR{}}, 8}, {Monitor{BPC: 12}, 12}, {Monitor{BPC: 16}, 16},
		{Monitor{BPC: 12, Manufacturer: "BOE", Product: 0x78b}, 6}, // a wrong EDID
	} {
		c.monitor.Modes = modes
		data, err := c.monitor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(data); err != nil || got.BPC != c.want {
			t.Errorf("%+v: read as %d bits, want %d; %v", c.monitor, got.BPC, c.want, err)
		}
	}
	if _, err := (&Monitor{Modes: modes, BPC: 9}).Encode(); err == nil || !strings.Contains(err.Error(), "9 bits per component") {
		t.Errorf("9 bits: %v", err)
	}

	const deep36 = 1 << 5
	for _, c := range []struct {
		revision, input, deep byte
		want                  int
	}{
		{4, inputDigital, deep36, 0}, // not defined there
		{4, inputDigital | 4<<depthShift, deep36, 12},
		{4, inputDigital | 7<<depthShift, 0, 0},
		{4, 3 << depthShift, 0, 0}, // analogue
		{3, inputDigital, deep36, 12},
		{3, inputDigital | inputDFP1, 0, 8},
		{3, inputDigital | inputDFP1, 1<<4 | 1<<6, 16},
		{3, inputDigital, 0, 8}, // all monitors with HDMI
		{2, inputDigital | inputDFP1, deep36, 0},
	} {
		monitor := Monitor{Modes: modes}
		data, err := monitor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		blocks := split(data)
		base, cta := blocks[0], block{ctaTag, ctaRevision, ctaData + 7, 0, ctaVendor<<5 | 6, 0x03, 0x0c, 0x00, 0, 0, c.deep}
		base[versionAt+1], base[inputAt], base[extensionsAt] = c.revision, c.input, 1
		base.seal()
		cta.seal()
		if got, err := Parse(slices.Concat(base[:], cta[:])); err != nil || got.BPC != c.want {
			t.Errorf("EDID 1.%d with input %#x and deep colours %#x: %d bits, want %d; %v", c.revision, c.input, c.deep, got.BPC, c.want, err)
		}
	}
}
