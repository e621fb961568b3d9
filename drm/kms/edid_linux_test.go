package kms

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// TestEDIDsAsLinux compares what clients see of a connector with recordings of
// Linux 6.12, for EDIDs of every kind. The recordings were made on the kernel's
// vkms, changed to read EDIDs for an HDMI-A connector.
func TestEDIDsAsLinux(t *testing.T) {
	recording, err := os.ReadFile("../edid/testdata/linux-6.12/connectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../edid/testdata/linux-6.12/*.bin")
	if err != nil || len(files) < 38 {
		t.Fatalf("%d EDIDs, %v", len(files), err)
	}
	answers := make(map[string]string)
	for _, part := range strings.Split(string(recording), "== ")[1:] {
		name, answer, _ := strings.Cut(part, "\n")
		answers[name] = answer
	}
	if got := describe(&Monitor{}); got != answers["none"] {
		t.Errorf("without EDID:\n%s\nwant\n%s", got, answers["none"])
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
}

// describe returns what a client sees of a connector with the monitor, in the
// form of the recordings.
func describe(monitor *Monitor) string {
	m := New(Config{Limits: Limits{MaxWidth: 8192, MaxHeight: 8192}})
	c := m.AddConnector(ConnectorConfig{Type: uapi.ModeConnectorHDMIA, Monitor: monitor})
	c.probe()
	probed := c.lastProbe()
	modes := modeInfos(probed.modes, drm.ClientCapSet{})
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
