package panel

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

const (
	overlays = 2
	planes   = 1 + overlays + 1 // and primary and cursor
	maxScale = 4
)

// A display is the objects that clients see.
type display struct {
	config    *kms.ModeConfig
	overlays  [overlays]*kms.Plane
	crtc      *kms.CRTC
	connector *kms.Connector
	backlight *kms.Property
}

func newDisplay(buffers *gem.Manager, clock kms.Clock) *display {
	d := new(display)
	d.config = kms.New(kms.Config{
		Driver: kms.Driver{Check: d.check, Commit: d.commit}, Buffers: buffers, Clock: clock,
		Limits: kms.Limits{
			MinWidth: 1, MaxWidth: 4096, MinHeight: 1, MaxHeight: 4096, CursorWidth: 64, CursorHeight: 64,
			AsyncPageFlip: true,
		},
	})
	primary, cursor := d.addPlanes()
	d.crtc = d.config.AddCRTC(kms.CRTCConfig{Primary: primary, Cursor: cursor, GammaSize: 256})
	d.connector = d.config.AddConnector(kms.ConnectorConfig{
		Type:    uapi.ModeConnectorDPI,
		Monitor: &kms.Monitor{Modes: mode.WithoutEDID(1024, 768), WidthMM: 212, HeightMM: 159},
	})
	d.connector.AttachEncoder(d.config.AddEncoder(kms.EncoderConfig{Type: uapi.ModeEncoderDPI, PossibleCRTCs: 1}))

	d.backlight = d.config.CreateRangeProperty("backlight", 0, 0, 100)
	d.config.AttachProperty(d.connector, d.backlight, kms.PropertyConfig{Initial: 80, Check: d.checkBacklight})
	return d
}

// addPlanes adds the planes, from the bottom.
func (d *display) addPlanes() (primary, cursor *kms.Plane) {
	linear := []uint64{uapi.FormatModLinear}
	primary = d.config.AddPlane(kms.PlaneConfig{
		Type: uapi.PlaneTypePrimary, PossibleCRTCs: 1, Modifiers: linear,
		Formats: []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888, uapi.FormatRGB565},
	})
	primary.CreateZposProperty(0, 0, 0)
	for i := range d.overlays {
		o := d.config.AddPlane(kms.PlaneConfig{
			Type: uapi.PlaneTypeOverlay, PossibleCRTCs: 1, Modifiers: linear,
			Formats:  []uint32{uapi.FormatARGB8888, uapi.FormatXRGB8888, uapi.FormatNV12},
			MinScale: kms.NoScaling / maxScale, MaxScale: kms.NoScaling * maxScale,
		})
		o.CreateZposProperty(uint32(1+i), 1, overlays)
		o.CreateAlphaProperty()
		o.CreateBlendModeProperty(1<<kms.BlendPremultiplied | 1<<kms.BlendCoverage | 1<<kms.BlendPixelNone)
		o.CreateColorProperties(1<<kms.ColorBT601|1<<kms.ColorBT709, 1<<kms.ColorLimitedRange, kms.ColorBT709, kms.ColorLimitedRange)
		d.overlays[i] = o
	}
	cursor = d.config.AddPlane(kms.PlaneConfig{
		Type: uapi.PlaneTypeCursor, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatARGB8888},
	})
	cursor.CreateZposProperty(1+overlays, 1+overlays, 1+overlays)
	return primary, cursor
}

// check refuses a second overlay that scales: there is one scaler.
func (d *display) check(a *kms.AtomicState) error {
	scaled := 0
	for _, o := range d.overlays {
		s := a.New().Plane(o)
		if s.FB != nil && (s.SrcW != s.CRTCW<<16 || s.SrcH != s.CRTCH<<16) {
			scaled++
		}
	}
	if scaled > 1 {
		return fmt.Errorf("panel: %d overlays are scaled, but there is one scaler: %w", scaled, unix.ENOSPC)
	}
	return nil
}

// checkBacklight refuses to show a picture that cannot be seen.
func (d *display) checkBacklight(a *kms.AtomicState) error {
	if a.New().CRTC(d.crtc).Active && a.New().Property(d.connector, d.backlight) == 0 {
		return fmt.Errorf("panel: the backlight is off while CRTC %d is active: %w", d.crtc.ID(), unix.EINVAL)
	}
	return nil
}

// commit programs the registers. That it was given dev is the proof: they are
// there until it returns.
func (d *display) commit(dev *drm.RegisteredDevice, _, new *kms.State) error {
	r := drm.RegistrationData[*Registers](dev)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range d.config.Planes() {
		r.scanout[i] = 0
		if fb := new.Plane(p).FB; fb != nil {
			r.scanout[i] = fb.ID()
		}
	}
	r.backlight = 0
	if new.CRTC(d.crtc).Active {
		r.backlight = new.Property(d.connector, d.backlight)
	}
	return nil
}
