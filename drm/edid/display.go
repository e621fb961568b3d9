package edid

import (
	"errors"
	"fmt"
	"math"
)

// An HDR says what a monitor with a high dynamic range can show: SMPTE ST 2084,
// with static metadata of type 1. Luminances are in cd/m²; 0 is not given.
type HDR struct {
	MaxLuminance    float64
	MaxFrameAverage float64
	MinLuminance    float64 // needs MaxLuminance
	HLG             bool    // it can show hybrid log-gamma as well
}

// A Colorimetry is a set of colour spaces that a monitor takes besides the usual
// ones. The bits are those of the colorimetry data block.
type Colorimetry uint16

// The colour spaces of a [Colorimetry].
const (
	XVYCC601 Colorimetry = 1 << iota
	XVYCC709
	SYCC601
	OpYCC601
	OpRGB
	BT2020CYCC
	BT2020YCC
	BT2020RGB
	DCIP3 Colorimetry = 1 << 15
)

// Bits of the video capability data block, and of the fourth byte of a CTA block.
const (
	selectableRange    = 1 << 6 // of RGB
	alwaysUnderscanned = 2<<2 | 2
	ctaUnderscan       = 1 << 7
)

// Bits of the HDR static metadata data block.
const (
	eotfSDR     = 1 << 0
	eotfPQ      = 1 << 2
	eotfHLG     = 1 << 3
	staticType1 = 1 << 0
)

// displayBlock returns a CTA block that says what colours the monitor shows, or
// nil if it has none beyond the usual ones.
func (m *Monitor) displayBlock() (*block, error) {
	if m.HDR == nil && m.Colorimetry == 0 {
		return nil, nil
	}
	var data []byte
	add := func(tag byte, payload ...byte) {
		data = append(data, ctaExtended<<5|byte(1+len(payload)), tag)
		data = append(data, payload...)
	}
	add(ctaVideoCapability, selectableRange|alwaysUnderscanned)
	if m.Colorimetry != 0 {
		add(ctaColorimetry, byte(m.Colorimetry), byte(m.Colorimetry>>8))
	}
	if m.HDR != nil {
		payload, err := m.HDR.encode()
		if err != nil {
			return nil, err
		}
		add(ctaHDR, payload...)
	}
	b := &block{ctaTag, ctaRevision, byte(ctaData + len(data)), ctaUnderscan}
	copy(b[ctaData:], data)
	return b, nil
}

// encode returns the content of an HDR static metadata data block.
func (h *HDR) encode() ([]byte, error) {
	eotf := byte(eotfSDR | eotfPQ)
	if h.HLG {
		eotf |= eotfHLG
	}
	data := []byte{eotf, staticType1}
	if h.MaxFrameAverage > h.MaxLuminance || h.MinLuminance > 0 && h.MaxLuminance == 0 {
		return nil, fmt.Errorf("edid: luminances of %g, on average %g, and %g cd/m² contradict each other", h.MaxLuminance, h.MaxFrameAverage, h.MinLuminance)
	}
	if h.MaxLuminance == 0 {
		return data, nil
	}
	high, err := encodeLuminance(h.MaxLuminance)
	if err != nil {
		return nil, err
	}
	average := byte(0) // not given
	if h.MaxFrameAverage > 0 {
		if average, err = encodeLuminance(h.MaxFrameAverage); err != nil {
			return nil, err
		}
	}
	low := math.Round(255 * math.Sqrt(100*h.MinLuminance/decodeLuminance(high)))
	if low > 255 || h.MinLuminance < 0 {
		return nil, fmt.Errorf("edid: the smallest luminance of %g cd/m² is out of range (limit %g)", h.MinLuminance, decodeLuminance(high)/100)
	}
	return append(data, high, average, byte(low)), nil
}

// encodeLuminance returns the code of a large luminance, which is logarithmic.
func encodeLuminance(v float64) (byte, error) {
	code := math.Round(32 * math.Log2(v/50))
	if code < 1 || code > 255 || math.IsNaN(code) {
		return 0, fmt.Errorf("edid: a luminance of %g cd/m² is out of range (limits %.0f and %.0f)", v, math.Ceil(decodeLuminance(1)), decodeLuminance(255))
	}
	return byte(code), nil
}

func decodeLuminance(code byte) float64 { return 50 * math.Exp2(float64(code)/32) }

// parseDisplay reads a data block about colours.
func (p *parser) parseDisplay(d *dataBlock) {
	switch {
	case d.extended(ctaColorimetry) && len(d.data) >= 3:
		p.colorimetry = Colorimetry(d.data[1]) | Colorimetry(d.data[2])<<8
	case d.extended(ctaHDR) && len(d.data) >= 3 && d.data[1]&eotfPQ != 0:
		h := &HDR{HLG: d.data[1]&eotfHLG != 0}
		code := func(i int) byte {
			if i < len(d.data) {
				return d.data[i]
			}
			return 0
		}
		if high := code(3); high != 0 {
			h.MaxLuminance = decodeLuminance(high)
		}
		if average := code(4); average != 0 {
			h.MaxFrameAverage = decodeLuminance(average)
		}
		if low := float64(code(5)) / 255; h.MaxLuminance > 0 {
			h.MinLuminance = h.MaxLuminance * low * low / 100
		}
		p.hdr = h
	}
}

// variable reports whether the refresh rate of the monitor can vary.
func (m *Monitor) variable() bool { return m.MinRefresh > 0 || m.MaxRefresh > 0 }

// checkRefresh refuses limits of the refresh rate that cannot be encoded.
func (m *Monitor) checkRefresh() error {
	switch {
	case !m.variable():
	case m.MinRefresh < 1 || m.MaxRefresh <= m.MinRefresh:
		return fmt.Errorf("edid: a refresh rate cannot vary from %d to %d Hz", m.MinRefresh, m.MaxRefresh)
	case m.MaxRefresh > maxRate:
		return fmt.Errorf("edid: a refresh rate of %d Hz is out of range (limit %d Hz)", m.MaxRefresh, maxRate)
	case encodeLimits(m.Modes) == nil:
		return errors.New("edid: the modes are too fast for the limits of a variable refresh rate")
	}
	return nil
}

// parseRefresh returns the limits of a monitor whose refresh rate can vary
// (drm_get_monitor_range).
func (p *parser) parseRefresh() (low, high int) {
	if p.revision() < 4 || p.base[featuresAt]&featureContinuous == 0 {
		return 0, 0
	}
	for d := range p.descriptors {
		if !d.is(tagLimits) || d[10] != limitsOnly {
			continue
		}
		low, high = int(d[5]), int(d[6])
		if d[4]&minVertical != 0 {
			low += 255
		}
		if d[4]&maxVertical != 0 {
			high += 255
		}
	}
	return low, high
}
