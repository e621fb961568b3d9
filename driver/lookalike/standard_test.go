package lookalike_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestFirstValues checks that standard properties of connectors are such whatever
// their first value is: a snapshot has those that a compositor had set.
func TestFirstValues(t *testing.T) {
	enum := func(name string, value uint64) lookalike.Property {
		p := lookalike.Property{Name: name, Flags: uapi.ModePropEnum, Value: value}
		for i, word := range kms.StandardValues(name) {
			p.Enums = append(p.Enums, kms.PropertyEnum{Value: uint64(i), Name: word})
		}
		return p
	}
	properties := []lookalike.Property{
		{Name: "max bpc", Flags: uapi.ModePropRange, Min: 8, Max: 16, Value: 10},
		enum("Colorspace", 9), enum("Broadcast RGB", 1), enum("content type", 3), enum("aspect ratio", 2),
		enum("privacy-screen sw-state", 1), enum("Content Protection", 1), enum("HDCP Content Type", 1),
	}
	c := newScreen(t, lookalike.Constraints{}, 1024, 768, properties...)
	list, err := c.Properties(c.display.ID, uapi.ModeObjectConnector)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(properties, lookalike.Property{Name: "privacy-screen hw-state", Value: 1}) {
		if got, ok := list.Get(p.Name); !ok || got.Value != p.Value {
			t.Errorf("%s begins with %d, want %d", p.Name, got.Value, p.Value)
		}
	}
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
