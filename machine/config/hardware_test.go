package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestHardware reads the example with every attribute of cards that look like
// hardware.
func TestHardware(t *testing.T) {
	cards, err := ReadFile("testdata/hardware.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"i915", "ast", "amdgpu"} {
		if c := cards[i]; c.Driver != Lookalike || c.Lookalike == nil || c.Lookalike.Info.Name != want {
			t.Fatalf("card %d: driver %s, %+v", i, c.Driver, c.Lookalike)
		}
	}
	for _, c := range cards {
		if err := probe(c.Lookalike); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	c := cards[0].Lookalike
	if i := c.Info; i.Desc != "Intel Graphics" || i.Date != "20230929" || i.Major != 1 || i.Minor != 6 || i.Patchlevel != 0 {
		t.Errorf("identity %+v", i)
	}
	wantBus := lookalike.Bus{
		Type: "pci", Name: "0000:00:02.0", Vendor: 0x8086, Device: 0x46a6, SubsystemVendor: 0x17aa, SubsystemDevice: 0x22e7,
		Class: 0x030000, Revision: 0x0c, BootVGA: true,
	}
	if !reflect.DeepEqual(c.Bus, wantBus) {
		t.Errorf("bus %+v", c.Bus)
	}
	if m := c.Module; m.Name != "i915" || len(m.Parameters) != 2 || m.Parameters[0].Content != "-1\n" {
		t.Errorf("module %+v", m)
	}
	if want := (lookalike.Caps{Render: true, Syncobj: true, SyncobjTimeline: true}); c.Caps != want {
		t.Errorf("caps %+v", c.Caps)
	}
	wantLimits := kms.Limits{
		MinWidth: 1, MinHeight: 1, MaxWidth: 16384, MaxHeight: 16384, CursorWidth: 256, CursorHeight: 256,
		PreferredDepth: 24, PreferShadow: true, AsyncPageFlip: true,
	}
	if c.Limits != wantLimits {
		t.Errorf("limits %+v", c.Limits)
	}
	wantConstraints := lookalike.Constraints{
		PlanesPerCRTC: 3, Scalers: 1, Bandwidth: 2e9, CursorFormats: []uint32{uapi.FormatARGB8888}, CursorSizes: []lookalike.Size{{Width: 64, Height: 64}, {Width: 128, Height: 128}, {Width: 256, Height: 256}},
	}
	if !reflect.DeepEqual(c.Constraints, wantConstraints) {
		t.Errorf("constraints %+v", c.Constraints)
	}
	if p := c.Planes[1]; p.MinScale != kms.NoScaling/8 || p.MaxScale != kms.NoScaling*3 || len(p.Modifiers) != 2 || len(p.Modifiers[1].Formats) != 1 {
		t.Errorf("plane video: %+v", p)
	}
	if v := c.CRTCs[0]; v.GammaSize != 256 || v.LUTSize != 1024 || v.DegammaSize != 129 || !v.CTM || v.Primary != 0 || v.Cursor != 4 {
		t.Errorf("CRTC: %+v", v)
	}
	if e := c.Encoders; e[0].Type != uapi.ModeEncoderTMDS || e[1].Type != uapi.ModeEncoderTMDS || e[0].PossibleClones != 2 {
		t.Errorf("encoders: %+v", e)
	}
	if n := c.Connectors[1]; n.Status != uapi.ModeDisconnected || n.ModeFlags != uapi.ModeFlagInterlace|uapi.ModeFlag3DMask || !n.YCbCr420 {
		t.Errorf("connector wall: %+v", n)
	}
	find := func(list []lookalike.Property, name string) lookalike.Property {
		i := slices.IndexFunc(list, func(p lookalike.Property) bool { return p.Name == name })
		if i < 0 {
			t.Fatalf("no property %s", name)
		}
		return list[i]
	}
	if p := find(c.Connectors[1].Properties, "gain"); p.Value != 1<<64-3 || p.Flags != uapi.ModePropSignedRange {
		t.Errorf("gain: %+v", p)
	}
	if p := find(c.Planes[0].Properties, "zpos"); p.Flags&uapi.ModePropImmutable == 0 || p.Min != p.Max {
		t.Errorf("zpos: %+v", p)
	}
	if p := find(c.Planes[0].Properties, "rotation"); len(p.Enums) != 2 || p.Enums[1].Value != 2 {
		t.Errorf("rotation: %+v", p)
	}
	if old := cards[1].Lookalike; !old.Caps.NoAtomic || !old.Limits.NoModifiers || len(old.Connectors) != 1 || old.Planes[0].Modifiers != nil {
		t.Errorf("old: %+v", old)
	}
	if like := cards[2].Lookalike; !like.Constraints.NoScaler || len(like.Planes) < 2 || like.Bus.Vendor != 0x1002 {
		t.Errorf("desktop: %+v", like)
	}
	if again, err := ReadSnapshot("testdata/hardware.yaml"); err != nil || !reflect.DeepEqual(again, cards) {
		t.Errorf("--like of the file: %v", err)
	}
}

// TestLikeItself refuses a description that is like itself.
func TestLikeItself(t *testing.T) {
	if _, err := parse("testdata/x.yaml", []byte("cards: {a: {like: hardware.yaml}}"), nil); err == nil || !strings.Contains(err.Error(), "drm_info -j") {
		t.Error(err)
	}
}

// TestCardsDocument checks that docs/cards.md shows the first card of the example.
func TestCardsDocument(t *testing.T) {
	example, err := os.ReadFile("testdata/hardware.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/cards.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(example), "cards:\n")
	card, _, _ := strings.Cut(text, "  old:\n")
	if !strings.Contains(string(document), card) {
		t.Error("docs/cards.md does not show the card laptop of testdata/hardware.yaml")
	}
}
