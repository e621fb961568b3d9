package lookalike_test

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// valued returns a standard property with all values, of which it begins with one.
func valued(kind uint32, name string, value uint64) lookalike.Property {
	p := lookalike.Property{Name: name, Flags: kind, Value: value}
	for i, word := range kms.StandardValues(name) {
		p.Enums = append(p.Enums, kms.PropertyEnum{Value: uint64(i), Name: word})
	}
	return p
}

// Properties of the second overlay and of the CRTC of a screen.
var (
	changedPlane = []lookalike.Property{
		valued(uapi.ModePropBitmask, "rotation", uapi.ModeRotate180),
		{Name: "alpha", Flags: uapi.ModePropRange, Max: kms.AlphaOpaque, Value: 0x8000},
		valued(uapi.ModePropEnum, "pixel blend mode", uint64(kms.BlendCoverage)),
		valued(uapi.ModePropEnum, "SCALING_FILTER", uint64(kms.FilterNearest)),
	}
	changedCRTC = []lookalike.Property{
		{Name: "BACKGROUND_COLOR", Flags: uapi.ModePropRange, Max: math.MaxUint64, Value: 0xffff<<48 | 0xffff},
		valued(uapi.ModePropEnum, "SCALING_FILTER", uint64(kms.FilterNearest)),
	}
)

// TestFirstValues checks that standard properties are such whatever their
// first value is: a snapshot has those that a compositor had set.
func TestFirstValues(t *testing.T) {
	properties := []lookalike.Property{
		{Name: "max bpc", Flags: uapi.ModePropRange, Min: 8, Max: 16, Value: 10},
		valued(uapi.ModePropEnum, "Colorspace", 9), valued(uapi.ModePropEnum, "Broadcast RGB", 1), valued(uapi.ModePropEnum, "content type", 3), valued(uapi.ModePropEnum, "aspect ratio", 2),
		valued(uapi.ModePropEnum, "privacy-screen sw-state", 1), valued(uapi.ModePropEnum, "Content Protection", 1), valued(uapi.ModePropEnum, "HDCP Content Type", 1),
	}
	c := newScreen(t, lookalike.Constraints{}, 1024, 768, properties...)
	check := func(object uint32, properties ...lookalike.Property) {
		t.Helper()
		list, err := c.Properties(object, uapi.ModeObjectAny)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range properties {
			if got, ok := list.Get(p.Name); !ok || got.Value != p.Value {
				t.Errorf("%s begins with %#x, want %#x", p.Name, got.Value, p.Value)
			}
		}
	}
	check(c.display.ID, append(properties, lookalike.Property{Name: "privacy-screen hw-state", Value: 1})...)
	check(c.planes[2], changedPlane...)
	check(c.display.CRTC, changedCRTC...)
	if err := c.light(uapi.ModeAtomicNonblock, c.plane(0, 1)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		property string
		value    uint64
		want     unix.Errno
	}{
		// These interrupt the signal, which the commit does not allow.
		{"max bpc", 8, unix.EINVAL}, {"Colorspace", 0, unix.EINVAL}, {"Broadcast RGB", 0, unix.EINVAL}, {"aspect ratio", 0, unix.EINVAL},
		{"content type", 0, 0}, {"privacy-screen sw-state", 0, 0},
		{"Content Protection", uapi.ModeContentProtectionEnabled, unix.EINVAL},
	} {
		err := c.Commit(uapi.ModeAtomicTestOnly, kmsclient.Set{
			Object: c.display.ID, ObjectType: uapi.ModeObjectConnector, Property: tc.property, Value: tc.value,
		})
		if kmsclient.Errno(err) != tc.want {
			t.Errorf("%s to %d: %v, want %v", tc.property, tc.value, err, tc.want)
		}
	}
}
