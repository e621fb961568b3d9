package lookalike_test

import (
	"fmt"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A card on PCI with one monitor.
func Example() {
	config := lookalike.Config{
		Info:       drm.DriverInfo{Name: "i915", Desc: "Intel Graphics", Date: "20230929", Major: 1, Minor: 6},
		Bus:        lookalike.Bus{Type: "pci", Vendor: 0x8086, Device: 0x3e92, BootVGA: true},
		Limits:     kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
		Planes:     []lookalike.Plane{{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888}}},
		CRTCs:      []lookalike.CRTC{{GammaSize: 256}},
		Encoders:   []lookalike.Encoder{{Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1}},
		Connectors: []lookalike.Connector{{Type: uapi.ModeConnectorDisplayPort, PossibleEncoders: []int{0}}},
	}
	config.LegacyPlanes()
	place := config.Bus.Place(config.Info.Name, 0)
	dev, err := bus.New(place.Bus).AddDescribed(place.Name, place.Description)
	if err == nil {
		class := drm.NewClass(drm.ClassOptions{})
		err = dev.Bind(lookalike.NewDriver(class, config).BusDriver())
	}
	fmt.Println(dev.Name(), dev.Driver(), err)
	// Output: 0000:00:02.0 i915 <nil>
}
