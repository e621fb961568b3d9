package edid

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/udrm/udrm/drm/mode"
)

// Where things are in a base block.
const (
	manufacturerAt = 8
	productAt      = 10
	serialAt       = 12
	weekAt         = 16 // of manufacture
	versionAt      = 18
	inputAt        = 20
	sizeAt         = 21 // width and height in cm
	gammaAt        = 23
	featuresAt     = 24
	colorsAt       = 25
	establishedAt  = 35
	standardAt     = 38 // eight of two bytes
	descriptorsAt  = 54 // four of 18 bytes
	extensionsAt   = 126
)

const (
	descriptorSize = 18
	baseModes      = 2 // beside the name and the limits
)

// Tags of descriptors that are no timings: their fourth byte.
const (
	tagName        = 0xfc
	tagLimits      = 0xfd
	tagStandard    = 0xfa // six more standard timings
	tagEstablished = 0xf7
	tagDummy       = 0x10
)

// Bits of the input and the features.
const (
	inputDigital     = 1 << 7
	inputEightBits   = 2 << 4 // a colour
	featureSRGB      = 1 << 2
	featureNative    = 1 << 1 // the preferred mode is that of the pixels
	madeWeek, made   = 1, 2024
	gamma            = 2.2
	limitsOnly       = 1 // no formula for further timings
	firstYear        = 1990
	unusedStandard   = 0x01
	descriptorFiller = ' '
)

// encodeBase makes the base block, and returns the modes that found no room.
func (m *Monitor) encodeBase(modes []mode.Mode) (b block, rest []mode.Mode, err error) {
	copy(b[:], header)
	id, err := m.encodeManufacturer()
	if err != nil {
		return b, nil, err
	}
	binary.BigEndian.PutUint16(b[manufacturerAt:], id)
	binary.LittleEndian.PutUint16(b[productAt:], m.Product)
	binary.LittleEndian.PutUint32(b[serialAt:], m.Serial)
	b[weekAt], b[weekAt+1] = madeWeek, made-firstYear
	b[versionAt], b[versionAt+1] = 1, 4
	b[inputAt] = inputDigital | inputEightBits
	for i, mm := range []int{m.WidthMM, m.HeightMM} {
		if mm < 0 || mm > MaxSizeMM {
			return b, nil, fmt.Errorf("edid: a picture of %dx%d mm: an EDID has 0 to %d mm", m.WidthMM, m.HeightMM, MaxSizeMM)
		}
		b[sizeAt+i] = centimetres(mm)
	}
	b[gammaAt] = byte(math.Round(gamma*100 - 100))
	b[featuresAt] = featureSRGB | featureNative
	encodeColors(b[colorsAt:], srgb)
	for i := range 16 {
		b[standardAt+i] = unusedStandard
	}

	var descriptors [][]byte
	used := min(len(modes), baseModes)
	for i := range used {
		descriptors = append(descriptors, m.encodeDetailed(&modes[i]))
	}
	if limits := encodeLimits(m.Modes); limits != nil {
		descriptors = append(descriptors, limits)
	}
	if m.Name != "" {
		name, err := encodeText(tagName, m.Name)
		if err != nil {
			return b, nil, err
		}
		descriptors = append(descriptors, name)
	}
	for len(descriptors) < 4 {
		dummy := make([]byte, descriptorSize)
		dummy[3] = tagDummy
		descriptors = append(descriptors, dummy)
	}
	for i, d := range descriptors {
		copy(b[descriptorsAt+i*descriptorSize:], d)
	}
	return b, modes[used:], nil
}

func parseBase(b *block, list *modeList) *Monitor {
	m := &Monitor{
		Manufacturer: parseManufacturer(binary.BigEndian.Uint16(b[manufacturerAt:])),
		Product:      binary.LittleEndian.Uint16(b[productAt:]),
		Serial:       binary.LittleEndian.Uint32(b[serialAt:]),
	}
	// With one of them 0 they are the shape of the picture, or nothing.
	if b[sizeAt] != 0 && b[sizeAt+1] != 0 {
		m.WidthMM, m.HeightMM = 10*int(b[sizeAt]), 10*int(b[sizeAt+1])
	}
	var standard []byte
	var established3 []byte
	for i := range 4 {
		d := b[descriptorsAt+i*descriptorSize:][:descriptorSize]
		if m, ok := parseDetailed(d); ok {
			list.add(m)
			continue
		}
		if d[0] != 0 || d[1] != 0 || d[2] != 0 {
			continue
		}
		switch d[3] {
		case tagName:
			m.Name = parseText(d)
		case tagStandard:
			standard = append(standard, d[5:17]...)
		case tagEstablished:
			established3 = d[6:12]
		}
	}
	list.addEstablished([3]byte(b[establishedAt:]), established3)
	compute := func(w, h int, refresh float64) mode.Mode { return mode.CVT(w, h, refresh, false) }
	if b[versionAt+1] < 4 {
		compute = mode.GTF
	}
	list.addStandard(b[standardAt:][:16], compute)
	list.addStandard(standard, compute)
	return m
}

// encodeManufacturer packs three letters, five bits each.
func (m *Monitor) encodeManufacturer() (id uint16, err error) {
	letters := m.Manufacturer
	if letters == "" {
		letters = DefaultManufacturer
	}
	refuse := fmt.Errorf("edid: manufacturer %q: it must be three letters from A to Z", letters)
	if len(letters) != 3 {
		return 0, refuse
	}
	for _, c := range []byte(letters) {
		if c < 'A' || c > 'Z' {
			return 0, refuse
		}
		id = id<<5 | uint16(c-'A'+1)
	}
	return id, nil
}

// parseManufacturer returns the letters; what is none is "?".
func parseManufacturer(id uint16) string {
	var letters [3]byte
	for i := range letters {
		c := 'A' + byte(id>>(10-5*i)&0x1f) - 1
		if c < 'A' || c > 'Z' {
			c = '?'
		}
		letters[i] = c
	}
	return string(letters[:])
}

// centimetres rounds; what is there does not become nothing.
func centimetres(mm int) byte {
	if mm == 0 {
		return 0
	}
	return byte(max((mm+5)/10, 1))
}

// srgb are the chromaticities of red, green, blue and white, x and y, of
// IEC 61966-2-1.
var srgb = [8]float64{0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290}

// encodeColors writes ten bytes: of each number, in units of 1/1024, the low
// two bits are in the first two bytes, the others in one of their own.
func encodeColors(b []byte, colors [8]float64) {
	for i, v := range colors {
		n := int(math.Round(v * 1024))
		b[i/4] |= byte(n&3) << (6 - 2*(i%4))
		b[2+i] = byte(n >> 2)
	}
}

func encodeText(tag byte, text string) ([]byte, error) {
	if len(text) > MaxName {
		return nil, fmt.Errorf("edid: name %q has %d characters: there is room for %d", text, len(text), MaxName)
	}
	d := make([]byte, 5, descriptorSize)
	d[3] = tag
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return nil, fmt.Errorf("edid: name %q has the byte %#02x: only printable characters of ASCII are possible", text, c)
		}
		d = append(d, c)
	}
	if strings.TrimSpace(text) != text {
		return nil, fmt.Errorf("edid: name %q begins or ends with a space, which is not kept", text)
	}
	if len(d) < descriptorSize {
		d = append(d, '\n')
	}
	for len(d) < descriptorSize {
		d = append(d, descriptorFiller)
	}
	return d, nil
}

func parseText(d []byte) string {
	text, _, _ := strings.Cut(string(d[5:]), "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text))
}

// encodeLimits describes the range that the modes span, nil when it has no
// room for the rates.
func encodeLimits(modes []mode.Mode) []byte {
	loV, hiV, loH, hiH, clock := math.Inf(1), 0.0, math.Inf(1), 0.0, uint32(0)
	for i := range modes {
		m := &modes[i]
		v, h := m.Refresh(), float64(m.Clock)/float64(m.HTotal)
		loV, hiV, loH, hiH = min(loV, v), max(hiV, v), min(loH, h), max(hiH, h)
		clock = max(clock, m.Clock)
	}
	const top = 2 * 255
	if hiV > top || hiH > top {
		return nil
	}
	d := make([]byte, descriptorSize)
	d[3] = tagLimits
	// Each rate has a byte, and a bit in d[4] that adds 255 to it.
	rate := func(i int, v float64, bit byte) {
		n := max(int(v), 1)
		if n > 255 {
			d[4] |= bit
			n -= 255
		}
		d[i] = byte(n)
	}
	const minV, maxV, minH, maxH = 1 << 0, 1 << 1, 1 << 2, 1 << 3
	rate(5, math.Floor(loV), minV)
	rate(6, math.Ceil(hiV), maxV)
	rate(7, math.Floor(loH), minH)
	rate(8, math.Ceil(hiH), maxH)
	d[9] = byte(min((clock+9999)/10000, 255)) // 10 MHz
	d[10] = limitsOnly
	d[11] = '\n'
	for i := 12; i < descriptorSize; i++ {
		d[i] = descriptorFiller
	}
	return d
}
