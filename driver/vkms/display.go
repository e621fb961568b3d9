package vkms

import (
	"cmp"
	"errors"
	"slices"

	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// The limits of the kernel's vkms.
const (
	MaxSize       = 8192 // of modes and framebuffers, in each direction
	gammaSize     = 256
	overlayPlanes = 8
)

var limits = kms.Limits{
	MinWidth: 10, MaxWidth: MaxSize,
	MinHeight: 10, MaxHeight: MaxSize,
	CursorWidth: 512, CursorHeight: 512,
}

// oldFormats are those of Linux 6.12, for planes and writeback.
var oldFormats = []uint32{
	uapi.FormatARGB8888,
	uapi.FormatXRGB8888,
	uapi.FormatXRGB16161616,
	uapi.FormatARGB16161616,
	uapi.FormatRGB565,
}

var planeFormats = []uint32{
	uapi.FormatARGB8888, uapi.FormatABGR8888, uapi.FormatBGRA8888, uapi.FormatRGBA8888, uapi.FormatXRGB8888, uapi.FormatXBGR8888,
	uapi.FormatRGB888, uapi.FormatBGR888,
	uapi.FormatXRGB16161616, uapi.FormatXBGR16161616, uapi.FormatARGB16161616, uapi.FormatABGR16161616,
	uapi.FormatRGB565, uapi.FormatBGR565,
	uapi.FormatNV12, uapi.FormatNV16, uapi.FormatNV24, uapi.FormatNV21, uapi.FormatNV61, uapi.FormatNV42,
	uapi.FormatYUV420, uapi.FormatYUV422, uapi.FormatYUV444, uapi.FormatYVU420, uapi.FormatYVU422, uapi.FormatYVU444,
	uapi.FormatP010, uapi.FormatP012, uapi.FormatP016,
	uapi.FormatR1, uapi.FormatR2, uapi.FormatR4, uapi.FormatR8,
}

var writebackFormats = []uint32{
	uapi.FormatARGB8888,
	uapi.FormatXRGB8888,
	uapi.FormatABGR8888,
	uapi.FormatXRGB16161616,
	uapi.FormatARGB16161616,
	uapi.FormatRGB565,
}

// with returns the formats and those of more that are not among them.
func with(formats, more []uint32) []uint32 {
	formats = slices.Clone(formats)
	for _, f := range more {
		if !slices.Contains(formats, f) {
			formats = append(formats, f)
		}
	}
	return formats
}

// The values of COLOR_ENCODING and COLOR_RANGE that planes with YUV formats
// have.
const (
	allEncodings = 1<<kms.ColorBT601 | 1<<kms.ColorBT709 | 1<<kms.ColorBT2020
	allRanges    = 1<<kms.ColorLimitedRange | 1<<kms.ColorFullRange
)

func isYUV(format uint32) bool {
	f := fourcc.Lookup(format)
	return f != nil && f.YUV
}

// Pipeline returns the colour pipeline of a plane.
func Pipeline() []kms.ColoropConfig {
	const curves = 1<<kms.CurveSRGBEOTF | 1<<kms.CurveSRGBInverseEOTF
	return []kms.ColoropConfig{
		{Type: kms.Colorop1DCurve, Curves: curves}, {Type: kms.ColoropCTM3x4}, {Type: kms.ColoropCTM3x4}, {Type: kms.Colorop1DCurve, Curves: curves},
	}
}

// A display has the objects of a device.
type display struct {
	*Config
	topology *Topology
	hardware hardware
	config   *kms.ModeConfig

	connectors []*kms.Connector // of the topology
}

// newDisplay makes the objects of the display, in the order of the kernel's
// default device. Clients see the order, and the ids follow from it.
func newDisplay(config *Config, buffers *gem.Manager) (*display, error) {
	t := config.topology()
	if err := errors.Join(config.Check(), t.Validate()); err != nil {
		return nil, err
	}
	d := &display{Config: config, topology: t}
	d.config = kms.New(kms.Config{
		Driver: d.hardware.driver(), Buffers: buffers, Limits: limits, Clock: config.Clock, Kernel: cmp.Or(config.Kernel, DefaultKernel), Console: config.Console,
	})
	d.addPlanes()
	for i := range d.hardware.pipes {
		p := &d.hardware.pipes[i]
		p.crtc = d.config.AddCRTC(kms.CRTCConfig{Primary: p.primary, Cursor: p.cursor, GammaSize: gammaSize})
		if !config.old() {
			p.crtc.AttachBackgroundColorProperty()
			d.addWriteback(i)
		}
	}
	if config.old() {
		d.addConnectors()
		d.attach(d.addEncoders())
		for i := range d.hardware.pipes {
			d.addWriteback(i)
		}
		return d, nil
	}
	encoders := d.addEncoders()
	d.addConnectors()
	d.attach(encoders)
	return d, nil
}

func (d *display) addPlanes() {
	formats := with(planeFormats, d.Formats)
	colorRange := kms.ColorFullRange
	if d.old() {
		formats = with(oldFormats, d.Formats)
		colorRange = kms.ColorLimitedRange
	}
	d.hardware.pipes = make([]pipe, len(d.topology.CRTCs))
	for _, p := range d.topology.Planes {
		plane := d.config.AddPlane(kms.PlaneConfig{
			Type: p.Type, PossibleCRTCs: p.PossibleCRTCs, Formats: formats, Modifiers: []uint64{uapi.FormatModLinear},
		})
		plane.CreateRotationProperty(uapi.ModeRotateMask | uapi.ModeReflectMask)
		if slices.ContainsFunc(formats, isYUV) {
			plane.CreateColorProperties(allEncodings, allRanges, kms.ColorBT601, colorRange)
		}
		if d.PlanePipeline {
			plane.CreateColorPipelines(Pipeline())
		}
		for i := range d.hardware.pipes {
			switch pipe := &d.hardware.pipes[i]; {
			case p.PossibleCRTCs&(1<<i) == 0:
			case p.Type == uapi.PlaneTypePrimary:
				pipe.primary = plane
			case p.Type == uapi.PlaneTypeCursor:
				pipe.cursor = plane
			}
		}
	}
}

func (d *display) addConnectors() {
	for _, c := range d.topology.Connectors {
		d.connectors = append(d.connectors, d.config.AddConnector(kms.ConnectorConfig{
			Type: cmp.Or(c.Type, uapi.ModeConnectorVirtual), Connection: c.Status, Monitor: c.monitor(),
		}))
	}
}

func (d *display) addEncoders() (encoders []*kms.Encoder) {
	for i, e := range d.topology.Encoders {
		encoders = append(encoders, d.config.AddEncoder(kms.EncoderConfig{
			Type: uapi.ModeEncoderVirtual, PossibleCRTCs: e.PossibleCRTCs, PossibleClones: d.clones(i),
		}))
	}
	return encoders
}

// attach attaches the encoders to the connectors.
func (d *display) attach(encoders []*kms.Encoder) {
	for j, c := range d.topology.Connectors {
		for i, e := range encoders {
			if c.PossibleEncoders&(1<<i) != 0 {
				d.connectors[j].AttachEncoder(e)
			}
		}
	}
}

// addWriteback adds the writeback connector of a CRTC, if it has one.
func (d *display) addWriteback(crtc int) {
	if !d.topology.CRTCs[crtc].Writeback {
		return
	}
	formats := writebackFormats
	if d.old() {
		formats = oldFormats
	}
	encoder := d.config.AddEncoder(kms.EncoderConfig{
		Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1 << crtc, PossibleClones: d.writebackClones(crtc),
	})
	writeback := d.config.AddConnector(kms.ConnectorConfig{
		Type: uapi.ModeConnectorWriteback, Monitor: &kms.Monitor{Modes: modes(false)}, WritebackFormats: with(formats, d.Formats),
	})
	writeback.AttachEncoder(encoder)
}

// clones returns the encoders that can show the same as an encoder: the
// writebacks of its CRTCs, which are the first encoders. Linux 6.12 has none.
func (d *display) clones(encoder int) (mask uint32) {
	if d.old() {
		return 0
	}
	writeback := 0
	for i, c := range d.topology.CRTCs {
		if c.Writeback {
			mask |= d.topology.Encoders[encoder].PossibleCRTCs >> i & 1 << writeback
			writeback++
		}
	}
	return mask
}

// writebackClones is clones for the writeback of a CRTC.
func (d *display) writebackClones(crtc int) (mask uint32) {
	if d.old() {
		return 0
	}
	writebacks := 0
	for _, c := range d.topology.CRTCs {
		if c.Writeback {
			writebacks++
		}
	}
	for i, e := range d.topology.Encoders {
		mask |= e.PossibleCRTCs >> crtc & 1 << (writebacks + i)
	}
	return mask
}
