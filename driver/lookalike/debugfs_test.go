package lookalike_test

import (
	"fmt"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// TestConnectorDebugfs checks what debugfs says of the monitor of a connector with
// Content Protection, and of one without a monitor.
func TestConnectorDebugfs(t *testing.T) {
	timing, err := mode.For(1920, 1080, 60)
	if err != nil {
		t.Fatal(err)
	}
	data, err := (&edid.Monitor{Modes: []mode.Mode{timing}, HDR: &edid.HDR{}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	monitor, err := kms.MonitorFromEDID(data)
	if err != nil {
		t.Fatal(err)
	}
	enum := func(name string, values ...string) lookalike.Property {
		p := lookalike.Property{Name: name, Flags: uapi.ModePropEnum}
		for i, value := range values {
			p.Enums = append(p.Enums, kms.PropertyEnum{Value: uint64(i), Name: value})
		}
		return p
	}
	protection := enum("Content Protection", "Undesired", "Desired", "Enabled")
	contentType := enum("HDCP Content Type", "HDCP Type0", "HDCP Type1")
	for _, c := range []struct {
		driver, file, versions string
		properties             []lookalike.Property
	}{
		{"amdgpu", "hdcp_sink_capability", "HDCP1.4 HDCP2.2 ", []lookalike.Property{protection, contentType}},
		{"i915", "i915_hdcp_sink_capability", "HDCP1.4 ", []lookalike.Property{protection}},
		{"vkms", "hdcp_sink_capability", "", nil},
	} {
		t.Run(c.driver, func(t *testing.T) {
			config := lookalike.Config{
				Info: drm.DriverInfo{Name: c.driver}, Bus: lookalike.Bus{Type: "platform"}, Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
				Planes:   []lookalike.Plane{{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888}}},
				CRTCs:    []lookalike.CRTC{{}},
				Encoders: []lookalike.Encoder{{PossibleCRTCs: 1}},
				Connectors: []lookalike.Connector{
					{Type: uapi.ModeConnectorHDMIA, PossibleEncoders: []int{0}, Monitor: monitor, Properties: c.properties},
					{Type: uapi.ModeConnectorDisplayPort, PossibleEncoders: []int{0}, Status: uapi.ModeDisconnected, Properties: c.properties},
				},
			}
			config.LegacyPlanes()
			class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
			drmtest.Bind(t, bus.New("platform"), "card", lookalike.NewDriver(class, config).BusDriver())
			device := class.Minors()[0].Device()
			display, _ := drm.PartOf[*kms.ModeConfig](device)
			got := make(map[string]string)
			for _, f := range device.DebugfsFiles() {
				if f.Show != nil {
					got[f.Path] = f.Show()
				}
			}
			want := func(path, content string) {
				t.Helper()
				if got[path] != content {
					t.Errorf("%s: %q, want %q", path, got[path], content)
				}
			}
			for i, versions := range []string{c.versions, "None "} {
				connector := display.Connectors()[i]
				content := fmt.Sprintf("%s:%d HDCP version: %s\n", connector.Name(), connector.ID(), versions)
				if c.versions == "" {
					content = ""
				}
				want(connector.Name()+"/"+c.file, content)
			}
		})
	}
}
