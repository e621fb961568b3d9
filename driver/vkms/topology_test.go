package vkms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// two returns a valid display: two CRTCs with everything that vkms has.
func two() *vkms.Topology {
	return vkms.NewTopology(2, []vkms.Connector{{Name: "left", Type: uapi.ModeConnectorDisplayPort}, {Name: "right"}},
		&vkms.Config{Cursor: true, Overlay: true, Writeback: true})
}

func TestTopologyRules(t *testing.T) {
	many := func(n int) []vkms.Connector { return slices.Repeat([]vkms.Connector{{PossibleEncoders: 1}}, n) }
	for _, tc := range []struct {
		name   string
		change func(*vkms.Topology)
		want   string // the errors; "" for none
	}{
		{"right", func(*vkms.Topology) {}, ""},
		{"nothing", func(d *vkms.Topology) { *d = vkms.Topology{} }, `
			vkms: planes: 0 given, a display has 1 to 31
			vkms: crtcs: 0 given, a display has 1 to 31
			vkms: encoders: 0 given, a display has 1 to 31
			vkms: connectors: 0 given, a display has 1 to 31`},
		{"too many", func(d *vkms.Topology) { d.Connectors = many(32) }, "vkms: connectors: 32 given, a display has 1 to 31"},
		{"too many with writebacks", func(d *vkms.Topology) { d.Connectors = many(31) }, "vkms: connectors: 31 given and 2 for writebacks, a device has at most 32 in all"},
		{"no primary", func(d *vkms.Topology) { d.Planes = d.Planes[1:] },
			"vkms: crtcs/crtc0: no primary plane: add one with this CRTC in possible_crtcs"},
		{"two primaries", func(d *vkms.Topology) { d.Planes[1].PossibleCRTCs = 1 }, `
			vkms: crtcs/crtc0: two primary planes, primary0 and primary1: a CRTC has one
			vkms: crtcs/crtc1: no primary plane: add one with this CRTC in possible_crtcs`},
		{"a shared primary", func(d *vkms.Topology) { d.Planes = slices.Delete(d.Planes, 1, 2); d.Planes[0].PossibleCRTCs = 3 },
			"vkms: planes/primary0: primary plane of 2 CRTCs: each CRTC needs one of its own"},
		{"two cursors", func(d *vkms.Topology) { d.Planes[10].PossibleCRTCs = 3 },
			"vkms: crtcs/crtc1: two cursor planes, cursor0 and cursor1: a CRTC has at most one"},
		{"a shared cursor", func(d *vkms.Topology) { d.Planes = d.Planes[:11]; d.Planes[10].PossibleCRTCs = 3 }, ""},
		{"nowhere", func(d *vkms.Topology) {
			d.Planes[3].PossibleCRTCs, d.Encoders[0].PossibleCRTCs, d.Connectors[1].PossibleEncoders = 0, 0, 0
		}, `
			vkms: planes/overlay1: no CRTC can use it: add one to possible_crtcs
			vkms: encoders/encoder0: no CRTC can drive it: add one to possible_crtcs
			vkms: connectors/right: no encoder can drive it: add one to possible_encoders`},
		{"unknown", func(d *vkms.Topology) {
			d.Planes[3].PossibleCRTCs, d.Encoders[0].PossibleCRTCs, d.Connectors[1].PossibleEncoders = 4, 4, 4
		}, `
			vkms: planes/overlay1: possible_crtcs names a CRTC that does not exist
			vkms: encoders/encoder0: possible_crtcs names a CRTC that does not exist
			vkms: connectors/right: possible_encoders names an encoder that does not exist`},
		{"a CRTC that feeds nothing", func(d *vkms.Topology) { d.Encoders[0].PossibleCRTCs, d.Encoders[1].PossibleCRTCs = 1, 1 },
			"vkms: crtcs/crtc1: it can drive no encoder: add it to possible_crtcs of one"},
		{"a writeback connector", func(d *vkms.Topology) { d.Connectors[0].Type = uapi.ModeConnectorWriteback },
			"vkms: connectors/left: not a type for this list: set writeback of a CRTC instead"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := two()
			tc.change(d)
			got := ""
			if err := d.Validate(); err != nil {
				got = err.Error()
				var item *vkms.TopologyError
				if !errors.As(err, &item) {
					t.Errorf("%v is not a TopologyError", err)
				}
			}
			if want := strings.ReplaceAll(strings.TrimSpace(tc.want), "\t", ""); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			// Probe refuses what Validate refuses.
			dev, err := bus.New("platform").Add("vkms")
			if err != nil {
				t.Fatal(err)
			}
			if err := dev.Bind(vkms.NewDriver(drm.NewClass(drm.ClassOptions{}), vkms.Config{Topology: d}).BusDriver()); (err == nil) != (got == "") {
				t.Errorf("Bind: %v", err)
			}
			if err := dev.Remove(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTopology checks that clients see the objects of a topology, and a
// hotplug.
func TestTopology(t *testing.T) {
	d := two()
	d.Connectors[1].Status = uapi.ModeDisconnected
	c, driver, _ := newClient(t, vkms.Config{Kernel: drm.Linux72, Topology: d})
	c.must(c.SetClientCap(uapi.ClientCapAtomic, 1))
	c.must(c.SetClientCap(uapi.ClientCapWritebackConnectors, 1))
	m := driver.ModeConfig()
	look := func() string {
		var out strings.Builder
		for _, connector := range m.Connectors() {
			got, err := c.GetConnector(connector.ID())
			c.must(err)
			encoder := uapi.ModeGetEncoder{EncoderID: got.Encoders[0]}
			do(c, uapi.IoctlModeGetEncoder, &encoder)
			fmt.Fprintf(&out, "%s %d: %d modes, %d encoders, CRTCs %#x\n",
				connector.Name(), got.Connection, len(got.Modes), len(got.Encoders), encoder.PossibleCRTCs)
		}
		return out.String()
	}
	const writebacks = "Writeback-1 1: 34 modes, 1 encoders, CRTCs 0x1\nWriteback-2 1: 34 modes, 1 encoders, CRTCs 0x2\n"
	equal(t, "connectors", look(), writebacks+"DP-1 1: 34 modes, 1 encoders, CRTCs 0x3\nVirtual-1 2: 0 modes, 1 encoders, CRTCs 0x3\n")
	var types []int
	for _, p := range m.Planes() {
		types = append(types, p.Type())
	}
	equalLists(t, "planes", types, []int{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2})

	plug := func(connector string, connection uint32, monitor *kms.Monitor) {
		t.Helper()
		if err := driver.Hotplug(connector, connection, monitor); err != nil {
			t.Fatal(err)
		}
	}
	plug("Virtual-1", uapi.ModeConnected, nil)
	plug("DP-1", uapi.ModeDisconnected, nil)
	equal(t, "after a hotplug", look(), writebacks+"DP-1 2: 0 modes, 1 encoders, CRTCs 0x3\nVirtual-1 1: 34 modes, 1 encoders, CRTCs 0x3\n")
	err := driver.Hotplug("Writeback-1", uapi.ModeConnected, nil)
	if !errors.Is(err, unix.ENOENT) || err.Error() != "vkms: no connector Writeback-1; the card has: DP-1, Virtual-1: no such file or directory" {
		t.Error(err)
	}
	shown := ""
	for _, f := range driver.Device().DebugfsFiles() {
		if f.Path == "vkms_config" {
			shown = f.Show()
		}
	}
	equal(t, "vkms_config", shown, "dev_name=vkms\n"+strings.Repeat("plane:\n\ttype=1\n", 2)+strings.Repeat("plane:\n\ttype=0\n", 8)+strings.Repeat("plane:\n\ttype=2\n", 2)+
		strings.Repeat("crtc:\n\twriteback=1\n", 2)+"encoder\nencoder\nconnector:\n\tstatus=1\nconnector:\n\tstatus=2\n")
}

// TestNoClones checks that a CRTC feeds one connector beside its writeback: the
// encoders are not clones.
func TestNoClones(t *testing.T) {
	for _, kernel := range drm.Kernels {
		c, driver, _ := newClient(t, vkms.Config{Kernel: kernel, Topology: two()})
		var plugs []uint32
		for _, connector := range driver.ModeConfig().Connectors() {
			if connector.Config().Type != uapi.ModeConnectorWriteback {
				plugs = append(plugs, connector.ID())
			}
		}
		d, err := c.Display()
		c.must(err)
		fb := c.picture()
		show := func(crtc int, connectors ...uint32) error {
			return c.SetCRTCOf(driver.ModeConfig().CRTCs()[crtc].ID(), fb, d.Mode, connectors...)
		}
		left, right := plugs[0], plugs[1]
		for crtc, connector := range []uint32{right, left} {
			if err := show(crtc, connector); err != nil {
				t.Errorf("%s: %v", kernel, err)
			}
		}
		if err := show(0, left, right); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: both connectors on one CRTC: %v, want EINVAL", kernel, err)
		}
	}
}
