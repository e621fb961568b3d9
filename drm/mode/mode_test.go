package mode

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/internal/ediddecode"
	"github.com/udrm/udrm/drm/uapi"
)

// slowFramesTime computes FramesTime by its definition: n frames of FrameClocks
// clocks of Clock kHz.
func slowFramesTime(m *Mode, n uint64) *big.Int {
	ns := new(big.Int).SetUint64(n)
	ns.Mul(ns, new(big.Int).SetUint64(m.FrameClocks()))
	ns.Mul(ns, big.NewInt(1_000_000))
	return ns.Div(ns, big.NewInt(int64(m.Clock)))
}

func TestFrameGrid(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		m := Mode{Clock: 1 + r.Uint32N(1<<22), HTotal: uint16(1 + r.Uint32N(1<<16-1)), VTotal: uint16(1 + r.Uint32N(1<<16-1))}
		n := r.Uint64N(1 << (1 + r.UintN(30)))
		at := m.FramesTime(n)
		if slow := slowFramesTime(&m, n); slow.IsInt64() && slow.Int64() != int64(at) {
			t.Fatalf("FramesTime(%d) of %+v = %v, want %v", n, m, at, slow)
		}
		if at == 1<<63-1 {
			continue
		}
		if got := m.FramesIn(at); got < n || m.FramesTime(got) != at {
			t.Fatalf("FramesIn = %d for %+v and the time of %d frames", got, m, n)
		}
		if at > 0 && m.FramesTime(m.FramesIn(at-1)) > at-1 {
			t.Fatalf("frame %d of %+v begins too late", m.FramesIn(at-1), m)
		}
	}
}

// TestFrameOverflow checks that a mode is refused whose frame takes 17
// minutes. In 64 bits, the product of its numbers overflows to that of 24 ms.
func TestFrameOverflow(t *testing.T) {
	m := Mode{
		Clock: 1 << 29, HDisplay: 800, HSyncStart: 800, HSyncEnd: 800, HTotal: 65535,
		VDisplay: 600, VSyncStart: 600, VSyncEnd: 600, VTotal: 65535, VScan: 64428, Flags: uapi.ModeFlagDblscan,
	}
	if err := m.Validate(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("%+v: %v, want EINVAL", m, err)
	}
}

// Frame times do not drift by a nanosecond in a year.
func TestGridDoesNotDrift(t *testing.T) {
	m := Mode{Clock: 556188, HTotal: 4176, VTotal: 2222} // 59.94 Hz, not whole nanoseconds
	const year = 365 * 24 * time.Hour
	n := m.FramesIn(year)
	if off := year - m.FramesTime(n); off < 0 || off > m.FramesTime(1)+1 {
		t.Errorf("frame %d is %v off", n, off)
	}
	if naive := time.Duration(n) * m.FramesTime(1); year-naive < time.Millisecond {
		t.Error("bad test: whole nanoseconds would not drift either")
	}
}

func TestInfo(t *testing.T) {
	want := Mode{
		Clock: 65000, HDisplay: 1024, HSyncStart: 1048, HSyncEnd: 1184, HTotal: 1344,
		VDisplay: 768, VSyncStart: 771, VSyncEnd: 777, VTotal: 806,
		Flags: uapi.ModeFlagNHSync | uapi.ModeFlagPicAR16_9, Type: uapi.ModeTypeDriver, Name: "1024x768",
	}
	info := want.Info()
	if info.VRefresh != 60 {
		t.Errorf("VRefresh = %d, want 60", info.VRefresh)
	}
	if got, err := FromInfo(&info); err != nil || got != want {
		t.Errorf("FromInfo = %+v, %v, want %+v", got, err, want)
	}
}

// TestRefreshOverflow checks that a mode whose numbers are too large for the
// kernel has a refresh rate of 0.
func TestRefreshOverflow(t *testing.T) {
	for _, m := range []Mode{
		{Clock: 6909509, HTotal: 51653, VTotal: 63439},
		{Clock: 6909509, HTotal: 40000, VTotal: 40000, VScan: 3},
		{Clock: 1<<31 - 1, HTotal: 1000, VTotal: 1000, Flags: uapi.ModeFlagInterlace, VScan: 1<<16 - 1},
	} {
		if got := m.VRefresh(); got != 0 {
			t.Errorf("%+v: %d Hz", m, got)
		}
	}
}

// TestTables checks that all timings are valid and that their numbers find
// them.
func TestTables(t *testing.T) {
	n := 0
	for id, m := range DMTs() {
		n++
		if got, ok := DMT(id); !ok || got != m || m.Validate() != nil {
			t.Errorf("DMT %#x: %+v, %v", id, m, m.Validate())
		}
	}
	if n != 88 {
		t.Errorf("%d timings of VESA DMT, want 88", n)
	}
	n = 0
	for vic := range 256 {
		m, ok := CTA(uint8(vic))
		if !ok {
			continue
		}
		n++
		if err := m.Validate(); err != nil {
			t.Errorf("VIC %d: %v", vic, err)
		}
	}
	if n != 154 {
		t.Errorf("%d timings of CTA-861, want 154", n)
	}
	for name, want := range map[string]int{"8192x8192": 34, "1024x768": 5} {
		var w, h int
		fmt.Sscanf(name, "%dx%d", &w, &h)
		if got := len(WithoutEDID(w, h)); got != want {
			t.Errorf("%d modes up to %s without EDID, want %d", got, name, want)
		}
	}
}

// mustFor parses "1920x1080@60" and returns For's answer.
func mustFor(t testing.TB, name string) Mode {
	t.Helper()
	var w, h int
	var hz float64
	if _, err := fmt.Sscanf(name, "%dx%d@%g", &w, &h, &hz); err != nil {
		t.Fatal(err)
	}
	m, err := For(w, h, hz)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFor checks that For finds the timings of standards and computes others.
func TestFor(t *testing.T) {
	for _, tc := range []struct {
		name  string
		clock uint32
	}{
		{"1920x1080@60", 148500}, {"1920x1080@59.94", 148350}, {"1920x1080@23.976", 74180}, {"640x480@60", 25175}, {"640x480@59.94", 25175},
		{"1920x1200@60", 154000}, {"1024x768@60", 65000}, {"1280x1024@60", 108000}, {"3840x2160@60", 594000}, {"2560x1440@60", 241500},
	} {
		if m := mustFor(t, tc.name); m.Clock != tc.clock {
			t.Errorf("%s: %+v, want a clock of %d", tc.name, m, tc.clock)
		}
	}
	for _, tc := range []struct {
		w, h int
		hz   float64
	}{{63, 100, 60}, {100, 16385, 60}, {100, 100, 9}, {100, 100, 501}, {100, 100, math.NaN()}, {100, 100, math.Inf(1)}, {-1, 100, 60}} {
		if m, err := For(tc.w, tc.h, tc.hz); err == nil {
			t.Errorf("%+v: %+v", tc, m)
		}
	}
	for w := minSize; w < maxSize; w = w*3/2 + 1 {
		for _, hz := range []float64{minRate, 59.94, 144, maxRate} {
			m, err := For(w, w*3/4+16, hz)
			if err != nil {
				continue // too high
			}
			if err := m.Validate(); err != nil || math.Abs(m.Refresh()-hz) > max(hz/100, 0.5) {
				t.Errorf("%dx%d at %v Hz: %v: %+v", w, w*3/4+16, hz, err, m)
			}
		}
	}
}

// TestCVT compares the formula with edid-decode's.
func TestCVT(t *testing.T) {
	for _, size := range [][2]int{{800, 600}, {1024, 768}, {1280, 768}, {1280, 1024}, {1920, 1080}, {1920, 1200}, {2560, 1440}, {3840, 1600}, {5120, 2880}} {
		for _, hz := range []float64{50, 60, 75, 85, 144} {
			args := fmt.Sprintf("w=%d,h=%d,fps=%v,rb=1", size[0], size[1], hz)
			timings := ediddecode.Timings(ediddecode.Run(t, nil, "--cvt", args))
			if len(timings) != 1 {
				t.Fatalf("%s: edid-decode has %d timings", args, len(timings))
			}
			want, err := FromInfo(&timings[0])
			want.SetName()
			if got := cvt(size[0], size[1], hz); err != nil || got != want {
				t.Errorf("%s: got\n%+v, want\n%+v, %v", args, got, want, err)
			}
		}
	}
}
