package lookalike

import (
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/uapi"
)

// TestBusNames refuses names that would leave the directory of the bus.
func TestBusNames(t *testing.T) {
	for _, b := range []Bus{
		{Type: "pci", Name: "../../x"}, {Type: "pci", Name: "0:0:0.0"}, {Type: "usb", Name: "a"}, {Type: "isa"}, {Type: "platform", Name: ".."},
		{Type: "pci", Class: 1 << 24},
	} {
		if b.Validate() == nil {
			t.Errorf("%+v is accepted", b)
		}
	}
	for _, b := range []Bus{{Type: "pci"}, {Type: "usb"}, {Type: "virtio"}, {Type: "faux"}, {Type: "platform"}, {Type: "host1x"}} {
		if err := b.Validate(); err != nil {
			t.Errorf("%+v: %v", b, err)
		}
		var names []string
		for n := range 40 {
			names = append(names, b.Place("driver", n).Name)
		}
		slices.Sort(names)
		if unique := len(slices.Compact(names)); unique != 40 {
			t.Errorf("%s: %d names for 40 cards", b.Type, unique)
		}
	}
}

// TestValidate refuses descriptions with references to nowhere.
func TestValidate(t *testing.T) {
	whole := func() *Config {
		c := &Config{
			Bus:        Bus{Type: "platform"},
			Planes:     []Plane{{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888}}},
			CRTCs:      []CRTC{{Cursor: -1}},
			Encoders:   []Encoder{{PossibleCRTCs: 1}},
			Connectors: []Connector{{PossibleEncoders: []int{0}}},
		}
		c.Info.Name = "any"
		return c
	}
	if err := whole().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, breakIt := range map[string]func(*Config){
		"cannot be the name of a driver": func(c *Config) { c.Info.Name = "../x" },
		"has no primary plane":           func(c *Config) { c.CRTCs[0].Primary = 7 },
		"no formats":                     func(c *Config) { c.Planes[0].Formats = nil },
		"but there are 1 CRTCs":          func(c *Config) { c.Planes[0].PossibleCRTCs = 2 },
		"an encoder that does not exist": func(c *Config) { c.Connectors[0].PossibleEncoders = []int{3} },
		"0 connectors":                   func(c *Config) { c.Connectors = nil },
		"gamma tables":                   func(c *Config) { c.CRTCs[0].LUTSize = 1 << 20 },
	} {
		c := whole()
		breakIt(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
