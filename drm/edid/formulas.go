package edid

import (
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// The formulas below are CVT and GTF in the kernel's integer arithmetic, which
// differs from VESA's in the last digits. Their modes have no type.

// A computed is a mode that a formula computes. It wraps around like the
// kernel's unsigned numbers.
type computed struct {
	clock                                  uint32
	hDisplay, hSyncStart, hSyncEnd, hTotal uint32
	vDisplay, vSyncStart, vSyncEnd, vTotal uint32
	flags                                  uint32
}

func (c *computed) mode() mode.Mode {
	m := mode.Mode{
		Clock:    c.clock,
		HDisplay: uint16(c.hDisplay), HSyncStart: uint16(c.hSyncStart), HSyncEnd: uint16(c.hSyncEnd), HTotal: uint16(c.hTotal),
		VDisplay: uint16(c.vDisplay), VSyncStart: uint16(c.vSyncStart), VSyncEnd: uint16(c.vSyncEnd), VTotal: uint16(c.vTotal),
		Flags: c.flags,
	}
	m.SetName()
	return m
}

// cvtSync returns the lines of vertical sync, which tell the aspect ratio.
func cvtSync(width, height uint32) uint32 {
	for _, shape := range []struct{ w, h, divisor, lines uint32 }{{4, 3, 3, 4}, {16, 9, 9, 5}, {16, 10, 10, 6}, {5, 4, 4, 7}, {15, 9, 9, 7}} {
		if height%shape.divisor == 0 && height*shape.w/shape.h == width {
			return shape.lines
		}
	}
	return 10
}

// cvt computes a mode as drm_cvt_mode does. It reports false if the formula has
// no result.
func cvt(width, height, refresh uint32, reduced bool) (mode.Mode, bool) {
	const frontPorch, minBackPorch, cell = 3, 6, 8
	if width == 0 || height == 0 || refresh == 0 {
		return mode.Mode{}, false
	}
	sync := cvtSync(width, height)
	c := computed{hDisplay: width - width%cell, vDisplay: height, vSyncStart: height + frontPorch, vSyncEnd: height + frontPorch + sync}
	var period uint32 // of a line, in nanoseconds
	if reduced {
		const minBlank, hBlank, hSync = 460, 160, 32
		if period = (1e9 - minBlank*1000*refresh) / (height * refresh); period == 0 {
			return mode.Mode{}, false
		}
		c.vTotal = height + max(minBlank*1000/period+1, frontPorch+sync+minBackPorch)
		c.hTotal = c.hDisplay + hBlank
		c.hSyncEnd = c.hDisplay + hBlank/2
		c.hSyncStart = c.hSyncEnd - hSync
		c.flags = polarities(true, false)
	} else {
		const minSyncBack, syncPercent, cPrime, mPrime = 550, 8, 30, 300
		if period = (1e9 - minSyncBack*1000*refresh) * 2 / ((height + frontPorch) * 2 * refresh); period == 0 {
			return mode.Mode{}, false
		}
		c.vTotal = height + max(minSyncBack*1000/period+1, sync+frontPorch) + frontPorch
		duty := max(cPrime*1000-mPrime*period/1000, 20*1000) // in 1/1000 percent
		if duty == 100_000 {
			return mode.Mode{}, false
		}
		blank := c.hDisplay * duty / (100_000 - duty)
		blank -= blank % (2 * cell)
		c.hTotal = c.hDisplay + blank
		c.hSyncEnd = c.hDisplay + blank/2
		c.hSyncStart = c.hSyncEnd - c.hTotal*syncPercent/100
		c.hSyncStart += cell - c.hSyncStart%cell
		c.flags = polarities(false, true)
	}
	c.clock = uint32(uint64(c.hTotal) * 1e6 / uint64(period))
	return c.mode(), true
}

// A gtfCurve has the parameters of GTF: M, K, and C and J times two.
type gtfCurve struct{ m, c2, k, j2 int }

var defaultCurve = gtfCurve{600, 80, 128, 40}

// gtf computes a mode as drm_gtf_mode_complex does. It reports false
// if the formula has no result.
func gtf(width, height, refresh uint32, curve gtfCurve) (mode.Mode, bool) {
	const frontPorch, sync, syncPercent, minSyncBack, cell = 1, 3, 8, 550, 8
	if width == 0 || height == 0 || refresh == 0 {
		return mode.Mode{}, false
	}
	hDisplay := (width + cell/2) / cell * cell
	frequency := (height + frontPorch) * 2 * 1000 * refresh / ((1e6 - minSyncBack*refresh) / 500) // of lines
	if frequency == 0 {
		return mode.Mode{}, false
	}
	syncBack := (minSyncBack*frequency/1000 + 500) / 1000
	cPrime := ((curve.c2-curve.j2)*curve.k/256 + curve.j2) / 2
	mPrime := curve.k * curve.m / 256
	duty := uint32(cPrime)*1000 - uint32(mPrime)*1_000_000/frequency // in 1/1000 percent
	if duty == 100_000 {
		return mode.Mode{}, false
	}
	blank := hDisplay * duty / (100_000 - duty)
	blank = (blank + cell) / (2 * cell) * 2 * cell
	total := hDisplay + blank
	hSync := (syncPercent*total/100 + cell/2) / cell * cell
	hPorch := blank/2 - hSync
	c := computed{
		clock:    total * frequency / 1000,
		hDisplay: hDisplay, hSyncStart: hDisplay + hPorch, hSyncEnd: hDisplay + hPorch + hSync, hTotal: total,
		vDisplay: height, vSyncStart: height + frontPorch, vSyncEnd: height + frontPorch + sync, vTotal: height + syncBack + frontPorch,
		flags: polarities(curve != defaultCurve, curve == defaultCurve),
	}
	return c.mode(), true
}

// polarities returns the flags of the sync signals.
func polarities(hPositive, vPositive bool) uint32 {
	h, v := uint32(uapi.ModeFlagNHSync), uint32(uapi.ModeFlagNVSync)
	if hPositive {
		h = uapi.ModeFlagPHSync
	}
	if vPositive {
		v = uapi.ModeFlagPVSync
	}
	return h | v
}
