package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/uapi"
)

// changedSnapshot returns the cards of a snapshot that change has changed.
func changedSnapshot(t *testing.T, name string, change func(card map[string]any)) ([]Card, error) {
	t.Helper()
	data, err := os.ReadFile("testdata/snapshots/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var nodes map[string]map[string]any
	if err := d.Decode(&nodes); err != nil {
		t.Fatal(err)
	}
	for _, card := range nodes {
		change(card)
	}
	if data, err = json.Marshal(nodes); err != nil {
		t.Fatal(err)
	}
	return parseSnapshot(name, data)
}

// TestSnapshotsOfOtherKernels reads what other versions of the kernel and of
// drm_info print.
func TestSnapshotsOfOtherKernels(t *testing.T) {
	list := func(of map[string]any, name string) []any { return of[name].([]any) }
	object := func(v any) map[string]any { return v.(map[string]any) }
	properties := func(card map[string]any, kind string) map[string]any {
		return object(object(list(card, kind)[0])["properties"])
	}
	layouts := []any{map[string]any{"modifier": 0, "formats": []any{uapi.FormatXRGB8888}}}
	for _, tc := range []struct {
		name, snapshot string
		change         func(card map[string]any)
		check          func(c *lookalike.Config) bool
	}{
		{"no PRIME import", "amdgpu", func(card map[string]any) { object(object(card["driver"])["caps"])["PRIME"] = 2 },
			func(c *lookalike.Config) bool { return c.Caps.NoImport && !c.Caps.NoExport }},
		{"PRIME unknown", "amdgpu", func(card map[string]any) { object(object(card["driver"])["caps"])["PRIME"] = nil },
			func(c *lookalike.Config) bool { return !c.Caps.NoImport && !c.Caps.NoExport }},
		{"no device", "vc4", func(card map[string]any) { card["device"] = nil },
			func(c *lookalike.Config) bool { return c.Bus.Type == "faux" }},
		{"no date", "vc4", func(card map[string]any) { object(object(card["driver"])["version"])["date"] = "" },
			func(c *lookalike.Config) bool { return c.Info.Date == "0" }},
		{"masks too long", "i915", func(card map[string]any) {
			object(list(card, "encoders")[0])["possible_crtcs"] = 0xffffffff
			object(list(card, "encoders")[0])["possible_clones"] = 0xff
			object(list(card, "planes")[0])["possible_crtcs"] = 0xff
		}, func(c *lookalike.Config) bool {
			return int(c.Encoders[0].PossibleCRTCs) == 1<<len(c.CRTCs)-1 && int(c.Planes[0].PossibleCRTCs) == 1<<len(c.CRTCs)-1
		}},
		{"connected without modes", "bochs", func(card map[string]any) { object(list(card, "connectors")[0])["modes"] = []any{} },
			func(c *lookalike.Config) bool { m := c.Connectors[0].Monitor; return m != nil && m.With420 != nil }},
		{"unknown without modes", "bochs", func(card map[string]any) {
			object(list(card, "connectors")[0])["modes"], object(list(card, "connectors")[0])["status"] = []any{}, uapi.ModeUnknownConnection
		}, func(c *lookalike.Config) bool { m := c.Connectors[0].Monitor; return m != nil && m.With420 == nil }},
		{"async layouts and cursors", "i915", func(card map[string]any) {
			blob := map[string]any{"flags": uapi.ModePropBlob | uapi.ModePropImmutable, "raw_value": 99}
			async, hints := map[string]any{"data": layouts}, map[string]any{"data": []any{map[string]any{"width": 64, "height": 32}}}
			for _, p := range []map[string]any{async, hints} {
				for k, v := range blob {
					p[k] = v
				}
			}
			properties(card, "planes")["IN_FORMATS_ASYNC"], properties(card, "planes")["SIZE_HINTS"] = async, hints
		}, func(c *lookalike.Config) bool {
			p := &c.Planes[0]
			return slices.Equal(p.AsyncModifiers, []uint64{0}) && slices.Equal(p.AsyncFormats, []uint32{uapi.FormatXRGB8888}) && slices.Equal(p.SizeHints, []lookalike.Size{{Width: 64, Height: 32}})
		}},
		{"layouts where modifiers are unknown", "i915", func(card map[string]any) { object(object(card["driver"])["caps"])["ADDFB2_MODIFIERS"] = 0 },
			func(c *lookalike.Config) bool {
				return !slices.ContainsFunc(c.Planes[0].Properties, func(p lookalike.Property) bool { return p.Blob != nil })
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cards, err := changedSnapshot(t, tc.snapshot, tc.change)
			if err != nil {
				t.Fatal(err)
			}
			if c := cards[0].Lookalike; !tc.check(c) {
				t.Errorf("%+v", c)
			} else if err := probe(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBrokenSnapshot checks that errors name the place in the words of drm_info.
func TestBrokenSnapshot(t *testing.T) {
	_, err := changedSnapshot(t, "i915", func(card map[string]any) { card["fb_size"].(map[string]any)["max_width"] = -1 })
	const want = "i915: /dev/dri/card0: not the output of drm_info -j: fb_size.max_width cannot be number -1"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// FuzzSnapshot reads snapshots, and makes the cards of those without an error.
func FuzzSnapshot(f *testing.F) {
	files, err := filepath.Glob("testdata/snapshots/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no snapshots: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cards, err := parseSnapshot("fuzz", data)
		if err != nil {
			if strings.Contains(err.Error(), "Go ") {
				t.Errorf("an error in words of Go: %v", err)
			}
			return
		}
		for _, c := range cards {
			if err := probe(c.Lookalike); err != nil {
				t.Errorf("invalid card: %v", err)
			}
		}
	})
}
