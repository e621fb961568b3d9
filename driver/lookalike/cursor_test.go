package lookalike_test

import (
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestHardwareCursor checks that the cursor requests work on a card that is not
// atomic and has no cursor plane, as radeon's, and that clients see no such plane.
func TestHardwareCursor(t *testing.T) {
	timing, err := mode.For(640, 480, 60)
	if err != nil {
		t.Fatal(err)
	}
	config := lookalike.Config{
		Info: drm.DriverInfo{Name: "old"}, Bus: lookalike.Bus{Type: "platform"}, Caps: lookalike.Caps{NoAtomic: true},
		Limits:   kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
		Planes:   []lookalike.Plane{{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888}}},
		CRTCs:    []lookalike.CRTC{{}},
		Encoders: []lookalike.Encoder{{PossibleCRTCs: 1}},
		Connectors: []lookalike.Connector{{
			Type: uapi.ModeConnectorHDMIA, PossibleEncoders: []int{0}, Monitor: &kms.Monitor{Modes: []mode.Mode{timing}},
		}},
	}
	config.LegacyPlanes()
	class := drm.NewClass(drm.ClassOptions{Logger: drmtest.NoReports(t)})
	drmtest.Bind(t, bus.New("platform"), "old", lookalike.NewDriver(class, config).BusDriver())
	node := class.Minors()[0]
	client := kmsclient.New(drmtest.Open(t, node).Process())
	if err := client.SetClientCap(uapi.ClientCapUniversalPlanes, 1); err != nil {
		t.Fatal(err)
	}
	if planes, err := client.Planes(); err != nil || len(planes) != 1 {
		t.Errorf("planes %v, %v; want one", planes, err)
	}
	display, err := client.Display()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := client.NewFB(640, 480, 32, uapi.FormatXRGB8888)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetCRTC(display, screen, display.Mode); err != nil {
		t.Fatal(err)
	}
	white, err := client.NewBuffer(64, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range white.Pixels {
		white.Pixels[i] = 0xff
	}
	card, _ := drm.PartOf[*kms.ModeConfig](node.Device())
	for _, tc := range []struct {
		handle uint32
		want   byte
	}{{white.Handle, 0xff}, {0, 0}} {
		if err := kmsclient.Ioctl(client, uapi.IoctlModeCursor, &uapi.ModeCursor{
			CRTCID: display.CRTC, Flags: uapi.ModeCursorBO | uapi.ModeCursorMove, X: 100, Y: 50, Width: 64, Height: 64, Handle: tc.handle,
		}); err != nil {
			t.Fatal(err)
		}
		picture, err := card.Screenshot(card.CRTCs()[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := picture.NRGBAAt(110, 60).G; got != tc.want || picture.NRGBAAt(90, 60).G != 0 {
			t.Errorf("cursor %d: the picture has %#x below it", tc.handle, got)
		}
	}
}
