package edid

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/internal/ediddecode"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// decodedModes returns the progressive modes in the output of edid-decode.
func decodedModes(t testing.TB, out string) (modes []mode.Mode) {
	t.Helper()
	for _, info := range ediddecode.Timings(out) {
		m, err := mode.FromInfo(&info)
		if err != nil {
			t.Fatal(err)
		}
		m.SetName()
		modes = append(modes, m)
	}
	return modes
}

func modesFor(t testing.TB, names ...string) (modes []mode.Mode) {
	t.Helper()
	for _, name := range names {
		var w, h int
		var hz float64
		if _, err := fmt.Sscanf(name, "%dx%d@%g", &w, &h, &hz); err != nil {
			t.Fatal(err)
		}
		m, err := mode.For(w, h, hz)
		if err != nil {
			t.Fatal(err)
		}
		modes = append(modes, m)
	}
	return modes
}

// TestEncodeKinds checks that headsets and tiles are read again.
func TestEncodeKinds(t *testing.T) {
	tile := &Tile{Group: [9]byte{1, 2, 3, 8: 9}, SingleMonitor: true, Columns: 20, Rows: 3, Column: 17, Row: 2, Width: 2560, Height: 2880}
	modes := modesFor(t, "1920x1080@60", "1280x720@60", "1024x768@60", "5120x1440@60")
	for _, want := range []Monitor{
		{NonDesktop: true, Modes: modes[:1]}, {NonDesktop: true, Modes: modes}, {NonDesktop: true, Modes: modes[3:]},
		{Tile: tile, Modes: modes[:1]}, {Tile: tile, NonDesktop: true, Modes: modes[:2]},
	} {
		want.BPC = 8
		data, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if got.NonDesktop != want.NonDesktop || (got.Tile == nil) != (want.Tile == nil) || len(got.Modes) != len(want.Modes) {
			t.Errorf("parsed %+v, want %+v", got, want)
		}
		if want.Tile != nil && *got.Tile != *want.Tile {
			t.Errorf("parsed %+v, want %+v", got.Tile, want.Tile)
		}
		for i := range got.Modes {
			if !got.Modes[i].SameTiming(&want.Modes[i]) {
				t.Errorf("mode %d: %+v, want %+v", i, got.Modes[i], want.Modes[i])
			}
		}
	}
	for _, bad := range []Tile{{}, {Columns: 65, Rows: 1, Width: 1, Height: 1}, {Columns: 1, Rows: 1, Row: 1, Width: 1, Height: 1}, {Columns: 1, Rows: 1, Width: 1 << 17, Height: 1}} {
		if _, err := (&Monitor{Modes: modes, Tile: &bad}).Encode(); err == nil {
			t.Errorf("encoded %+v", bad)
		}
	}
}

// accepted lists the failures that edid-decode reports for encoded EDIDs, with
// the reasons.
var accepted = []string{
	"Required 640x480p60 timings are missing",         // CTA-861 wants it; a monitor has the modes that it was given, and no other
	"DisplayID: Missing DisplayID",                    // of what the base block says already
	"DisplayID expects at least one preferred timing", // the base block has it
	"Missing preferred timing",                        // it does not fit the base block
	"Missing Display Product Name",                    // none was given
}

func TestEncode(t *testing.T) {
	for _, tc := range []struct {
		name     string
		modes    []string
		conforms bool
	}{
		{"DELL U2720Q", []string{"2560x1440@60"}, true},
		{"", []string{"1920x1080@60", "1280x720@60"}, false},
		{"thirteen char", []string{"3840x2160@60", "1920x1080@60"}, true},
		{"seven modes", []string{"1920x1200@60", "1920x1080@144", "1680x1050@60", "1600x900@60", "1280x1024@75", "1024x768@60", "800x600@60"}, false},
		{"wide", []string{"5120x1440@120", "3840x2160@30", "1920x1080@60"}, false},
		{"8K", []string{"7680x4320@60"}, false},
		{"4K fast", []string{"3840x2160@60", "3840x2160@144", "3840x2160@240"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := Monitor{Manufacturer: "LNX", Product: 7, Serial: 12, Name: tc.name, WidthMM: 600, HeightMM: 340, Modes: modesFor(t, tc.modes...), BPC: 8}
			data, err := want.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(data)
			if err != nil || !sameMonitor(got, &want) {
				t.Errorf("parsed: %v\n%+v, want\n%+v", err, got, &want)
			}
			out := ediddecode.Run(t, data, "-c")
			modes := decodedModes(t, out)
			for _, m := range want.Modes {
				if !slices.ContainsFunc(modes, func(other mode.Mode) bool { return other.SameTiming(&m) }) {
					t.Errorf("edid-decode does not find %v", &m)
				}
			}
			if len(modes) != len(want.Modes) {
				t.Errorf("edid-decode finds %d modes, of %d", len(modes), len(want.Modes))
			}
			for _, line := range []string{"Manufacturer: LNX", "Model: 7", "Serial Number: 12", "60 cm x 34 cm", "Display Product Name: '" + tc.name + "'"} {
				if !strings.Contains(out, line) && tc.name != "" {
					t.Errorf("edid-decode does not say %q", line)
				}
			}
			_, faults, _ := strings.Cut(out, "edid-decode SHA")
			if tc.conforms && !strings.Contains(faults, "EDID conformity: PASS") {
				t.Errorf("edid-decode: %s", faults)
			}
			for line := range strings.Lines(faults) {
				fault := strings.HasPrefix(line, "  ")
				if fault && !slices.ContainsFunc(accepted, func(a string) bool { return strings.Contains(line, a) }) {
					t.Errorf("edid-decode: %s", line)
				}
			}
		})
	}
}

func sameMonitor(a, b *Monitor) bool {
	modes := slices.EqualFunc(a.Modes, b.Modes, func(a, b mode.Mode) bool { return a.SameTiming(&b) })
	x, y := *a, *b
	x.Modes, y.Modes = nil, nil
	return modes && fmt.Sprint(x) == fmt.Sprint(y)
}

func TestEncodeErrors(t *testing.T) {
	good := modesFor(t, "1024x768@60")
	for _, tc := range []struct {
		m    Monitor
		want string
	}{
		{Monitor{}, "edid: monitor without modes: give it at least one"},
		{Monitor{Modes: good, Name: "fourteen chars"}, `edid: name "fourteen chars" has 14 characters (limit 13)`},
		{Monitor{Modes: good, Name: "größer"}, `edid: name "größer" has the byte 0xc3: only printable ASCII is allowed`},
		{Monitor{Modes: good, Name: "a "}, `edid: name "a " must not begin or end with a space`},
		{Monitor{Modes: good, Manufacturer: "Dell"}, `edid: manufacturer "Dell" is not three letters from A to Z`},
		{Monitor{Modes: good, Manufacturer: "D3L"}, `edid: manufacturer "D3L" is not three letters from A to Z`},
		{Monitor{Modes: good, WidthMM: 2551}, `edid: size of 2551x0 mm is out of range (limit 2550 mm)`},
		{Monitor{Modes: []mode.Mode{{Clock: 1}}}, `edid: mode 0x0@+Inf: smaller than 64x64`},
		{Monitor{Modes: []mode.Mode{{Clock: 1 << 30, HDisplay: 64, HSyncStart: 70, HSyncEnd: 80, HTotal: 100, VDisplay: 64, VSyncStart: 70, VSyncEnd: 80, VTotal: 100}}},
			"edid: mode 64x64@107374182.40 does not fit DisplayID: clock of 1073741824 kHz is too high (limit 167772160)"},
	} {
		if _, err := tc.m.Encode(); err == nil || err.Error() != tc.want {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	m := Monitor{Modes: modesFor(t, "5120x2880@60", "1024x768@60")}
	good, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(d []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for _, tc := range []struct {
		data []byte
		want string
	}{
		{nil, "edid: 0 bytes, want at least 128"},
		{good[:100], "edid: 100 bytes, want at least 128"},
		{[]byte(strings.Repeat("00 ff ff ", 100)), "edid: base block begins with 30 30 20 66 66 20 66 66, want 00 ff ff ff ff ff ff 00"},
		{good[:200], "edid: cut off: 1 blocks of 2"},
		{good[:128], "edid: cut off: 1 blocks of 2"},
		{edit(func(d []byte) []byte { d[20]++; return d }), "edid: base block has checksum "},
		{edit(func(d []byte) []byte { d[18]++; d[127]--; return d }), "edid: version 2.4 is not supported, want 1.x"},
	} {
		if _, err := Parse(tc.data); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("got  %v\nwant %s", err, tc.want)
		}
	}
}

// foreign returns an EDID as monitors have them: with codes for timings of
// standards in all places that allow them.
func foreign(established, standard, established3, codes []byte, detailed ...mode.Mode) []byte {
	var base, cta block
	copy(base[:], header)
	base[versionAt], base[versionAt+1], base[inputAt], base[extensionsAt] = 1, 4, inputDigital, 1
	copy(base[establishedAt:], established)
	for i := range 16 {
		base[standardAt+i] = unusedStandard
	}
	copy(base[standardAt:], standard)
	copy(base[descriptorsAt:], (&Monitor{}).encodeDetailed(&detailed[0]))
	d := base[descriptorsAt+descriptorSize:]
	d[3], d[5] = tagEstablished, 10
	copy(d[6:12], established3)
	cta[0], cta[1] = ctaTag, ctaRevision
	at := ctaData
	cta[at] = ctaVideo<<5 | byte(len(codes))
	at += 1 + copy(cta[at+1:], codes)
	cta[2] = byte(at)
	for i := range detailed[1:] {
		at += copy(cta[at:], (&Monitor{}).encodeDetailed(&detailed[1+i]))
	}
	base.seal()
	cta.seal()
	return slices.Concat(base[:], cta[:])
}

// unlikeStandard reports whether the kernel's figures for the mode differ from
// those of the standard, or a standard timing of two bytes cannot express it.
func unlikeStandard(m *mode.Mode) bool {
	switch m.Name {
	case "720x400", "1152x870", "1152x864", "1360x765":
		return true
	case "1360x768":
		return m.HDisplay == 1366
	case "1920x1080": // DMT 0x52
		return m.Flags&uapi.ModeFlagNVSync != 0
	}
	return false
}

// alternate reports whether only the kernel finds the mode: at a rate that is a
// thousandth higher or lower, or interlaced.
func alternate(m *mode.Mode) bool {
	if m.Flags&uapi.ModeFlagInterlace != 0 {
		return true
	}
	standard, ok := mode.CTA(matchCTA(m, mode.SamePeriod))
	return ok && standard.Clock != m.Clock
}

// TestParseForeign compares the modes of an EDID of codes with edid-decode's.
func TestParseForeign(t *testing.T) {
	detailed := modesFor(t, "2560x1440@60", "1720x720@100")
	data := foreign([]byte{0xff, 0xff, 0x80}, []byte{
		0x81, 0x80, 0x81, 0xc0, 0xa9, 0x40, 0xb3, 0x00, 0xd1, 0xc0, 0xd1, 0x00, 0x81, 0x99, 0x8b, 0xc0,
	}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xf0}, []byte{0x90, 1, 3, 4, 31, 5, 97, 107, 118, 199, 219}, detailed...)
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Modes) < 67 || !got.Modes[0].SameTiming(&detailed[0]) || got.Modes[0].Type&uapi.ModeTypePreferred == 0 {
		t.Errorf("%d modes, the first is %v", len(got.Modes), &got.Modes[0])
	}
	want := make(map[mode.Mode]bool)
	for _, m := range decodedModes(t, ediddecode.Run(t, data, "-L")) {
		want[m] = false
	}
	for _, m := range got.Modes {
		if alternate(&m) {
			continue
		}
		m.Type = uapi.ModeTypeDriver
		m.Flags &^= uapi.ModeFlagPicARMask
		if _, ok := want[m]; !ok && !unlikeStandard(&m) {
			t.Errorf("edid-decode does not find %v", &m)
		}
		want[m] = true
	}
	for m, found := range want {
		if !found && !unlikeStandard(&m) {
			t.Errorf("only edid-decode finds %v: %+v", &m, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, names := range [][]string{{"1024x768@60"}, {"2560x1440@60", "1920x1080@60", "1280x720@60"}, {"7680x4320@60", "5120x1440@120"}} {
		m := Monitor{Name: "fuzz", WidthMM: 100, HeightMM: 100, Modes: modesFor(f, names...)}
		data, err := m.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(foreign([]byte{0xff, 0xff, 0xff}, bytes.Repeat([]byte{0x81, 0xc0}, 8), []byte{1, 2, 3, 4, 5, 6}, []byte{16, 31, 97}, modesFor(f, "1024x768@60")[0]))
	files, err := filepath.Glob("testdata/linux-6.12/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatalf("no EDIDs: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Nearly all mutations damage checksums. Fix them, to get further.
		for i := 0; i+128 <= len(data); i += 128 {
			b := block(data[i:])
			b.seal()
			data[i+127] = b[127]
		}
		m, err := Parse(data)
		if err != nil {
			return
		}
		for i := range m.Modes {
			if m.Modes[i].Name == "" {
				t.Errorf("mode %d has no name: %+v", i, m.Modes[i])
			}
		}
		// If Encode accepts the monitor, Parse reads it again, except for what
		// is rounded.
		m.Manufacturer = ""
		again, err := m.Encode()
		if err != nil {
			return
		}
		n, err := Parse(again)
		if err != nil {
			t.Fatalf("parsing an encoded EDID: %v", err)
		}
		// Readers add modes to those of monitors with limits or a CTA block.
		more := m.variable() || m.HDR != nil || m.Colorimetry != 0
		if n.Name != m.Name || n.WidthMM != m.WidthMM || len(n.Modes) > len(m.Modes) && !more || len(n.Modes) == 0 {
			t.Errorf("parsed %+v\nencoded %+v", n, m)
		}
	})
}
