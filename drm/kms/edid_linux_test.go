package kms

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// TestEDIDsAsLinux compares what clients see of a connector with recordings of
// Linux, for EDIDs of every kind. Those in linux-6.12 were made on the kernel's
// vkms, changed to read EDIDs for an HDMI-A connector; the others with the
// kernel's code, for a connector and a client that want all modes.
func TestEDIDsAsLinux(t *testing.T) {
	answers := compareEDIDs(t, "linux-6.12", "connectors.txt", 38, describe)
	if got := describe(&Monitor{}); got != answers["none"] {
		t.Errorf("without EDID:\n%s\nwant\n%s", got, answers["none"])
	}
	for _, r := range recordedByCode {
		compareEDIDs(t, r.directory, "connectors.txt", r.count, func(m *Monitor) string {
			answer := describeFor(m, r.kernel, everyKind, everyCap)
			content, err := edid.Parse(m.EDID)
			if err != nil {
				content = &edid.Monitor{}
			}
			return answer + fmt.Sprintf(" range %d-%d\n", content.MinRefresh, content.MaxRefresh)
		})
	}
}

// A recording is a directory with EDIDs and what a kernel makes of them.
type recording struct {
	directory string
	kernel    drm.Kernel
	count     int // EDIDs, at least
}

// recordedByCode are the recordings that were made with the kernel's code.
var recordedByCode = []recording{{"linux-6.12-code", drm.Linux612, 86}, {"linux-7.2-code", drm.Linux72, 11}}

// TestEDIDsOfDisplays compares the bits per component, and the modes of a monitor
// that needs YCbCr 4:2:0 for some, with what the kernel's code says for a
// connector that can send it.
func TestEDIDsOfDisplays(t *testing.T) {
	needing := 0
	for _, r := range append(recordedByCode, recording{"linux-6.12", drm.Linux612, 38}) {
		compareEDIDs(t, r.directory, "display.txt", r.count, func(m *Monitor) string {
			if r.kernel == drm.Linux72 {
				m = cmp.Or(m.newer, m)
			}
			answer := fmt.Sprintf(" bpc=%d\n", m.BPC)
			if m.With420 != nil {
				needing++
				config := everyKind
				config.YCbCr420 = true
				_, modes, _ := strings.Cut(describeFor(m, r.kernel, config, everyCap), "\n")
				modes, _, _ = strings.Cut(modes, " prop")
				answer += modes
			}
			return answer
		})
	}
	if needing < 6 {
		t.Errorf("%d monitors need YCbCr 4:2:0 for some modes, want 6", needing)
	}
}

// everyKind is a connector with all kinds of modes that have a flag, and everyCap
// are the capabilities of a client that sees them.
var (
	everyKind = ConnectorConfig{ModeFlags: uapi.ModeFlagInterlace | uapi.ModeFlagDblscan | uapi.ModeFlag3DMask}
	everyCap  = drm.ClientCapSet{AspectRatio: true, Stereo3D: true}
)

// compareEDIDs compares what describe says of the EDIDs in a directory with the
// recording of that name there, and returns the recording.
func compareEDIDs(t *testing.T, directory, recorded string, count int, describe func(*Monitor) string) (answers map[string]string) {
	directory = filepath.Join("../edid/testdata", directory)
	recording, err := os.ReadFile(filepath.Join(directory, recorded))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(directory, "*.bin"))
	if err != nil || len(files) < count {
		t.Fatalf("%d EDIDs, want %d: %v", len(files), count, err)
	}
	answers = make(map[string]string)
	for _, part := range strings.Split(string(recording), "== ")[1:] {
		name, answer, _ := strings.Cut(part, "\n")
		answers[name] = answer
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bin")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := MonitorFromEDID(data)
			if err != nil {
				t.Log(err)
				m = &Monitor{}
			}
			if got := describe(m); got != answers[name] || answers[name] == "" {
				t.Errorf("got\n%s\nwant\n%s", got, answers[name])
			}
		})
	}
	return answers
}

// describe returns what a client sees of a connector with the monitor, in the
// form of the recordings.
func describe(monitor *Monitor) string {
	return describeFor(monitor, drm.Linux612, ConnectorConfig{}, drm.ClientCapSet{})
}

// describeFor is describe for a device of the kernel, a connector with the
// configuration, and a client with the capabilities.
func describeFor(monitor *Monitor, kernel drm.Kernel, config ConnectorConfig, caps drm.ClientCapSet) string {
	m := New(Config{Kernel: kernel, Limits: Limits{MaxWidth: 8192, MaxHeight: 8192}})
	config.Type, config.Monitor = uapi.ModeConnectorHDMIA, monitor
	c := m.AddConnector(config)
	c.probe()
	probed := c.lastProbe()
	modes := modeInfos(probed.modes, caps)
	var out strings.Builder
	fmt.Fprintf(&out, "connector type=%d-%d connection=%d %dx%dmm subpixel=%d modes=%d\n",
		c.config.Type, c.typeID.Load(), probed.connection, probed.widthMM, probed.heightMM, 0, len(modes))
	for _, i := range modes {
		name, _, _ := strings.Cut(string(i.Name[:]), "\x00")
		fmt.Fprintf(&out, " %-12s %d %d %d %d %d %d %d %d %d vref=%d skew=%d vscan=%d fl=%s ty=%s\n", name, i.Clock,
			i.HDisplay, i.HSyncStart, i.HSyncEnd, i.HTotal, i.VDisplay, i.VSyncStart, i.VSyncEnd, i.VTotal,
			i.VRefresh, i.HSkew, i.VScan, hex(i.Flags), hex(i.Type))
	}
	if probed.edid == nil {
		out.WriteString(" prop EDID none\n")
	} else {
		var hash uint32
		for _, b := range probed.edid.data {
			hash = hash*31 + uint32(b)
		}
		fmt.Fprintf(&out, " prop EDID len=%d hash=%08x ext=%d\n", len(probed.edid.data), hash, probed.edid.data[126])
	}
	fmt.Fprintf(&out, " prop non-desktop=%d flags=0x6\n", flag(probed.nonDesktop))
	if probed.tile == nil {
		out.WriteString(" prop TILE none\n")
	} else {
		fmt.Fprintf(&out, " prop TILE len=%d '%s'\n", len(probed.tile.data), strings.TrimSuffix(string(probed.tile.data), "\x00"))
	}
	return out.String()
}

// hex formats a number as the C library does with %#x.
func hex(v uint32) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%#x", v)
}

// TestOddModes checks lists of modes that few monitors have.
func TestOddModes(t *testing.T) {
	timing, _ := mode.CTA(97)
	if got := describe(&Monitor{With420: []mode.Mode{timing}}); !strings.Contains(got, "modes=0\n") {
		t.Errorf("a monitor that only has modes in YCbCr 4:2:0 has fallback modes:\n%s", got)
	}
	timing, _ = mode.CTA(16)
	timing.Clock = 14850000
	if got := describe(&Monitor{Modes: []mode.Mode{timing}}); !strings.Contains(got, "modes=1\n") || !strings.Contains(got, "vref=6000 ") {
		t.Errorf("a mode of 6000 Hz is not listed:\n%s", got)
	}
	if _, err := mode.FromInfo(new(timing.Info())); err == nil {
		t.Error("a client can set a mode of 6000 Hz")
	}
}
