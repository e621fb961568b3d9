package trace

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// A decoder prints arguments by name. It keeps what it needs to know of one
// device.
type decoder struct {
	config     *kms.ModeConfig // nil for a device without a display
	properties map[uint32]*property
	modes      map[uint32]string // of the blobs that clients made, by id
}

func newDecoder(config *kms.ModeConfig) *decoder {
	return &decoder{config: config, properties: map[uint32]*property{}, modes: map[uint32]string{}}
}

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

// input writes the argument that the client sent, as a JSON object.
func (d *decoder) input(w *writer, a *argument) {
	w.open('{')
	defer w.close('}')
	l := a.layout
	if l == nil {
		w.bytes("bytes", a.in)
		return
	}
	for i := range l.in {
		f := &l.in[i]
		switch {
		case l.atomic && f.meaning.kind == address && strings.HasSuffix(f.Name, "_ptr"):
		case f.array >= 0 && a.arrays != nil && l.arrays[f.array].direction == fromClient && a.arrays[f.array].taken:
			d.array(w, f.Name, a, f.array)
		case l.sets != nil && f.Name == "value":
		default:
			d.field(w, f, a.in, nil)
		}
	}
	if l.atomic && a.arrays != nil {
		d.atomic(w, a)
	}
	if at := l.sets; at != nil {
		d.setting(w, uint32(number(a.in, at.property, 4)), number(a.in, at.value, 8))
	}
}

func findIn(fields []field, name string) *uapi.Field {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Field
		}
	}
	panic("trace: no field " + name)
}

// output writes what the client got back: the fields that the request changed,
// and the arrays that it filled.
func (d *decoder) output(w *writer, a *argument, failed bool) {
	w.open('{')
	defer w.close('}')
	l := a.layout
	if l == nil {
		if string(a.in) != string(a.out) {
			w.bytes("bytes", a.out)
		}
		return
	}
	for i := range l.out {
		f := &l.out[i]
		if f.array >= 0 && a.arrays != nil && l.arrays[f.array].direction != fromClient && a.arrays[f.array].taken {
			d.array(w, f.Name, a, f.array)
			continue
		}
		d.field(w, f, a.out, a.in)
	}
	if l.modes && !failed {
		d.learn(a)
	}
}

// learn remembers the modes that clients put into blobs.
func (d *decoder) learn(a *argument) {
	switch a.layout.name {
	case "MODE_CREATEPROPBLOB":
		id := uint32(number(a.out, 12, 4))
		delete(d.modes, id)
		if len(a.arrays) == 1 && len(a.arrays[0].data) == modeLayout.Size {
			d.modes[id] = modeName(a.arrays[0].data)
		}
	case "MODE_DESTROYPROPBLOB":
		delete(d.modes, uint32(number(a.out, 0, 4)))
	}
}

// field writes one field of arg. With before, it does so only if the value
// differs from that before the request.
func (d *decoder) field(w *writer, f *field, arg, before []byte) {
	n := f.Size * max(f.Count, 1)
	if len(arg) < f.Offset+n {
		return // the client's struct is shorter
	}
	value := arg[f.Offset : f.Offset+n]
	if before != nil && len(before) >= f.Offset+n && string(value) == string(before[f.Offset:f.Offset+n]) {
		return
	}
	if f.meaning.kind == padding && isZero(value) {
		return
	}
	w.name(f.quoted)
	switch {
	case f.Kind == uapi.KindChar:
		w.string(unix.ByteSliceToString(value))
	case f.Count > 0:
		w.open('[')
		for ; len(value) > 0; value = value[f.Size:] {
			d.value(w, f, value[:f.Size])
		}
		w.close(']')
	default:
		d.value(w, f, value)
	}
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (d *decoder) value(w *writer, f *field, value []byte) {
	switch f.Kind {
	case uapi.KindStruct:
		w.open('{')
		for i := range f.fields {
			d.field(w, &f.fields[i], value, nil)
		}
		w.close('}')
	case uapi.KindInt:
		w.int(signed(number(value, 0, f.Size), f.Size))
	default:
		d.number(w, f, number(value, 0, f.Size))
	}
}

func signed(v uint64, size int) int64 {
	shift := 64 - 8*size
	return int64(v<<shift) >> shift
}

func (d *decoder) number(w *writer, f *field, v uint64) {
	switch f.meaning.kind {
	case enumerated:
		if name := f.names.find(v); name != "" {
			w.string(name)
			return
		}
	case flags:
		w.flags(f.names, v)
		return
	case address:
		w.hex(v)
		return
	case fourccCode:
		w.format(uint32(v))
		return
	case modifier:
		w.modifier(v)
		return
	case fixed16:
		w.float(float64(uint32(v)) / (1 << 16))
		return
	case objectKind:
		if name, ok := objectNames[uint32(v)]; ok {
			w.string(name)
			return
		}
		w.hex(v)
		return
	case vblankFlags:
		w.vblankType(uint32(v))
		return
	}
	w.uint(v)
}

// flags writes the names of the bits of v, as in C: "A|B". Bits without a name
// come last, in hexadecimal.
func (w *writer) flags(names nameSet, v uint64) {
	w.separate()
	w.b = append(w.b, '"')
	first := true
	for i := range names {
		if c := &names[i]; c.Value != 0 && v&c.Value == c.Value {
			if !first {
				w.b = append(w.b, '|')
			}
			w.b = appendText(w.b, c.Name)
			first = false
			v &^= c.Value
		}
	}
	if v != 0 || first {
		if !first {
			w.b = append(w.b, '|')
		}
		w.b = append(w.b, hexText(v)...)
	}
	w.b = append(w.b, '"')
}

func hexText(v uint64) string {
	if v == 0 {
		return "0"
	}
	return "0x" + strconv.FormatUint(v, 16)
}

func (w *writer) format(code uint32) {
	name, ok := formatNames()[code&^uapi.FormatBigEndian]
	switch {
	case !ok:
		w.hex(uint64(code))
	case code&uapi.FormatBigEndian != 0:
		w.string(name + "|BIG_ENDIAN")
	default:
		w.string(name)
	}
}

func (w *writer) modifier(v uint64) {
	switch v {
	case uapi.FormatModLinear:
		w.string("LINEAR")
	case uapi.FormatModInvalid:
		w.string("INVALID")
	default:
		w.hex(v)
	}
}

var vblankNames = nameSet{
	{Name: "VBLANK_EVENT", Value: uapi.VblankEvent}, {Name: "VBLANK_FLIP", Value: uapi.VblankFlip},
	{Name: "VBLANK_NEXTONMISS", Value: uapi.VblankNextOnMiss}, {Name: "VBLANK_SECONDARY", Value: uapi.VblankSecondary},
	{Name: "VBLANK_SIGNAL", Value: uapi.VblankSignal},
}

func (w *writer) vblankType(v uint32) {
	text := "VBLANK_ABSOLUTE"
	if v&uapi.VblankTypesMask == uapi.VblankRelative {
		text = "VBLANK_RELATIVE"
	}
	rest := uint64(v &^ uint32(uapi.VblankTypesMask))
	if crtc := rest & uapi.VblankHighCRTCMask >> uapi.VblankHighCRTCShift; crtc != 0 {
		text += fmt.Sprintf("|HIGH_CRTC(%d)", crtc)
		rest &^= uapi.VblankHighCRTCMask
	}
	for _, c := range vblankNames {
		if rest&c.Value != 0 {
			text += "|" + c.Name
			rest &^= c.Value
		}
	}
	if rest != 0 {
		text += "|" + hexText(rest)
	}
	w.string(text)
}

// array writes an array under the name of the field that is its address.
func (d *decoder) array(w *writer, name string, a *argument, i int) {
	c, e := &a.arrays[i], a.layout.arrays[i].element
	switch e {
	case propertyIDs:
		d.propertyList(w, &a.arrays[i], &a.arrays[i+1])
		return
	case propertyValues:
		return // with the ids
	case text:
		w.key(name)
		w.string(string(c.data))
		return
	case blob:
		w.blob(name, c)
		return
	}
	w.key(name)
	w.open('[')
	size := e.size()
	if a.layout.name == "MODE_GETPROPERTY" && e == numbers64 {
		w.propertyLimits(c.data, uint32(number(a.out, findIn(a.layout.out, "flags").Offset, 4)))
		w.cut(c, size)
		w.close(']')
		return
	}
	for data := c.data; len(data) >= size; data = data[size:] {
		switch e {
		case numbers16, numbers32, numbers64:
			w.uint(number(data, 0, size))
		case formats:
			w.format(uint32(number(data, 0, size)))
		default:
			w.layout(d, e, data[:size])
		}
	}
	w.cut(c, size)
	w.close(']')
}

// propertyLimits writes the values of MODE_GETPROPERTY, whose meaning depends
// on the flags of the property.
func (w *writer) propertyLimits(data []byte, flags uint32) {
	for ; len(data) >= 8; data = data[8:] {
		v := number(data, 0, 8)
		name, isObject := objectNames[uint32(v)]
		switch extended := flags & uapi.ModePropExtendedType; {
		case extended == uapi.ModePropSignedRange:
			w.int(int64(v))
		case extended == uapi.ModePropObject && isObject:
			w.string(name)
		default:
			w.uint(v)
		}
	}
}

// cut notes the elements that an array has but the trace does not.
func (w *writer) cut(c *capture, size int) {
	if rest := c.total - uint64(len(c.data)/size); rest > 0 {
		w.string(fmt.Sprintf("… %d more", rest))
	}
}

// layout writes an element that is a struct; a mode by its name.
func (w *writer) layout(d *decoder, e element, data []byte) {
	if e == modes {
		w.separate()
		w.b = append(w.b, '"')
		w.b = append(appendMode(w.b, data), '"')
		return
	}
	fields := elementFields[e]
	w.open('{')
	for i := range fields {
		d.field(w, &fields[i], data, nil)
	}
	w.close('}')
}

var elementFields = map[element][]field{
	clips: fieldsOf(clipLayout, "", nil),
	enums: fieldsOf(enumLayout, "", nil),

	fences: fieldsOf(fenceLayout, "", nil),
	modes:  fieldsOf(modeLayout, "", nil),
}

// modeName returns the name of a mode, with its refresh rate: "1024x768@60".
func modeName(data []byte) string { return string(appendMode(nil, data)) }

func appendMode(b, data []byte) []byte {
	b = strconv.AppendUint(b, number(data, modeAt.width, 2), 10)
	b = append(b, 'x')
	b = strconv.AppendUint(b, number(data, modeAt.height, 2), 10)
	if number(data, modeAt.flags, 4)&uapi.ModeFlagInterlace != 0 {
		b = append(b, 'i')
	}
	b = append(b, '@')
	return strconv.AppendUint(b, number(data, modeAt.refresh, 4), 10)
}

// modeAt has the offsets of fields of struct drm_mode_modeinfo.
var modeAt = struct{ width, height, flags, refresh int }{
	findField(modeLayout, "hdisplay").Offset, findField(modeLayout, "vdisplay").Offset,
	findField(modeLayout, "flags").Offset, findField(modeLayout, "vrefresh").Offset,
}

// bytes writes raw bytes, the first of them.
func (w *writer) bytes(key string, b []byte) {
	const shown = 64
	w.key(key)
	text := hex.EncodeToString(b[:min(len(b), shown)])
	if len(b) > shown {
		text += "…"
	}
	w.string(text)
}

// blob writes the contents of a property blob: by meaning, if its bytes tell
// it.
func (w *writer) blob(name string, c *capture) {
	w.key(name)
	w.open('{')
	defer w.close('}')
	w.key("length")
	w.uint(c.total)
	switch {
	case c.total == uint64(modeLayout.Size) && len(c.data) == modeLayout.Size:
		w.key("mode")
		d := decoder{}
		w.open('{')
		fields := elementFields[modes]
		for i := range fields {
			d.field(w, &fields[i], c.data, nil)
		}
		w.close('}')
	case len(c.data) >= 128 && string(c.data[:8]) == "\x00\xff\xff\xff\xff\xff\xff\x00":
		w.key("edid")
		w.string(edidVendor(c.data))
	default:
		if !w.inFormats(c.data) {
			w.bytes("bytes", c.data)
		}
	}
}

// edidVendor returns the three letters of the manufacturer and the product
// code.
func edidVendor(data []byte) string {
	id := binary.BigEndian.Uint16(data[8:])
	letter := func(shift int) byte { return byte('@' + id>>shift&0x1f) }
	return fmt.Sprintf("%c%c%c %04x", letter(10), letter(5), letter(0), binary.LittleEndian.Uint16(data[10:]))
}

// inFormats writes a blob of IN_FORMATS: struct drm_format_modifier_blob. It
// returns false if the bytes are not one.
func (w *writer) inFormats(data []byte) bool {
	at := func(i int) uint64 { return number(data, 4*i, 4) }
	count, from, modifiers, modifiersFrom := at(2), at(3), at(4), at(5)
	const header, modifierSize = 24, 24
	if len(data) < header || at(0) != uapi.FormatBlobCurrent || at(1) != 0 || from < header || count == 0 ||
		from+4*count > uint64(len(data)) || modifiersFrom+modifierSize*modifiers > uint64(len(data)) {
		return false
	}
	w.key("formats")
	w.open('[')
	for i := range count {
		w.format(uint32(number(data, int(from+4*i), 4)))
	}
	w.close(']')
	w.key("modifiers")
	w.open('[')
	for i := range modifiers {
		w.modifier(number(data, int(modifiersFrom+modifierSize*i+16), 8))
	}
	w.close(']')
	return true
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

// event writes an event for a client: struct drm_event and what follows it.
func (d *decoder) event(w *writer, data []byte) {
	layout := eventFields[uint32(number(data, 0, 4))]
	w.open('{')
	defer w.close('}')
	if layout == nil {
		w.bytes("bytes", data)
		return
	}
	for i := range layout {
		d.field(w, &layout[i], data, nil)
	}
}

var eventFields = map[uint32][]field{
	uapi.EventTypeVblank:       fieldsOf(uapi.LookupStruct("drm_event_vblank"), "", nil)[1:],
	uapi.EventTypeFlipComplete: fieldsOf(uapi.LookupStruct("drm_event_vblank"), "", nil)[1:],
	uapi.EventTypeCRTCSequence: fieldsOf(uapi.LookupStruct("drm_event_crtc_sequence"), "", nil)[1:],
}

// eventName returns the name of an event's type, "" if it is unknown.
func eventName(data []byte) string { return eventNames.find(number(data, 0, 4)) }

var eventNames = namesOf(&meaning{prefix: "DRM_EVENT_"})
