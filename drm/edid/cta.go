package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// A CTA-861 block has data blocks from its fifth byte to the offset in its
// third, and detailed timings from there.
const (
	ctaTag      = 0x02
	ctaRevision = 3
	ctaData     = 4
	ctaModes    = 6 // beside the capabilities
)

// Data blocks begin with a byte of tag (three bits) and length.
const ctaVideo = 2 // tag: video identification codes

// ctaCapabilities is a data block: the range of RGB can be chosen, and the
// picture is never cut at its edges.
var ctaCapabilities = []byte{7<<5 | 2, 0, 1<<6 | 2<<2 | 2}

const ctaUnderscan = 1 << 7 // likewise, in the fourth byte

func (mon *Monitor) encodeCTA(modes []mode.Mode) (b block) {
	b[0], b[1], b[3] = ctaTag, ctaRevision, ctaUnderscan
	at := ctaData + copy(b[ctaData:], ctaCapabilities)
	b[2] = byte(at)
	for i := range modes {
		at += copy(b[at:], mon.encodeDetailed(&modes[i]))
	}
	return b
}

func parseCTA(b *block, list *modeList) {
	timings := int(b[2])
	if timings == 0 || timings > 127 {
		timings = 127
	}
	for i := ctaData; i < timings; {
		tag, length := b[i]>>5, int(b[i]&0x1f)
		data := b[i+1 : min(i+1+length, timings)]
		if tag == ctaVideo {
			for _, code := range data {
				list.addCTA(code)
			}
		}
		i += 1 + length
	}
	for i := max(timings, ctaData); i+descriptorSize <= 127; i += descriptorSize {
		if m, ok := parseDetailed(b[i : i+descriptorSize]); ok {
			list.add(m)
		}
	}
}

// addCTA adds the mode of a short video descriptor. Bit 7 of the codes up to 64
// marks the mode as native.
func (l *modeList) addCTA(code uint8) {
	if code > 128 && code <= 192 {
		code &= 0x7f
	}
	if m, ok := mode.CTA(code); ok {
		m.Flags &^= uapi.ModeFlagPicARMask
		l.add(m)
	}
}
