package kms_test

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A display whose overlay plane can be enlarged to the double, and lies above or
// below the primary plane, as clients choose.
func ExampleModeConfig_AddPlane() {
	m := kms.New(kms.Config{Buffers: gem.New(), Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096}})
	formats := []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888}
	primary := m.AddPlane(kms.PlaneConfig{Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Formats: formats})
	primary.CreateZposProperty(1, 1, 1)
	overlay := m.AddPlane(kms.PlaneConfig{
		Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Formats: formats, MinScale: kms.NoScaling / 2,
	})
	overlay.CreateZposProperty(2, 0, 2)
	overlay.CreateAlphaProperty()
	m.AddCRTC(kms.CRTCConfig{Primary: primary})
	connector := m.AddConnector(kms.ConnectorConfig{
		Type: uapi.ModeConnectorHDMIA, Monitor: &kms.Monitor{Modes: mode.WithoutEDID(1920, 1080)},
	})
	connector.AttachEncoder(m.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderTMDS, PossibleCRTCs: 1}))
	fmt.Println(len(m.Planes()), "planes,", connector.Name())
	// Output: 2 planes, HDMI-A-1
}

// A driver with a property of its own, which it refuses to combine with a CRTC
// that is off.
func ExampleModeConfig_AttachProperty() {
	buffers := gem.New()
	m := kms.New(kms.Config{Buffers: buffers})
	crtc := m.AddCRTC(kms.CRTCConfig{Primary: m.AddPlane(kms.PlaneConfig{PossibleCRTCs: 1})})
	night := m.CreateBoolProperty("night mode", 0)
	m.AttachProperty(crtc, night, kms.PropertyConfig{
		Check: func(a *kms.AtomicState) error {
			if a.New().Property(crtc, night) != 0 && !a.New().CRTC(crtc).Active {
				return fmt.Errorf("night mode of a CRTC that is off: %w", unix.EINVAL)
			}
			return nil
		},
	})

	driver := &drmtest.Driver{
		Class: drm.NewClass(drm.ClassOptions{}), Parts: []drm.Part{m, buffers},
		Offers: drm.FeatureGEM | drm.FeatureModeset | drm.FeatureAtomic,
	}
	parent, _ := bus.New("platform").Add("example")
	if err := parent.Bind(driver.BusDriver()); err != nil {
		fmt.Println(err)
		return
	}
	defer parent.Remove(context.Background())
	client, err := drmtest.OpenAs(driver.Device.Primary(), drmtest.Self())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.File.Close()
	fmt.Println(drmtest.Ioctl(client, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{
		ObjID: crtc.ID(), ObjType: uapi.ModeObjectCRTC, PropID: night.ID(), Value: 1,
	}))
	// Output: kms: property night mode of object 33: night mode of a CRTC that is off: invalid argument
}
