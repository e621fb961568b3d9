package trace

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"github.com/udrm/udrm/drm/uapi"
)

// modeName returns the name of a mode, with its refresh rate: "1024x768@60".
func modeName(data []byte) string { return string(appendMode(nil, data)) }

func appendMode(b, data []byte) []byte {
	at := modeAt()
	b = strconv.AppendUint(b, number(data, at.width, 2), 10)
	b = append(b, 'x')
	b = strconv.AppendUint(b, number(data, at.height, 2), 10)
	if number(data, at.flags, 4)&uapi.ModeFlagInterlace != 0 {
		b = append(b, 'i')
	}
	b = append(b, '@')
	return strconv.AppendUint(b, number(data, at.refresh, 4), 10)
}

// modeAt has the offsets of fields of struct drm_mode_modeinfo.
var modeAt = sync.OnceValue(func() (at struct{ width, height, flags, refresh int }) {
	s := modeLayout()
	at.width, at.height = findField(s, "hdisplay").Offset, findField(s, "vdisplay").Offset
	at.flags, at.refresh = findField(s, "flags").Offset, findField(s, "vrefresh").Offset
	return at
})

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
	case c.total == uint64(modeLayout().Size) && len(c.data) == modeLayout().Size:
		w.key("mode")
		d := decoder{}
		w.open('{')
		fields := elementFields()[modes]
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
