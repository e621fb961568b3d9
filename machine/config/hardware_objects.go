package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm/fourcc"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// The defaults of objects.
var (
	planeFormats  = []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888, uapi.FormatRGB565}
	cursorFormats = []uint32{uapi.FormatARGB8888}
)

const defaultGamma = 256

// maxScale limits the attributes enlarge and shrink.
const maxScale = 1 << 10

// hardwarePlane returns the attributes of the plane with that index beyond those
// of the kernel's vkms.
func (t *topologyReader) hardwarePlane(index int) fields {
	plane := func(n *yaml.Node, path string) *lookalike.Plane {
		t.hardware.note(n, path)
		return extra(t.hardware.planes, index)
	}
	return fields{
		"formats":   func(n *yaml.Node, path string) { t.formats(n, path, &plane(n, path).Formats) },
		"modifiers": func(n *yaml.Node, path string) { plane(n, path).Modifiers = t.modifiers(n, path) },
		"enlarge": func(n *yaml.Node, path string) {
			factor := 1
			t.int(n, path, &factor, 1, maxScale)
			plane(n, path).MinScale = kms.NoScaling / uint32(factor)
		},
		"shrink": func(n *yaml.Node, path string) {
			factor := 1
			t.int(n, path, &factor, 1, maxScale)
			plane(n, path).MaxScale = kms.NoScaling * uint32(factor)
		},
		"must_cover":    func(n *yaml.Node, path string) { t.bool(n, path, &plane(n, path).MustCover) },
		"async_formats": func(n *yaml.Node, path string) { t.formats(n, path, &plane(n, path).AsyncFormats) },
		"async_modifiers": func(n *yaml.Node, path string) {
			for _, m := range t.modifiers(n, path) {
				if m.Formats != nil {
					t.fail(n, path, "async_modifiers is a list; name the formats in async_formats")
				}
				plane(n, path).AsyncModifiers = append(plane(n, path).AsyncModifiers, m.Modifier)
			}
		},
		"size_hints": func(n *yaml.Node, path string) { t.sizes(n, path, &plane(n, path).SizeHints) },
		"pipelines":  func(n *yaml.Node, path string) { plane(n, path).Pipelines = t.pipelines(n, path) },
		"properties": func(n *yaml.Node, path string) {
			plane(n, path).Properties = t.properties(n, path, planeProperties)
		},
	}
}

// modifiers reads layouts: by name or number, each for all formats of the plane,
// or in a mapping for some.
func (r *reader) modifiers(n *yaml.Node, path string) (list []lookalike.Modifier) {
	add := func(n *yaml.Node, path, text string, formats []uint32) {
		for _, c := range modifierNames {
			if c.word == text {
				list = append(list, lookalike.Modifier{Modifier: c.value, Formats: formats})
				return
			}
		}
		var modifier uint64
		if text == "" || text[0] < '0' || text[0] > '9' {
			r.fail(n, path, "%q is not a modifier; %s", text, suggest(text, append(modifierNames.words(), "a number such as 0x100000000000001")))
			return
		}
		r.number(&yaml.Node{Kind: yaml.ScalarNode, Value: text, Line: n.Line}, path, &modifier, 1<<64-1)
		list = append(list, lookalike.Modifier{Modifier: modifier, Formats: formats})
	}
	if v := resolved(n); v.Kind == yaml.MappingNode {
		for _, e := range r.entries(n, path) {
			var formats []uint32
			r.formats(e.value, e.path, &formats)
			add(e.key, e.path, e.name, formats)
		}
		return list
	}
	for _, item := range r.items(n, path) {
		add(item, path, item.Value, nil)
	}
	return list
}

// modifierNames are modifiers with a word of their own.
var modifierNames = choices[uint64]{
	{"linear", uapi.FormatModLinear},
	{"x-tiled", fourcc.ModI915XTiled},
	{"vivante-tiled", fourcc.ModVivanteTiled},
}

// hardwareCRTC is hardwarePlane for a CRTC.
func (t *topologyReader) hardwareCRTC(index int) fields {
	crtc := func(n *yaml.Node, path string) *lookalike.CRTC {
		t.hardware.note(n, path)
		c := extra(t.hardware.crtcs, index)
		return c
	}
	table := func(size func(c *lookalike.CRTC) *int) func(*yaml.Node, string) {
		return func(n *yaml.Node, path string) {
			entries := 0
			t.int(n, path, &entries, 0, 1<<16)
			*size(crtc(n, path)) = tableSize(entries)
		}
	}
	return fields{
		"gamma":   table(func(c *lookalike.CRTC) *int { return &c.GammaSize }),
		"lut":     table(func(c *lookalike.CRTC) *int { return &c.LUTSize }),
		"degamma": table(func(c *lookalike.CRTC) *int { return &c.DegammaSize }),
		"ctm":     func(n *yaml.Node, path string) { t.bool(n, path, &crtc(n, path).CTM) },
		"properties": func(n *yaml.Node, path string) {
			crtc(n, path).Properties = t.properties(n, path, crtcProperties)
		},
	}
}

// A table that is given as absent has noTable entries until the defaults are
// known.
const noTable = -1

func tableSize(entries int) int {
	if entries == 0 {
		return noTable
	}
	return entries
}

// encoderTypes are the types of encoders by their names in the kernel.
var encoderTypes = choices[uint32]{
	{"None", uapi.ModeEncoderNone}, {"DAC", uapi.ModeEncoderDAC}, {"TMDS", uapi.ModeEncoderTMDS}, {"LVDS", uapi.ModeEncoderLVDS},
	{"TV", uapi.ModeEncoderTVDAC}, {"Virtual", uapi.ModeEncoderVirtual}, {"DSI", uapi.ModeEncoderDSI}, {"DP MST", uapi.ModeEncoderDPMST},
	{"DPI", uapi.ModeEncoderDPI},
}

// hardwareEncoder is hardwarePlane for an encoder.
func (t *topologyReader) hardwareEncoder(index int, encoders *names) fields {
	encoder := func(n *yaml.Node, path string) *lookalike.Encoder {
		t.hardware.note(n, path)
		return extra(t.hardware.encoders, index)
	}
	return fields{
		"type": func(n *yaml.Node, path string) { choose(t.reader, n, path, &encoder(n, path).Type, encoderTypes) },
		"possible_clones": func(n *yaml.Node, path string) {
			encoder(n, path).PossibleClones = t.mask(n, path, "encoder", encoders)
		},
	}
}

// subpixels are the orders of the colours in a pixel (enum subpixel_order).
var subpixels = choices[uint32]{
	{"unknown", 0}, {"horizontal-rgb", 1}, {"horizontal-bgr", 2}, {"vertical-rgb", 3}, {"vertical-bgr", 4}, {"none", 5},
}

// A modeKind is a special kind of modes.
type modeKind struct {
	flags    uint32
	ycbcr420 bool // those that need YCbCr 4:2:0, which have no flag
}

var modeKinds = choices[modeKind]{
	{"interlace", modeKind{flags: uapi.ModeFlagInterlace}}, {"doublescan", modeKind{flags: uapi.ModeFlagDblscan}},
	{"3d", modeKind{flags: uapi.ModeFlag3DMask}}, {"ycbcr420", modeKind{ycbcr420: true}},
}

// hardwareConnector is hardwarePlane for a connector.
func (t *topologyReader) hardwareConnector(index int) fields {
	connector := func(n *yaml.Node, path string) *lookalike.Connector {
		t.hardware.note(n, path)
		return extra(t.hardware.connectors, index)
	}
	return fields{
		"subpixel": func(n *yaml.Node, path string) {
			choose(t.reader, n, path, &connector(n, path).Subpixel, subpixels)
		},
		"allow": func(n *yaml.Node, path string) {
			for _, item := range t.items(n, path) {
				var kind modeKind
				choose(t.reader, item, path, &kind, modeKinds)
				c := connector(n, path)
				c.ModeFlags |= kind.flags
				c.YCbCr420 = c.YCbCr420 || kind.ycbcr420
			}
		},
		"properties": func(n *yaml.Node, path string) {
			connector(n, path).Properties = t.properties(n, path, connectorProperties)
		},
	}
}

// objects makes the objects of the card.
func (h *hardware) objects(t *vkms.Topology, formats []uint32) {
	c := &h.config
	for i, p := range t.Planes {
		plane := lookalike.Plane{}
		if given := h.planes[i]; given != nil {
			plane = *given
		}
		plane.Name, plane.Type, plane.PossibleCRTCs = p.Name, p.Type, p.PossibleCRTCs
		if plane.Formats == nil {
			plane.Formats = append(plane.Formats, planeFormats...)
			if p.Type == uapi.PlaneTypeCursor {
				plane.Formats = append([]uint32(nil), cursorFormats...)
			}
			plane.Formats = append(plane.Formats, formats...)
		}
		if plane.Modifiers == nil && !c.Limits.NoModifiers {
			plane.Modifiers = []lookalike.Modifier{{Modifier: uapi.FormatModLinear}}
		}
		c.Planes = append(c.Planes, plane)
	}
	for i, v := range t.CRTCs {
		crtc := lookalike.CRTC{}
		if given := h.crtcs[i]; given != nil {
			crtc = *given
		}
		crtc.Name = v.Name
		crtc.GammaSize = size(crtc.GammaSize, defaultGamma)
		crtc.LUTSize, crtc.DegammaSize = size(crtc.LUTSize, crtc.GammaSize), size(crtc.DegammaSize, 0)
		c.CRTCs = append(c.CRTCs, crtc)
	}
	for i, v := range t.Connectors {
		connector := lookalike.Connector{}
		if given := h.connectors[i]; given != nil {
			connector = *given
		}
		connector.Name, connector.Type, connector.Status, connector.Monitor = v.Name, v.Type, v.Status, v.Monitor
		if connector.Type == 0 {
			connector.Type = uapi.ModeConnectorVirtual
		}
		for e := range t.Encoders {
			if v.PossibleEncoders&(1<<e) != 0 {
				connector.PossibleEncoders = append(connector.PossibleEncoders, e)
			}
		}
		c.Connectors = append(c.Connectors, connector)
	}
	for i, v := range t.Encoders {
		encoder := lookalike.Encoder{Type: h.encoderType(i)}
		if given := h.encoders[i]; given != nil {
			encoder.PossibleClones = given.PossibleClones
			if given.Type != 0 {
				encoder.Type = given.Type
			}
		}
		encoder.Name, encoder.PossibleCRTCs = v.Name, v.PossibleCRTCs
		c.Encoders = append(c.Encoders, encoder)
	}
	for i, v := range t.CRTCs {
		if !v.Writeback {
			continue
		}
		c.Connectors = append(c.Connectors, lookalike.Connector{
			Name: fmt.Sprintf("writeback%d", i), Type: uapi.ModeConnectorWriteback, PossibleEncoders: []int{len(c.Encoders)},
			Monitor:          &kms.Monitor{Modes: mode.WithoutEDID(int(c.Limits.MaxWidth), int(c.Limits.MaxHeight))},
			WritebackFormats: planeFormats,
		})
		c.Encoders = append(c.Encoders, lookalike.Encoder{Name: fmt.Sprintf("writeback%d", i), Type: uapi.ModeEncoderVirtual, PossibleCRTCs: 1 << i})
	}
	c.LegacyPlanes()
}

// size returns the size of a table, given what the file has.
func size(given, otherwise int) int {
	switch given {
	case noTable:
		return 0
	case 0:
		return otherwise
	}
	return given
}

// encoderType returns the usual type of an encoder: that for the connector that
// it feeds.
func (h *hardware) encoderType(encoder int) uint32 {
	for _, c := range h.config.Connectors {
		if len(c.PossibleEncoders) == 0 || c.PossibleEncoders[0] != encoder {
			continue
		}
		switch c.Type {
		case uapi.ModeConnectorVGA:
			return uapi.ModeEncoderDAC
		case uapi.ModeConnectorDVID, uapi.ModeConnectorDVII, uapi.ModeConnectorHDMIA, uapi.ModeConnectorHDMIB,
			uapi.ModeConnectorDisplayPort, uapi.ModeConnectorEDP:
			return uapi.ModeEncoderTMDS
		case uapi.ModeConnectorLVDS:
			return uapi.ModeEncoderLVDS
		case uapi.ModeConnectorDSI:
			return uapi.ModeEncoderDSI
		case uapi.ModeConnectorDPI:
			return uapi.ModeEncoderDPI
		case uapi.ModeConnectorTV, uapi.ModeConnectorComposite, uapi.ModeConnectorSVideo:
			return uapi.ModeEncoderTVDAC
		}
	}
	return uapi.ModeEncoderVirtual
}
