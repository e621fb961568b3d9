package config

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/uapi"
)

var update = flag.Bool("update", false, "rewrite the expected errors in testdata")

// TestErrors compares the errors of bad files with testdata/bad/*.txt.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files: ", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cards, err := ReadFile(file)
			if err == nil {
				t.Fatalf("no error: %+v", cards)
			}
			var located *Error
			if !errors.As(err, &located) || located.File != file || located.Line < 1 {
				t.Errorf("%v has no position", err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, "yaml") + "txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("%v\ngot\n%s\nwant\n%s", err, got, want)
			}
		})
	}
	if _, err := ReadFile("testdata/no-such-file"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestEverything reads the example with every attribute.
func TestEverything(t *testing.T) {
	cards, err := ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cards {
		got = append(got, fmt.Sprintf("%s %s %v", c.Name, c.Driver, c.Enabled))
	}
	if want := []string{"desk vkms true", "default vkms true", "default vkms true", "spare vkms false", "buffers vgem true"}; !slices.Equal(got, want) {
		t.Errorf("cards %q, want %q", got, want)
	}
	desk := cards[0].VKMS
	if !desk.Syncobj || !desk.Render || !slices.Equal(desk.Formats, []uint32{uapi.FormatXRGB2101010, uapi.FormatNV12}) {
		t.Errorf("desk: %+v", desk)
	}
	wantUdev := Udev{Properties: []string{"ID_SEAT=seat1", "PREFER="}, Tags: []string{"mutter-device-preferred-primary"}}
	if !reflect.DeepEqual(cards[0].Udev, wantUdev) {
		t.Errorf("desk: %+v, want %+v", cards[0].Udev, wantUdev)
	}
	d := desk.Topology
	left, right := d.Connectors[0].Monitor, d.Connectors[1].Monitor
	d.Connectors[0].Monitor, d.Connectors[1].Monitor = nil, nil
	want := &vkms.Topology{
		Planes: []vkms.Plane{
			{Name: "p0", Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1}, {Name: "p1", Type: uapi.PlaneTypePrimary, PossibleCRTCs: 2},
			{Name: "video", Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 3}, {Name: "pointer", Type: uapi.PlaneTypeCursor, PossibleCRTCs: 1},
		},
		CRTCs:    []vkms.CRTC{{Name: "c0", Writeback: true}, {Name: "c1"}},
		Encoders: []vkms.Encoder{{Name: "e0", PossibleCRTCs: 1}, {Name: "e1", PossibleCRTCs: 3}},
		Connectors: []vkms.Connector{
			{Name: "left", Type: uapi.ModeConnectorDisplayPort, PossibleEncoders: 1},
			{Name: "right", Status: uapi.ModeDisconnected, PossibleEncoders: 2},
		},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("topology\n%+v, want\n%+v", d, want)
	}
	l, err := edid.Parse(left.EDID)
	if err != nil || l.Name != "Left" || l.Manufacturer != "DEL" || l.Serial != 7 || l.WidthMM != 600 || left.HeightMM != 340 || len(left.Modes) != 2 {
		t.Errorf("left: %v: %+v", err, l)
	}
	if r, err := edid.Parse(right.EDID); err != nil || r.Name != "From a file" || right.Modes[0].Name != "1680x1050" {
		t.Errorf("right: %v: %+v", err, r)
	}
	if c := cards[1].VKMS; c.Topology != nil || !c.Cursor || c.Overlay || !c.Writeback {
		t.Errorf("default: %+v", c)
	}
	if c := cards[3].VKMS; c.Topology != nil || !c.Cursor || !c.Overlay || c.Writeback {
		t.Errorf("spare: %+v", c)
	}
}

// TestLeftOut checks the defaults: how many planes, CRTCs, encoders and
// TestMerge merges mappings: those of the mapping itself win, then the first.
func TestMerge(t *testing.T) {
	cards, err := parse("merge.yaml", []byte(`
cards:
  plain: &plain {syncobj: 1, render: 1, connectors: {left: &left {type: DP, status: disconnected}}}
  twice: &twice
    <<: *plain
    render: 0
  third:
    <<: [*twice, {render: 1, writeback: 0}]
    connectors:
      left: {<<: *left, status: connected}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		render, connected bool
	}{{true, false}, {false, false}, {false, true}} {
		c := cards[i].VKMS
		connector := c.Topology.Connectors[0]
		if !c.Syncobj || c.Render != want.render || connector.Type != uapi.ModeConnectorDisplayPort || (connector.Status == uapi.ModeConnected) != want.connected {
			t.Errorf("%s is %+v, with %+v", cards[i].Name, c, connector)
		}
	}
	for text, want := range map[string]string{
		"cards: {a: {<<: 7}}":                                            `cards/a/<<: expected a mapping, found "7"; write "<<: *NAME"`,
		"cards: {a: &a {syncobj: 1}, b: {<<: [*a, x]}}":                  `cards/b/<<: expected a mapping, found "x"`,
		"cards: {a: {<<: {syncobjs: 1}}}":                                "cards/a/syncobjs: unknown attribute; did you mean syncobj?",
		"cards: {a: &a {<<: *a, x: 1}}":                                  "cards/a/x: unknown attribute",
		"cards: {a: &a {y: 1}, b: &b {<<: [*a, *a]}, c: {<<: [*b, *b]}}": "cards/c/y: unknown attribute",
	} {
		if _, err := parse("merge.yaml", []byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// connectors each card has.
func TestLeftOut(t *testing.T) {
	for _, tc := range []struct {
		card string
		want [4]int
	}{
		{"{connectors: {a: {}}}", [4]int{2, 1, 1, 1}},
		{"{connectors: {a: , b: , c: }}", [4]int{6, 3, 3, 3}},
		{"{connectors: {a: , b: , c: }, cursor: 0, overlay: 1}", [4]int{11, 3, 3, 3}},
		{"{crtcs: {a: , b: }}", [4]int{4, 2, 2, 2}},
		{"{crtcs: {c: }, connectors: {a: , b: }}", [4]int{2, 1, 2, 2}},
		{"{encoders: {e: }, connectors: {a: , b: }}", [4]int{4, 2, 1, 2}},
		{"{encoders: {e: , f: {possible_crtcs: [crtc0]}}}", [4]int{4, 2, 2, 2}},
		{"{planes: {p: {type: 1}, q: }}", [4]int{2, 1, 1, 1}},
		{"{planes: {p: {type: 1, possible_crtcs: [crtc0]}, q: {type: 1, possible_crtcs: [crtc1]}}, connectors: {a: , b: }}", [4]int{2, 2, 2, 2}},
		{"&desk {connectors: {a: &a {type: DP}, b: *a}}", [4]int{4, 2, 2, 2}},
	} {
		cards, err := parse("test", []byte("cards: {card: "+tc.card+"}"), nil)
		if err != nil {
			t.Errorf("%s: %v", tc.card, err)
			continue
		}
		d := cards[0].VKMS.Topology
		if got := [4]int{len(d.Planes), len(d.CRTCs), len(d.Encoders), len(d.Connectors)}; got != tc.want {
			t.Errorf("%s: %v planes, CRTCs, encoders and connectors, want %v", tc.card, got, tc.want)
		}
	}
	if cards, err := ReadFile("testdata/none.yaml"); err != nil || len(cards) != 0 {
		t.Errorf("no cards: %v, %v", cards, err)
	}
}

func TestParseMonitor(t *testing.T) {
	for _, tc := range []struct {
		spec        string
		name        string
		typ, status uint32
		w, h        uint32
		modes       []string
	}{
		{"1920x1080", "udrm", 0, 0, 510, 290, []string{"1920x1080@60"}},
		{"DELL U2720Q:3840x2160@60,1920x1080@144,600x340mm,DP", "DELL U2720Q", uapi.ModeConnectorDisplayPort, 0, 600, 340, []string{"3840x2160@60", "1920x1080@144"}},
		{"disconnected,HDMI-A,800x600@59.94", "udrm", uapi.ModeConnectorHDMIA, uapi.ModeDisconnected, 210, 160, []string{"800x600@60"}},
		{"Beamer:1280x800,0x0mm", "Beamer", 0, 0, 0, 0, []string{"1280x800@60"}},
		{"edid=testdata/monitor.bin,eDP", "From a file", uapi.ModeConnectorEDP, 0, 600, 340, []string{"1680x1050@60", "1280x1024@60"}},
	} {
		c, err := ParseMonitor(tc.spec, 3)
		if err != nil {
			t.Error(err)
			continue
		}
		m, err := edid.Parse(c.Monitor.EDID)
		if err != nil {
			t.Errorf("%s: %v", tc.spec, err)
			continue
		}
		var modes []string
		for i := range m.Modes {
			modes = append(modes, fmt.Sprintf("%dx%d@%.0f", m.Modes[i].HDisplay, m.Modes[i].VDisplay, m.Modes[i].Refresh()))
		}
		if m.Name != tc.name || c.Type != tc.typ || c.Status != tc.status || c.Monitor.WidthMM != tc.w || c.Monitor.HeightMM != tc.h || !slices.Equal(modes, tc.modes) {
			t.Errorf("%s: %+v, %+v", tc.spec, c, m)
		}
	}
	for _, spec := range []string{"", ":", "DELL:", "x", "800x600,", "edid=", "edid=/no/such/file", "edid=testdata/monitor.bin,800x600", "DP,DP,800x600",
		"edid=testdata/monitor.bin,hdr", "hdr", "hdr,hdr,800x600", "800x600,vrr=60", "800x600,vrr=0-0", "800x600,vrr=90-48", "800x600,vrr=48-999",
		"800x600,tile=2x1", "tile=2x1+0+0", "800x600,tile=2x1+2+0", "800x600,tile=0x0+0+0", "800x600,non-desktop,non-desktop", "800x600x600"} {
		if c, err := ParseMonitor(spec, 1); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%q: ", spec)) {
			t.Errorf("%q: %v, %v", spec, c, err)
		}
	}
}

// configfs runs a script that prepares a card as the kernel's documentation
// does. It makes the directories that a real configfs makes by itself.
func configfs(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("sh", "-e", "-c", `
		mkdir my-vkms && echo 0 >my-vkms/enabled
		mkdir my-vkms/planes my-vkms/crtcs my-vkms/encoders my-vkms/connectors
		plane() { mkdir -p my-vkms/planes/$1/possible_crtcs; echo $2 >my-vkms/planes/$1/type; }
		crtc() { mkdir my-vkms/crtcs/$1; echo $2 >my-vkms/crtcs/$1/writeback; }
		encoder() { mkdir -p my-vkms/encoders/$1/possible_crtcs; }
		connector() { mkdir -p my-vkms/connectors/$1/possible_encoders; echo $2 >my-vkms/connectors/$1/status; }
		`+script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

const configured = `
	plane plane0 1; plane plane1 2; crtc crtc0 1; encoder encoder0; connector connector0 2
	ln -s $PWD/my-vkms/crtcs/crtc0 my-vkms/planes/plane0/possible_crtcs
	ln -s $PWD/my-vkms/crtcs/crtc0 my-vkms/planes/plane1/possible_crtcs/whatever
	ln -s $PWD/my-vkms/crtcs/crtc0 my-vkms/encoders/encoder0/possible_crtcs
	ln -s $PWD/my-vkms/encoders/encoder0 my-vkms/connectors/connector0/possible_encoders
	echo 1 >my-vkms/enabled
`

// TestDirectory reads cards from a directory as from a file.
func TestDirectory(t *testing.T) {
	cards, err := ReadFile(configfs(t, configured+"echo DP >my-vkms/connectors/connector0/type; cp "+abs(t, "testdata/monitor.bin")+" my-vkms/connectors/connector0/edid"))
	if err != nil || len(cards) != 1 {
		t.Fatal(cards, err)
	}
	d := cards[0].VKMS.Topology
	if m := d.Connectors[0].Monitor; m == nil || m.Modes[0].Name != "1680x1050" {
		t.Errorf("the monitor is %+v", m)
	}
	d.Connectors[0].Monitor = nil
	want := &vkms.Topology{
		Planes:     []vkms.Plane{{Name: "plane0", Type: 1, PossibleCRTCs: 1}, {Name: "plane1", Type: 2, PossibleCRTCs: 1}},
		CRTCs:      []vkms.CRTC{{Name: "crtc0", Writeback: true}},
		Encoders:   []vkms.Encoder{{Name: "encoder0", PossibleCRTCs: 1}},
		Connectors: []vkms.Connector{{Name: "connector0", Type: uapi.ModeConnectorDisplayPort, Status: uapi.ModeDisconnected, PossibleEncoders: 1}},
	}
	if cards[0].Name != "my-vkms" || !cards[0].Enabled || !reflect.DeepEqual(d, want) {
		t.Errorf("got\n%+v, want\n%+v", d, want)
	}
	for script, wants := range map[string][]string{
		"": {"my-vkms/connectors: 0 given, a display has 1 to 31", "my-vkms/planes: 0 given, a display has 1 to 31"},
		configured + "rm my-vkms/planes/plane0/possible_crtcs/crtc0; echo 5 >my-vkms/connectors/connector0/status": {
			`my-vkms/connectors/connector0/status: "5" is not a valid value; write connected, disconnected, unknown, 1, 2 or 3`},
		configured + "rm my-vkms/planes/plane0/possible_crtcs/crtc0":       {"my-vkms/planes/plane0: no CRTC can use it: add one to possible_crtcs"},
		configured + "ln -s nowhere my-vkms/planes/plane0/possible_crtcs/": {`my-vkms/planes/plane0/possible_crtcs/nowhere: there is no CRTC called "nowhere"; write crtc0`},
		configured + "echo 1 >my-vkms/crtcs/crtc0/wrietback":               {"my-vkms/crtcs/crtc0/wrietback: unknown attribute; did you mean writeback?"},
		configured + "echo nonsense >my-vkms/connectors/connector0/edid":   {"edid: 9 bytes, want at least 128"},
	} {
		dir := configfs(t, script)
		_, err := ReadFile(dir)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir+"/my-vkms/") {
				t.Errorf("%v\nlacks %s", err, want)
			}
		}
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "testdata/everything.yaml", "testdata/two-monitors.yaml", "testdata/hardware.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("edid")) || bytes.Contains(data, []byte("like")) {
			return // such input could read any file
		}
		cards, err := parse("fuzz", data, nil)
		var located *Error
		switch {
		case err != nil && (!errors.As(err, &located) || located.Line < 1 || located.Reason == ""):
			t.Errorf("an error without a position: %v", err)
		case err != nil:
			return
		}
		for _, c := range cards {
			if d := c.VKMS.Topology; d != nil && d.Validate() != nil {
				t.Errorf("invalid topology: %v", d.Validate())
			}
			if l := c.Lookalike; l != nil {
				if err := probe(l); err != nil {
					t.Errorf("invalid card: %v", err)
				}
			}
		}
	})
}

// probe makes the card.
func probe(l *lookalike.Config) error {
	place := l.Bus.Place(l.Info.Name, 0)
	dev, err := bus.New(place.Bus).AddDescribed(place.Name, place.Description)
	if err != nil {
		return err
	}
	err = dev.Bind(lookalike.NewDriver(drm.NewClass(drm.ClassOptions{}), *l).BusDriver())
	return errors.Join(err, dev.Remove(context.Background()))
}

func FuzzParseMonitor(f *testing.F) {
	for _, spec := range []string{"DELL U2720Q:3840x2160@60,1920x1080@59.94,600x340mm,DP", "1x1,disconnected", "a:b:c,,", "7680x4320@120,0x0mm", "8192x8192@500", "2560x1440@144,hdr,vrr=48-144,tile=2x1+1+0", "800x600,non-desktop"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.Contains(spec, "edid=") {
			return // such input could read any file
		}
		c, err := ParseMonitor(spec, 1)
		if err != nil {
			return
		}
		m, err := edid.Parse(c.Monitor.EDID)
		if err != nil || len(m.Modes) == 0 || len(m.Modes) != len(c.Monitor.Modes) ||
			len(m.Modes) > strings.Count(spec, "x") && !strings.Contains(spec, "vrr") && !strings.Contains(spec, "hdr") {
			t.Errorf("%q: %v: %+v", spec, err, m)
		}
	})
}
