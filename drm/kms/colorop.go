package kms

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/udrm/udrm/drm/internal/compose"
	"github.com/udrm/udrm/drm/uapi"
)

// A ColoropType is a kind of operation on colours (enum drm_colorop_type).
type ColoropType uint32

const (
	Colorop1DCurve ColoropType = iota
	Colorop1DLUT
	ColoropCTM3x4
	ColoropMultiplier
	Colorop3DLUT
)

var coloropTypes = []string{"1D Curve", "1D LUT", "3x4 Matrix", "Multiplier", "3D LUT"}

// The curves of a [Colorop1DCurve] (enum drm_colorop_curve_1d_type).
const (
	CurveSRGBEOTF = iota
	CurveSRGBInverseEOTF
	CurvePQ125EOTF
	CurvePQ125InverseEOTF
	CurveBT2020InverseOETF
	CurveBT2020OETF
	CurveGamma22
	CurveGamma22Inverse
)

var curveNames = []string{
	"sRGB EOTF", "sRGB Inverse EOTF", "PQ 125 EOTF", "PQ 125 Inverse EOTF",
	"BT.2020 Inverse OETF", "BT.2020 OETF", "Gamma 2.2", "Gamma 2.2 Inverse",
}

var curves = []compose.Curve{
	compose.SRGBToLinear, compose.SRGBFromLinear, compose.PQToLinear, compose.PQFromLinear,
	compose.BT2020ToLinear, compose.BT2020FromLinear, compose.Gamma22, compose.Gamma22Inverse,
}

// A ColoropConfig describes an operation of a colour pipeline.
type ColoropConfig struct {
	Type     ColoropType
	Curves   uint32 // of a 1D curve: a bit for each, 1<<CurveSRGBEOTF and so on
	Size     uint32 // of a LUT: entries, for a 3D LUT each way
	NoBypass bool   // clients cannot switch the operation off
}

// A Colorop is one operation of a colour pipeline of a plane: struct
// drm_colorop.
type Colorop struct {
	objectBase
	index  int
	plane  *Plane
	config ColoropConfig
	next   *Colorop // or nil

	properties propertyList

	// Depending on the type, nil.
	bypass, curve, data, multiplier *Property
}

// maxLUTSize bounds the entries of a table, so that its blob can be made.
const maxLUTSize = maxBlobSize / lut32Size

// CreateColorPipelines offers colour pipelines, each a chain of operations on
// the colours of the plane's pixels before it is blended
// (drm_plane_create_color_pipeline_property). The driver must offer
// [drm.FeatureColorPipeline]: clients see them with
// DRM_CLIENT_CAP_PLANE_COLOR_PIPELINE, and then not COLOR_ENCODING and
// COLOR_RANGE. The plane begins without a pipeline, and each operation switched
// off.
func (p *Plane) CreateColorPipelines(pipelines ...[]ColoropConfig) {
	values := []PropertyEnum{{0, "Bypass"}}
	for _, configs := range pipelines {
		var last *Colorop
		for i, config := range configs {
			o := p.addColorop(config)
			if i == 0 {
				values = append(values, PropertyEnum{uint64(o.id), fmt.Sprintf("Color Pipeline %d", o.id)})
			} else {
				last.next = o
			}
			last = o
		}
	}
	p.colorPipeline = p.display.CreateEnumProperty("COLOR_PIPELINE", uapi.ModePropAtomic, values...)
	p.display.AttachProperty(p, p.colorPipeline, PropertyConfig{})
}

func (p *Plane) addColorop(config ColoropConfig) *Colorop {
	m := p.display
	m.checkNotInUse()
	o := &Colorop{index: len(m.colorops), plane: p, config: config}
	m.objects.add(&o.objectBase, o)
	m.colorops = append(m.colorops, o)
	const atomic, immutable = uapi.ModePropAtomic, uapi.ModePropImmutable
	o.properties.attach(m.CreateEnumProperty("TYPE", immutable, enums(coloropTypes...)...), uint64(config.Type))
	if !config.NoBypass {
		o.bypass = m.CreateBoolProperty("BYPASS", atomic)
		m.AttachProperty(o, o.bypass, PropertyConfig{Initial: 1})
	}
	o.properties.attach(m.CreateObjectProperty("NEXT", immutable|atomic, uapi.ModeObjectColorop), 0)
	switch config.Type {
	case Colorop1DCurve:
		supported := numbered(curveNames, config.Curves)
		o.curve = m.CreateEnumProperty("CURVE_1D_TYPE", atomic, supported...)
		m.AttachProperty(o, o.curve, PropertyConfig{Initial: supported[0].Value})
	case Colorop1DLUT:
		o.attachTable("LUT1D_INTERPOLATION", "Linear", config.Size)
	case ColoropCTM3x4:
		o.attachData(ctm3x4Size)
	case ColoropMultiplier:
		o.multiplier = m.CreateRangeProperty("MULTIPLIER", atomic, 0, math.MaxUint64)
		m.AttachProperty(o, o.multiplier, PropertyConfig{})
	case Colorop3DLUT:
		o.attachTable("LUT3D_INTERPOLATION", "Tetrahedral", config.Size*config.Size*config.Size)
	default:
		panic(fmt.Sprintf("kms: unknown type %d of a colour operation", config.Type))
	}
	return o
}

// attachTable adds the properties of a LUT with that many entries.
func (o *Colorop) attachTable(interpolation, how string, entries uint32) {
	if entries == 0 || entries > maxLUTSize {
		panic(fmt.Sprintf("kms: a colour table of %d entries (limit %d)", entries, maxLUTSize))
	}
	m := o.plane.display
	o.properties.attach(m.CreateRangeProperty("SIZE", uapi.ModePropImmutable|uapi.ModePropAtomic, 0, math.MaxUint32), uint64(o.config.Size))
	m.AttachProperty(o, m.CreateEnumProperty(interpolation, 0, enums(how)...), PropertyConfig{})
	o.attachData(int(entries) * lut32Size)
}

// attachData adds DATA, a blob of that many bytes.
func (o *Colorop) attachData(size int) {
	m := o.plane.display
	o.data = m.CreateBlobProperty("DATA", uapi.ModePropAtomic)
	m.AttachProperty(o, o.data, PropertyConfig{Set: sizedBlob(size)})
}

// sizedBlob returns a function for [PropertyConfig.Set] that accepts blobs of
// that many bytes, and none.
func sizedBlob(size int) func(a *AtomicState, value uint64) (uint64, error) {
	return func(a *AtomicState, value uint64) (uint64, error) {
		if value == 0 {
			return 0, nil
		}
		blob, err := a.m.findBlob(uint32(value))
		if err != nil {
			return 0, err
		}
		defer a.m.objects.put(blob)
		if len(blob.data) != size {
			return 0, invalid("%d bytes, want %d", len(blob.data), size)
		}
		return value, nil
	}
}

func (*Colorop) objectType() uint32 { return uapi.ModeObjectColorop }

func (o *Colorop) props() *propertyList             { return &o.properties }
func (o *Colorop) values(s *State) *[]propertyValue { return &s.colorops[o.index] }
func (o *Colorop) touch(a *AtomicState)             { a.plane(o.plane) }

// get returns NEXT, or a property that never changes.
func (o *Colorop) get(_ *standardProperties, _ *State, property *Property) uint64 {
	if property.name == "NEXT" {
		return optionalID(o.next)
	}
	return o.properties.value(property)
}

func (o *Colorop) set(_ *standardProperties, _ *AtomicState, property *Property, _ uint64, _ object) error {
	return readOnly(o, property)
}

// The sizes of struct drm_color_ctm_3x4 and struct drm_color_lut32.
const (
	ctm3x4Size = 96
	lut32Size  = 16
)

// colors returns the operations of the plane's pipeline in the state.
func (p *Plane) colors(s *State) (ops compose.Color) {
	if p.colorPipeline == nil {
		return nil
	}
	for o := p.pipeline(s); o != nil; o = o.next {
		if o.bypass != nil && s.Property(o, o.bypass) != 0 {
			continue
		}
		if op := o.op(s); op != nil {
			ops = append(ops, op)
		}
	}
	return ops
}

// pipelineID returns the id of the first operation of the plane's pipeline, or 0.
func (p *Plane) pipelineID(s *State) uint64 {
	if p.colorPipeline == nil {
		return 0
	}
	return s.Property(p, p.colorPipeline)
}

// pipeline returns the first operation of the plane's pipeline, or nil.
func (p *Plane) pipeline(s *State) *Colorop {
	id := s.Property(p, p.colorPipeline)
	for _, o := range p.display.colorops {
		if uint64(o.id) == id {
			return o
		}
	}
	return nil
}

// op returns the operation, or nil if it has no data.
func (o *Colorop) op(s *State) compose.Op {
	var data []byte
	if o.data != nil {
		blob := s.PropertyBlob(o, o.data)
		if blob == nil {
			return nil
		}
		data = blob.data
	}
	switch o.config.Type {
	case Colorop1DCurve:
		return curves[s.Property(o, o.curve)]
	case ColoropMultiplier:
		return compose.Multiplier(compose.Signed(s.Property(o, o.multiplier)))
	case ColoropCTM3x4:
		m := new(compose.Matrix)
		for i := range 12 {
			m[i/4][i%4] = compose.Signed(binary.NativeEndian.Uint64(data[8*i:]))
		}
		return m
	case Colorop1DLUT:
		return compose.LUT(table(data))
	default:
		return &compose.LUT3D{Size: int(o.config.Size), Entries: table(data)}
	}
}

// table reads an array of struct drm_color_lut32.
func table(data []byte) (entries [][3]float64) {
	for ; len(data) >= lut32Size; data = data[lut32Size:] {
		var e [3]float64
		for i := range e {
			e[i] = float64(binary.NativeEndian.Uint32(data[4*i:])) / math.MaxUint32
		}
		entries = append(entries, e)
	}
	return entries
}
