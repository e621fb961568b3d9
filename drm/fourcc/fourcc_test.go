package fourcc

import (
	"testing"

	"github.com/udrm/udrm/drm/uapi"
)

func TestMinPitch(t *testing.T) {
	for _, tc := range []struct {
		code   uint32
		plane  int
		pixels uint32
		pitch  uint64
	}{
		{uapi.FormatXRGB8888, 0, 10, 40},
		{uapi.FormatRGB565, 0, 10, 20},
		{uapi.FormatXRGB16161616, 0, 10, 80},
		{uapi.FormatNV12, 1, 5, 10},
		{uapi.FormatYUV420, 2, 5, 5},
		{uapi.FormatNV15, 0, 8, 10},
		{uapi.FormatY0L2, 0, 4, 8},
	} {
		if got := Lookup(tc.code).MinPitch(tc.plane, tc.pixels); got != tc.pitch {
			t.Errorf("MinPitch of %d pixels of %s in plane %d = %d, want %d", tc.pixels, String(tc.code), tc.plane, got, tc.pitch)
		}
	}
}

func TestTable(t *testing.T) {
	for code, f := range formats {
		if f.Code != code || f.Planes < 1 || f.Planes > 4 || f.HSub < 1 || f.VSub < 1 {
			t.Errorf("bad entry for %s: %+v", String(code), f)
		}
		if got := Parse(f.String()); got != f {
			t.Errorf("Parse(%q) = %v", f.String(), got)
		}
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]uint32{"XR24": uapi.FormatXRGB8888, "C8": uapi.FormatC8} {
		if f := Parse(name); f == nil || f.Code != want {
			t.Errorf("Parse(%q) = %v, want %s", name, f, String(want))
		}
	}
	for _, name := range []string{"", "XR31", "XR24 "} {
		if f := Parse(name); f != nil {
			t.Errorf("Parse(%q) = %v, want nil", name, f)
		}
	}
}
