package trace

import (
	"fmt"
	"strconv"

	"github.com/udrm/udrm/drm/uapi"
)

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
