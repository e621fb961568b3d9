package edid

import (
	"fmt"
	"math"
	"slices"
)

func (t *knownTiming) mode() Mode {
	return Mode{
		Clock:    t.clock,
		HDisplay: t.hDisplay, HSyncStart: t.hSyncStart, HSyncEnd: t.hSyncEnd, HTotal: t.hTotal,
		VDisplay: t.vDisplay, VSyncStart: t.vSyncStart, VSyncEnd: t.vSyncEnd, VTotal: t.vTotal,
		HSyncPositive: t.polarity == hPos || t.polarity == pos,
		VSyncPositive: t.polarity == vPos || t.polarity == pos,
	}
}

// is reports whether the timing shows that size so many times in a second, to
// the nearest whole number.
func (t *knownTiming) is(width, height int, refresh float64) bool {
	m := t.mode()
	return int(t.hDisplay) == width && int(t.vDisplay) == height && math.Round(m.Refresh()) == refresh
}

// reduced reports whether the timing has reduced blanking.
func (t *knownTiming) reduced() bool {
	return t.hTotal-t.hDisplay == cvtReducedHBlank && t.hSyncStart-t.hDisplay == cvtReducedHPorch && t.hSyncEnd-t.hSyncStart == cvtReducedHSync
}

// What ModeFor takes.
const (
	minSize, maxSize       = 64, 16384 // pixels
	minRefresh, maxRefresh = 10, 500   // Hz
)

// slower is by how much television is slower than a whole number of frames:
// 59.94 Hz is 60 times it.
const slower = 1000.0 / 1001

// ModeFor returns the timing by which a monitor of today shows that size, in
// pixels, at that rate, in Hz: that of CTA-861 or VESA DMT for the nearest
// whole rate, or one by CVT with reduced blanking, which is at most half a
// percent slower. A rate that is not whole, such as 59.94, is met to 0.01 Hz
// where CTA-861 has the timing.
func ModeFor(width, height int, refresh float64) (Mode, error) {
	switch {
	case width < minSize || width > maxSize || height < minSize || height > maxSize:
		return Mode{}, fmt.Errorf("edid: a mode of %dx%d: it may have %d to %d pixels each way", width, height, minSize, maxSize)
	case !(refresh >= minRefresh && refresh <= maxRefresh):
		return Mode{}, fmt.Errorf("edid: a mode of %v Hz: it may have %d to %d", refresh, minRefresh, maxRefresh)
	}
	for i := range ctaTimings {
		t := &ctaTimings[i].timing
		if t.is(width, height, refresh) {
			return t.mode(), nil
		}
		if t.is(width, height, math.Round(refresh/slower)) && math.Abs(math.Round(refresh/slower)*slower-refresh) < 0.005 {
			m := t.mode()
			if m.Refresh() > refresh+0.005 {
				m.Clock = int(math.Round(float64(m.Clock)*slower/10)) * 10 // as exact as EDIDs are
			}
			return m, nil
		}
	}
	for _, reduced := range []bool{true, false} {
		if t := dmtFor(width, height, refresh, reduced); t != nil {
			return t.mode(), nil
		}
	}
	return cvtReduced(width, height, refresh), nil
}

// dmtFor returns the timing of VESA DMT, nil when there is none.
func dmtFor(width, height int, refresh float64, reduced bool) *knownTiming {
	for number := range uint8(lastDMT + 1) {
		if t, ok := dmtTimings[number]; ok && t.reduced() == reduced && t.is(width, height, refresh) {
			return &t
		}
	}
	return nil
}

// What the bits of the established timings mean, I and II in three bytes, III
// in six, from the highest bit on: a number of VESA DMT or of oldTimings, or 0
// for one that is interlaced.
var (
	established12 = []uint8{
		ibm70, ibm88, 0x04, apple67, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0b, apple74, 0, 0x10, 0x11, 0x12, 0x24, apple75,
	}
	established3 = []uint8{
		0x01, 0x02, 0x03, 0x07, 0x0e, 0x0c, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19, 0x20, 0x21, 0x23, 0x25,
		0x27, 0x2e, 0x2f, 0x30, 0x31, 0x29, 0x2a, 0x2b, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x33, 0x34, 0x35,
		0x36, 0x37, 0x3e, 0x3f, 0x41, 0x42, 0x44, 0x45, 0x46, 0x47, 0x49, 0x4a,
	}
)

func (l *modeList) addEstablished(bits12, bits3 []byte) {
	add := func(bits []byte, numbers []uint8) {
		for i, number := range numbers {
			if i/8 >= len(bits) || bits[i/8]&(0x80>>(i%8)) == 0 {
				continue
			}
			for _, known := range []map[uint8]knownTiming{dmtTimings, oldTimings} {
				if t, ok := known[number]; ok {
					l.add(t.mode())
				}
			}
		}
	}
	add(bits12, established12)
	add(bits3, established3)
}

// addStandard adds standard timings of two bytes each: the width, and a shape
// and a rate. They mean those of VESA DMT, or what compute makes of them.
func (l *modeList) addStandard(codes []byte, compute func(width, height int, refresh float64) Mode) {
	for code := range slices.Chunk(codes, 2) {
		if code[0] <= 1 && (code[0] == 0 || code[1] == 1) {
			continue // unused
		}
		width := (int(code[0]) + 31) * 8
		shape := [...][2]int{{16, 10}, {4, 3}, {5, 4}, {16, 9}}[code[1]>>6]
		height := width * shape[1] / shape[0]
		refresh := float64(code[1]&0x3f) + 60
		if width == 1360 && height == 765 || width == 1368 && height == 769 {
			width, height = 1366, 768 // which two bytes cannot say
		}
		if t := dmtFor(width, height, refresh, false); t != nil {
			l.add(t.mode())
		} else {
			l.add(compute(width, height, refresh))
		}
	}
}
