package edid

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/udrm/udrm/drm/mode"
)

// The offsets of fields in a base block.
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
	baseModes      = 2 // in addition to the name and the limits
)

// The tags of descriptors that are not timings, in their fourth byte.
const (
	tagDummy       = 0x10
	tagEstablished = 0xf7 // established timings III
	tagCVT         = 0xf8 // CVT codes of three bytes
	tagStandard    = 0xfa // six more standard timings
	tagName        = 0xfc
	tagText        = 0xfe
	tagLimits      = 0xfd
)

// Bits of input and features, and fixed values.
const (
	inputDigital = 1 << 7
	inputDFP1    = 1 << 0 // EDID 1.3: compatible with DFP 1.x
	// featureContinuous means that the monitor accepts any rates within its
	// limits.
	featureContinuous = 1 << 0
	featureNative     = 1 << 1 // the first detailed timing is the preferred mode
	featureSRGB       = 1 << 2
	madeWeek, made    = 1, 2024
	gamma             = 2.2
	firstYear         = 1990
	unusedStandard    = 0x01
	descriptorFiller  = ' '
)

// encodeBase returns the base block, with at most baseModes modes.
func (m *Monitor) encodeBase(modes []mode.Mode) (b block, err error) {
	copy(b[:], header)
	id, err := m.encodeManufacturer()
	if err != nil {
		return b, err
	}
	binary.BigEndian.PutUint16(b[manufacturerAt:], id)
	binary.LittleEndian.PutUint16(b[productAt:], m.Product)
	binary.LittleEndian.PutUint32(b[serialAt:], m.Serial)
	b[weekAt], b[weekAt+1] = madeWeek, made-firstYear
	b[versionAt], b[versionAt+1] = 1, 4
	depth, err := m.encodeBPC()
	if err != nil {
		return b, err
	}
	b[inputAt] = inputDigital | depth
	for i, mm := range []int{m.WidthMM, m.HeightMM} {
		if mm < 0 || mm > MaxSizeMM {
			return b, fmt.Errorf("edid: size of %dx%d mm is out of range (limit %d mm)", m.WidthMM, m.HeightMM, MaxSizeMM)
		}
		b[sizeAt+i] = centimetres(mm)
	}
	b[gammaAt] = byte(math.Round(gamma*100 - 100))
	b[featuresAt] = featureSRGB | featureNative
	if m.variable() {
		b[featuresAt] |= featureContinuous
	}
	encodeColors(b[colorsAt:], srgb)
	for i := range 16 {
		b[standardAt+i] = unusedStandard
	}

	var descriptors [][]byte
	for i := range modes {
		descriptors = append(descriptors, m.encodeDetailed(&modes[i]))
	}
	if limits := encodeLimits(m.Modes); limits != nil {
		if m.variable() {
			encodeRate(limits, 5, float64(m.MinRefresh), minVertical)
			encodeRate(limits, 6, float64(m.MaxRefresh), maxVertical)
		}
		descriptors = append(descriptors, limits)
	}
	if m.Name != "" {
		name, err := encodeText(tagName, m.Name)
		if err != nil {
			return b, err
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
	return b, nil
}

// encodeManufacturer packs three letters into five bits each.
func (m *Monitor) encodeManufacturer() (id uint16, err error) {
	letters := m.Manufacturer
	if letters == "" {
		letters = DefaultManufacturer
	}
	refuse := fmt.Errorf("edid: manufacturer %q is not three letters from A to Z", letters)
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

// parseManufacturer returns the letters, with "?" for invalid ones.
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

// centimetres rounds to the nearest centimetre, but not to 0.
func centimetres(mm int) byte {
	if mm == 0 {
		return 0
	}
	return byte(max((mm+5)/10, 1))
}

// srgb holds the chromaticities of IEC 61966-2-1: x and y of red, green, blue
// and white.
var srgb = [8]float64{0.640, 0.330, 0.300, 0.600, 0.150, 0.060, 0.3127, 0.3290}

// encodeColors writes chromaticities in units of 1/1024, in ten bytes. The
// first two bytes have the low two bits of each number, the others one number
// each.
func encodeColors(b []byte, colors [8]float64) {
	for i, v := range colors {
		n := int(math.Round(v * 1024))
		b[i/4] |= byte(n&3) << (6 - 2*(i%4))
		b[2+i] = byte(n >> 2)
	}
}

func encodeText(tag byte, text string) ([]byte, error) {
	if len(text) > MaxName {
		return nil, fmt.Errorf("edid: name %q has %d characters (limit %d)", text, len(text), MaxName)
	}
	d := make([]byte, 5, descriptorSize)
	d[3] = tag
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return nil, fmt.Errorf("edid: name %q has the byte %#02x: only printable ASCII is allowed", text, c)
		}
		d = append(d, c)
	}
	if strings.TrimSpace(text) != text {
		return nil, fmt.Errorf("edid: name %q must not begin or end with a space", text)
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

// Bits of the fifth byte of range limits. Each adds 255 to a rate.
const (
	minVertical = 1 << iota
	maxVertical
	minHorizontal
	maxHorizontal
)

// encodeLimits returns range limits that include all modes, or nil if the rates
// are too high for them.
func encodeLimits(modes []mode.Mode) []byte {
	loV, hiV, loH, hiH, clock := math.Inf(1), 0.0, math.Inf(1), 0.0, uint32(0)
	for i := range modes {
		m := &modes[i]
		v, h := m.Refresh(), float64(m.Clock)/float64(m.HTotal)
		loV, hiV, loH, hiH = min(loV, v), max(hiV, v), min(loH, h), max(hiH, h)
		clock = max(clock, m.Clock)
	}
	if hiV > maxRate || hiH > maxRate {
		return nil
	}
	d := make([]byte, descriptorSize)
	d[3] = tagLimits
	encodeRate(d, 5, math.Floor(loV), minVertical)
	encodeRate(d, 6, math.Ceil(hiV), maxVertical)
	encodeRate(d, 7, math.Floor(loH), minHorizontal)
	encodeRate(d, 8, math.Ceil(hiH), maxHorizontal)
	d[9] = byte(min((clock+9999)/10000, 255)) // 10 MHz
	d[10] = limitsOnly
	d[11] = '\n'
	for i := 12; i < descriptorSize; i++ {
		d[i] = descriptorFiller
	}
	return d
}

// maxRate is the highest rate that range limits can have, in Hz or kHz.
const maxRate = 2 * 255

// encodeRate writes a rate of range limits. Each has a byte, and a bit in d[4]
// that adds 255 to it.
func encodeRate(d []byte, i int, v float64, bit byte) {
	n := max(int(v), 1)
	d[4] &^= bit
	if n > 255 {
		d[4] |= bit
		n -= 255
	}
	d[i] = byte(n)
}
