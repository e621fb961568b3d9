package kms

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// slowFramesTime is the definition: n frames of size clocks of Clock kHz.
func slowFramesTime(m *Mode, n uint64) *big.Int {
	ns := new(big.Int).SetUint64(n)
	ns.Mul(ns, new(big.Int).SetUint64(m.frameSize()))
	ns.Mul(ns, big.NewInt(1_000_000))
	return ns.Div(ns, big.NewInt(int64(m.Clock)))
}

func TestFrameGrid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		m := Mode{Clock: 1 + r.Uint32N(1<<22), HTotal: uint16(1 + r.Uint32N(1<<16-1)), VTotal: uint16(1 + r.Uint32N(1<<16-1))}
		n := r.Uint64N(1 << (1 + r.UintN(30)))
		at := m.framesTime(n)
		if slow := slowFramesTime(&m, n); slow.IsInt64() && slow.Int64() != int64(at) {
			t.Fatalf("%d frames of %+v take %v, not %v", n, m, at, slow)
		}
		if at == 1<<63-1 {
			continue
		}
		if got := m.framesIn(at); got < n || m.framesTime(got) != at {
			t.Fatalf("%d frames of %+v fit into the time of %d", got, m, n)
		}
		if at > 0 && m.framesTime(m.framesIn(at-1)) > at-1 {
			t.Fatalf("frame %d of %+v begins before it begins", m.framesIn(at-1), m)
		}
	}
}

// A year of 60 Hz does not drift by a nanosecond.
func TestGridDoesNotDrift(t *testing.T) {
	m := Mode{Clock: 556188, HTotal: 4176, VTotal: 2222} // 59.94 Hz: no whole nanoseconds
	const year = 365 * 24 * time.Hour
	n := m.framesIn(year)
	if off := year - m.framesTime(n); off < 0 || off > m.framesTime(1)+1 {
		t.Errorf("frame %d is %v off", n, off)
	}
	if naive := time.Duration(n) * m.framesTime(1); year-naive < time.Millisecond {
		t.Error("the test does not test anything: whole nanoseconds would do")
	}
}

func TestModeRoundTrip(t *testing.T) {
	m := Mode{
		Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
		VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806,
		Flags: uapi.ModeFlagNHSync | uapi.ModeFlagPicAR16_9, Type: uapi.ModeTypeDriver, Name: "1024x768",
	}
	got, err := decodeMode(encodeMode(&m))
	if err != nil || got != m {
		t.Errorf("%+v, %v", got, err)
	}
	if len(encodeMode(&m)) != 68 {
		t.Errorf("a mode has %d bytes", len(encodeMode(&m)))
	}
	if m.Info().VRefresh != 60 {
		t.Errorf("refresh %d", m.Info().VRefresh)
	}
}

// A client that does not know of aspect ratios sees one of the modes that
// differ in nothing else.
func TestModesWithoutAspectRatio(t *testing.T) {
	wide := Mode{Clock: 27000, HDisplay: 720, HTotal: 858, VDisplay: 480, VTotal: 525, Flags: uapi.ModeFlagPicAR16_9}
	narrow, other := wide, wide
	narrow.Flags = uapi.ModeFlagPicAR4_3
	other.Clock++
	for _, tc := range []struct {
		caps  drm.ClientCapSet
		flags []uint32
	}{
		{drm.ClientCapSet{}, []uint32{0, 0}},
		{drm.ClientCapSet{AspectRatio: true}, []uint32{uapi.ModeFlagPicAR16_9, uapi.ModeFlagPicAR4_3, uapi.ModeFlagPicAR16_9}},
	} {
		var flags []uint32
		for _, info := range modeInfos([]Mode{wide, narrow, other}, tc.caps) {
			flags = append(flags, info.Flags)
		}
		if !slices.Equal(flags, tc.flags) {
			t.Errorf("with %+v: flags %#x, want %#x", tc.caps, flags, tc.flags)
		}
	}
}
