package trace

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

type property struct {
	kms.PropertyInfo
	fixed bool // 16.16 fixed point
}

// property returns the property of that id, or nil.
func (d *decoder) property(id uint32) *property {
	if p, ok := d.properties[id]; ok {
		return p
	}
	if d.config == nil {
		return nil
	}
	info, ok := d.config.PropertyInfo(id)
	if !ok {
		return nil
	}
	p := &property{info, strings.HasPrefix(info.Name, "SRC_")}
	d.properties[id] = p
	return p
}

// atomic writes the settings of MODE_ATOMIC, in the order of the request.
func (d *decoder) atomic(w *writer, a *argument) {
	objects, counts := a.arrays[atomicObjects].data, a.arrays[atomicCounts].data
	ids, values := &a.arrays[atomicProperties], a.arrays[atomicValues].data
	rest := ids.data
	w.key("properties")
	w.open('[')
	for ; len(objects) >= 4 && len(counts) >= 4; objects, counts = objects[4:], counts[4:] {
		object := binary.NativeEndian.Uint32(objects)
		for range min(binary.NativeEndian.Uint32(counts), uint32(len(rest)/4)) {
			if len(values) < 8 {
				break
			}
			w.open('{')
			d.object(w, object)
			d.setting(w, binary.NativeEndian.Uint32(rest), binary.NativeEndian.Uint64(values))
			w.close('}')
			rest, values = rest[4:], values[8:]
		}
	}
	w.cut(ids, 4)
	w.close(']')
}

// object writes which object a setting is for: {"plane":31, …}.
func (d *decoder) object(w *writer, id uint32) {
	name := "object"
	if d.config != nil {
		if known, ok := objectNames[d.config.ObjectType(id)]; ok && known != "any" {
			name = known
		}
	}
	w.key(name)
	w.uint(uint64(id))
}

// setting writes a property and its value.
func (d *decoder) setting(w *writer, id uint32, value uint64) {
	p := d.property(id)
	w.name(`"property":`)
	if p == nil {
		w.uint(uint64(id))
		w.name(`"value":`)
		w.uint(value)
		return
	}
	w.string(p.Name)
	w.name(`"value":`)
	d.propertyValue(w, p, value)
}

func (d *decoder) propertyList(w *writer, ids, values *capture) {
	w.key("properties")
	w.open('[')
	for i := 0; len(ids.data) >= 4*(i+1) && len(values.data) >= 8*(i+1); i++ {
		w.open('{')
		d.setting(w, uint32(number(ids.data, 4*i, 4)), number(values.data, 8*i, 8))
		w.close('}')
	}
	w.cut(ids, 4)
	w.close(']')
}

// propertyValue writes a value by the type of its property. Ids of objects and
// blobs are objects with the type as key, so that programs can tell them from
// other numbers.
func (d *decoder) propertyValue(w *writer, p *property, v uint64) {
	has := func(kind uint32) bool { return p.Flags&kind != 0 }
	switch extended := p.Flags & uapi.ModePropExtendedType; {
	case extended == uapi.ModePropObject && len(p.Values) == 1:
		w.reference(objectNames[uint32(p.Values[0])], v, "")
	case extended == uapi.ModePropSignedRange:
		w.int(int64(v))
	case has(uapi.ModePropBlob):
		w.reference("blob", v, d.modes[uint32(v)])
	case has(uapi.ModePropEnum):
		for i, value := range p.Values {
			if value == v && i < len(p.Enums) {
				w.string(p.Enums[i])
				return
			}
		}
		w.uint(v)
	case has(uapi.ModePropBitmask):
		var names nameSet
		for i, bit := range p.Values {
			if i < len(p.Enums) && bit < 64 {
				names = append(names, uapi.Constant{Name: p.Enums[i], Value: 1 << bit})
			}
		}
		w.flags(names, v)
	case p.fixed && v <= math.MaxUint32:
		w.float(float64(v) / (1 << 16))
	case strings.HasSuffix(p.Name, "_PTR"):
		w.hex(v)
	default:
		w.uint(v)
	}
}

func (w *writer) reference(kind string, id uint64, mode string) {
	if kind == "" {
		kind = "object"
	}
	w.open('{')
	w.key(kind)
	w.uint(id)
	if mode != "" {
		w.key("mode")
		w.string(mode)
	}
	w.close('}')
}
