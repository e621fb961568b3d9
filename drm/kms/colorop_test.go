package kms_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// lut32Blob encodes a table of struct drm_color_lut32.
func lut32Blob(entries ...[3]float64) (data []byte) {
	for _, e := range entries {
		for _, v := range e {
			data = binary.NativeEndian.AppendUint32(data, uint32(math.Round(v*math.MaxUint32)))
		}
		data = append(data, 0, 0, 0, 0)
	}
	return data
}

// allCurves offers each curve.
const allCurves = 1<<8 - 1

// newPipeline makes a display whose overlay has one pipeline with an operation
// of each kind, and two curves around them.
func newPipeline(t *testing.T) (*bare, *fixture, []*kms.Colorop) {
	p, f := newBare(t, policy{offers: drm.FeatureColorPipeline, attach: func(p *bare) {
		p.overlay.CreateColorProperties(7, 3, kms.ColorBT709, kms.ColorLimitedRange)
		p.overlay.CreateColorPipelines([]kms.ColoropConfig{
			{Type: kms.Colorop1DCurve, Curves: allCurves}, {Type: kms.ColoropMultiplier}, {Type: kms.ColoropCTM3x4},
			{Type: kms.Colorop1DLUT, Size: 17}, {Type: kms.Colorop3DLUT, Size: 5}, {Type: kms.Colorop1DCurve, Curves: allCurves},
		})
	}})
	f.setCap(uapi.ClientCapPlaneColorPipeline, 1)
	return p, f, p.m.Colorops()
}

// TestColorops compares each operation of a colour pipeline, and chains of them,
// with the same computed in floating point.
func TestColorops(t *testing.T) {
	p, f, ops := newPipeline(t)
	f.enable()
	fb := f.filled(uapi.FormatXRGB8888, 0)
	f.must(f.blocking(func() error {
		return f.atomic(0, 0, append(f.show(p.overlay, p.crtc, fb, 0, 0, 100, 100, 100, 100),
			f.set(p.overlay, "COLOR_PIPELINE", uint64(ops[0].ID())))...)
	}))
	curve, multiplier, ctm, lut, cube, last := ops[0], ops[1], ops[2], ops[3], ops[4], ops[5]
	blob := func(data []byte) uint64 { return uint64(f.createBlob(data)) }
	on := func(o *kms.Colorop, changes ...change) []change { return append(changes, f.set(o, "BYPASS", 0)) }
	each := func(g func(float64) float64) func([3]float64) [3]float64 {
		return func(c [3]float64) [3]float64 { return [3]float64{g(c[0]), g(c[1]), g(c[2])} }
	}
	srgb := func(x float64) float64 {
		if x > 0.04045 {
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return x / 12.92
	}
	// The light of PQ in cd/m², by BT.2100.
	pq := func(x float64) float64 {
		v := math.Pow(x, 32.0/2523)
		return 10000 * math.Pow(max(v-107.0/128, 0)/(2413.0/128-2392.0/128*v), 8192.0/1305)
	}
	var square [][3]float64
	for i := range 17 {
		v := float64(i) / 16
		square = append(square, [3]float64{v * v, v, 1 - v})
	}
	var mixed [][3]float64 // an affine function, which interpolation reproduces
	for b := range 5 {
		for g := range 5 {
			for r := range 5 {
				mixed = append(mixed, [3]float64{float64(g) / 4, 1 - float64(b)/4, (float64(r) + float64(g)) / 8})
			}
		}
	}
	for _, tc := range []struct {
		what    string
		changes []change
		want    func([3]float64) [3]float64
	}{
		{"nothing", nil, each(func(x float64) float64 { return x })},
		{"sRGB EOTF", on(curve, f.set(curve, "CURVE_1D_TYPE", kms.CurveSRGBEOTF)), each(srgb)},
		{"PQ, of which 80 cd/m² are white", on(curve, f.set(curve, "CURVE_1D_TYPE", kms.CurvePQ125EOTF)), each(func(x float64) float64 { return pq(x) / 80 })},
		{"BT.2020 OETF", on(curve, f.set(curve, "CURVE_1D_TYPE", kms.CurveBT2020OETF)), each(func(x float64) float64 {
			if x < 0.018054 {
				return 4.5 * x
			}
			return 1.0993*math.Pow(x, 0.45) - 0.0993
		})},
		{"a gamma of 2.2", on(curve, f.set(curve, "CURVE_1D_TYPE", kms.CurveGamma22)), each(func(x float64) float64 { return math.Pow(x, 2.2) })},
		{"a multiplier", on(multiplier, f.set(multiplier, "MULTIPLIER", 3<<31)), each(func(x float64) float64 { return 1.5 * x })},
		{"a negative multiplier", on(multiplier, f.set(multiplier, "MULTIPLIER", 1<<63|1<<32)), each(func(float64) float64 { return 0 })},
		{"a matrix", on(ctm, f.set(ctm, "DATA", blob(matrixBlob(0.5, 0.25, 0, 0.125, -1, 2, 0, 0, 0, 0, 0.5, 0.25)))),
			func(c [3]float64) [3]float64 {
				return [3]float64{0.5*c[0] + 0.25*c[1] + 0.125, -c[0] + 2*c[1], 0.5*c[2] + 0.25}
			}},
		{"a matrix without data", on(ctm, f.set(ctm, "DATA", 0)), each(func(x float64) float64 { return x })},
		{"a table", on(lut, f.set(lut, "DATA", blob(lut32Blob(square...)))), func(c [3]float64) [3]float64 {
			low := math.Floor(c[0]*16) / 16
			high := low + 1.0/16
			return [3]float64{low*low + (high*high-low*low)*(c[0]-low)*16, c[1], 1 - c[2]}
		}},
		{"a cube", on(cube, f.set(cube, "DATA", blob(lut32Blob(mixed...)))), func(c [3]float64) [3]float64 {
			return [3]float64{c[1], 1 - c[2], (c[0] + c[1]) / 2}
		}},
		{"a chain, whose middle is brighter than white", slices.Concat(
			on(curve, f.set(curve, "CURVE_1D_TYPE", kms.CurveSRGBEOTF)), on(multiplier, f.set(multiplier, "MULTIPLIER", 4<<32)),
			on(ctm, f.set(ctm, "DATA", blob(matrixBlob(0.25, 0, 0, 0, 0, 0.25, 0, 0, 0, 0, 0.25, 0)))),
			on(last, f.set(last, "CURVE_1D_TYPE", kms.CurveSRGBInverseEOTF))),
			each(func(x float64) float64 { return x })},
	} {
		off := []change{f.set(p.overlay, "COLOR_PIPELINE", uint64(ops[0].ID()))}
		for _, o := range ops {
			off = append(off, f.set(o, "BYPASS", 1))
		}
		f.must(f.blocking(func() error { return f.atomic(0, 0, append(off, tc.changes...)...) }))
		for _, pixel := range []uint32{0, 0xffffff, 0x804020, 0x01fe7f, 0x0a1020} {
			f.fill(fb, pixel)
			picture, err := f.screenshot()
			f.must(err)
			got := picture.NRGBAAt(50, 50)
			want := tc.want([3]float64{float64(pixel>>16) / 255, float64(pixel>>8&255) / 255, float64(pixel&255) / 255})
			for i, v := range []uint8{got.R, got.G, got.B} {
				if w := 255 * min(max(want[i], 0), 1); math.Abs(float64(v)-w) > 0.6 {
					t.Errorf("%s: component %d of %#06x is %d, want %.2f", tc.what, i, pixel, v, w)
				}
			}
		}
	}
	f.must(f.blocking(func() error { return f.atomic(0, 0, f.set(p.overlay, "COLOR_PIPELINE", 0)) }))
	f.wantValue("without a pipeline", p.overlay, "COLOR_PIPELINE", 0)
	for _, o := range []*kms.Colorop{ctm, lut, cube} {
		want(t, fmt.Sprintf("data of 8 bytes for operation %d", o.ID()), f.atomic(0, 0, f.set(o, "DATA", blob(make([]byte, 8)))), unix.EINVAL)
	}
}

// TestColorPipelineCapability checks which clients see pipelines, and how they
// find the operations.
func TestColorPipelineCapability(t *testing.T) {
	p, f, ops := newPipeline(t)
	has := func(f *fixture, name string) bool {
		list, err := f.kms().Properties(p.overlay.ID(), uapi.ModeObjectPlane)
		f.must(err)
		_, ok := list.Get(name)
		return ok
	}
	other := f.open()
	want(t, "the capability before ATOMIC", other.kms().SetClientCap(uapi.ClientCapPlaneColorPipeline, 1), unix.EINVAL)
	other.setCap(uapi.ClientCapAtomic, 1)
	if has(other, "COLOR_PIPELINE") || !has(other, "COLOR_RANGE") {
		t.Error("a client without the capability sees the pipelines, or not COLOR_RANGE")
	}
	want(t, "the value 2", other.kms().SetClientCap(uapi.ClientCapPlaneColorPipeline, 2), unix.EINVAL)
	colorRange, _ := other.named(p.overlay, "COLOR_RANGE")
	if !has(f, "COLOR_PIPELINE") || has(f, "COLOR_RANGE") || has(f, "COLOR_ENCODING") {
		t.Error("a client with the capability does not see the pipelines, or sees COLOR_RANGE")
	}
	pipeline, _ := f.named(p.overlay, "COLOR_PIPELINE")
	want(t, "COLOR_RANGE with the capability", f.atomic(0, 0, change{p.overlay.ID(), colorRange, 1}), 0)
	f.setCap(uapi.ClientCapPlaneColorPipeline, 0)
	want(t, "a pipeline without the capability", f.atomic(0, 0, change{p.overlay.ID(), pipeline, uint64(ops[0].ID())}), 0)
	f.setCap(uapi.ClientCapPlaneColorPipeline, 1)
	f.wantValue("set without the capability", p.overlay, "COLOR_PIPELINE", uint64(ops[0].ID()))
	want(t, "a pipeline that does not exist", f.atomic(0, 0, f.set(p.overlay, "COLOR_PIPELINE", uint64(ops[1].ID()))), unix.EINVAL)
	for i, o := range ops {
		next := uint64(0)
		if i+1 < len(ops) {
			next = uint64(ops[i+1].ID())
		}
		f.wantValue("an operation", o, "NEXT", next)
		f.wantValue("at first", o, "BYPASS", 1)
		want(t, "setting NEXT", f.atomic(0, 0, f.set(o, "NEXT", 0)), unix.EINVAL)
	}
	f.wantValue("a table", ops[3], "SIZE", 17)
	f.wantValue("a cube", ops[4], "TYPE", uint64(kms.Colorop3DLUT))

	_, f = newBare(t, policy{})
	want(t, "the capability on a device without pipelines", f.kms().SetClientCap(uapi.ClientCapPlaneColorPipeline, 1), unix.EINVAL)
}

// TestColoropChange checks that an operation that gets the value that it has does
// not make its plane part of the change, and that an async flip may change it.
func TestColoropChange(t *testing.T) {
	p, f := newBare(t, policy{
		limits: kms.Limits{AsyncPageFlip: true}, offers: drm.FeatureColorPipeline,
		attach: func(p *bare) { p.primary.CreateColorPipelines([]kms.ColoropConfig{{Type: kms.ColoropMultiplier}}) },
	})
	f.setCap(uapi.ClientCapPlaneColorPipeline, 1)
	fb := f.enable()
	op := p.m.Colorops()[0]
	const flags = uapi.ModePageFlipEvent | uapi.ModeAtomicNonblock
	want(t, "an event for nothing new", f.atomic(flags, 0, f.set(op, "BYPASS", 1)), unix.EINVAL)
	f.must(f.atomic(flags, 0, f.set(op, "BYPASS", 0)))
	f.step()
	f.event()
	async := []change{f.set(p.primary, "FB_ID", uint64(fb)), f.set(op, "MULTIPLIER", 5)}
	want(t, "an async flip with another multiplier", f.atomic(uapi.ModePageFlipAsync, 0, async...), 0)
	f.wantValue("after the flip", op, "MULTIPLIER", 5)
	want(t, "an async flip with a pipeline", f.atomic(uapi.ModePageFlipAsync, 0, f.set(p.primary, "COLOR_PIPELINE", uint64(op.ID()))), unix.EINVAL)
}
