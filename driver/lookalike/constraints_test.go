package lookalike_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/lookalike"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// TestConstraints checks which commits each constraint refuses, with what errno
// and reason.
func TestConstraints(t *testing.T) {
	const width, height = 1024, 768
	const frame = width * height * 4
	for _, tc := range []struct {
		name        string
		constraints lookalike.Constraints
		commit      func(c *screen) error
		want        unix.Errno
		reason      string
	}{
		{"none", lookalike.Constraints{}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 1), c.plane(2, 2), c.plane(3, 1)) }, 0, ""},
		{"two of two planes", lookalike.Constraints{PlanesPerCRTC: 2}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 1)) }, 0, ""},
		{"three of two planes", lookalike.Constraints{PlanesPerCRTC: 2}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 1), c.plane(2, 1)) },
			unix.ENOSPC, "constraint planes_per_crtc"},
		{"a plane outside", lookalike.Constraints{PlanesPerCRTC: 2}, func(c *screen) error {
			return c.show(c.plane(0, 1), c.plane(1, 1), append(c.plane(2, 1), kmsclient.Set{Object: c.planes[2], ObjectType: uapi.ModeObjectPlane, Property: "CRTC_X", Value: width}))
		}, 0, ""},
		{"one scaler of one", lookalike.Constraints{Scalers: 1}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 2)) }, 0, ""},
		{"two scalers of one", lookalike.Constraints{Scalers: 1}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 2), c.plane(2, 2)) },
			unix.ENOSPC, "constraint scalers"},
		{"a scaler of none", lookalike.Constraints{NoScaler: true}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 2)) },
			unix.ENOSPC, "constraint scalers"},
		{"bandwidth for one", lookalike.Constraints{Bandwidth: 61 * frame}, func(c *screen) error { return c.show(c.plane(0, 1)) }, 0, ""},
		{"bandwidth for two", lookalike.Constraints{Bandwidth: 60 * frame}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(1, 1)) },
			unix.ENOSPC, "constraint bandwidth"},
		{"a cursor of 64x64", lookalike.Constraints{CursorSizes: []lookalike.Size{{Width: 64, Height: 64}}}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(3, 1)) }, 0, ""},
		{"a cursor of 128x128", lookalike.Constraints{CursorSizes: []lookalike.Size{{Width: 128, Height: 128}}}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(3, 1)) },
			unix.EINVAL, "constraint cursor_sizes"},
		{"a cursor without alpha", lookalike.Constraints{CursorFormats: []uint32{uapi.FormatARGB8888}}, func(c *screen) error { return c.show(c.plane(0, 1), c.plane(3, 1)) },
			unix.EINVAL, "constraint cursor_formats"},
		{"tables of colours", lookalike.Constraints{}, func(c *screen) error { return c.show(c.plane(0, 1), c.lut("GAMMA_LUT", 32), c.lut("DEGAMMA_LUT", 8)) }, 0, ""},
		{"a longer GAMMA_LUT", lookalike.Constraints{}, func(c *screen) error { return c.show(c.plane(0, 1), c.lut("GAMMA_LUT", 33)) },
			unix.EINVAL, "GAMMA_LUT of CRTC"},
		{"a longer DEGAMMA_LUT", lookalike.Constraints{}, func(c *screen) error { return c.show(c.plane(0, 1), c.lut("DEGAMMA_LUT", 9)) },
			unix.EINVAL, "DEGAMMA_LUT of CRTC"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newScreen(t, tc.constraints, width, height)
			err := tc.commit(c)
			if kmsclient.Errno(err) != tc.want {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if tc.want != 0 && !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("the reason is %v, want %s", err, tc.reason)
			}
		})
	}
}

// A screen is a client of a card with three planes and a cursor.
type screen struct {
	*kmsclient.Client
	t             *testing.T
	display       *kmsclient.Display
	planes        []uint32
	width, height uint32
}

// newScreen makes a card whose connector has the properties.
func newScreen(t *testing.T, constraints lookalike.Constraints, width, height uint32, properties ...lookalike.Property) *screen {
	plane := func(kind int) lookalike.Plane {
		return lookalike.Plane{Type: kind, PossibleCRTCs: 1, Formats: []uint32{uapi.FormatXRGB8888, uapi.FormatARGB8888}, MinScale: kms.NoScaling / 4}
	}
	timing, err := mode.For(int(width), int(height), 60)
	if err != nil {
		t.Fatal(err)
	}
	config := lookalike.Config{
		Info: drm.DriverInfo{Name: "small"}, Bus: lookalike.Bus{Type: "platform"}, Limits: kms.Limits{MaxWidth: 4096, MaxHeight: 4096},
		Planes: []lookalike.Plane{
			plane(uapi.PlaneTypePrimary), plane(uapi.PlaneTypeOverlay), plane(uapi.PlaneTypeOverlay), plane(uapi.PlaneTypeCursor),
		},
		CRTCs:    []lookalike.CRTC{{GammaSize: 16, LUTSize: 32, DegammaSize: 8}},
		Encoders: []lookalike.Encoder{{PossibleCRTCs: 1}},
		Connectors: []lookalike.Connector{{
			Type: uapi.ModeConnectorHDMIA, PossibleEncoders: []int{0}, Monitor: &kms.Monitor{Modes: []mode.Mode{timing}}, Properties: properties,
		}},
		Constraints: constraints,
		Clock:       &kms.ManualClock{},
	}
	config.Planes[2].Properties, config.CRTCs[0].Properties = changedPlane, changedCRTC
	config.LegacyPlanes()
	class := drm.NewClass(drm.ClassOptions{})
	parent := drmtest.Bind(t, bus.New("platform"), "small", lookalike.NewDriver(class, config).BusDriver())
	var node *drm.Minor
	for _, minor := range class.Minors() {
		if minor.Device().Parent() == parent {
			node = minor
		}
	}
	c := &screen{t: t, width: width, height: height}
	c.Client = kmsclient.New(drmtest.Open(t, node).Process())
	for _, capability := range []uint64{uapi.ClientCapUniversalPlanes, uapi.ClientCapAtomic} {
		if err := c.SetClientCap(capability, 1); err != nil {
			t.Fatal(err)
		}
	}
	if c.display, err = c.Display(); err != nil {
		t.Fatal(err)
	}
	if c.planes, err = c.Planes(); err != nil || len(c.planes) != 4 {
		t.Fatalf("planes %v: %v", c.planes, err)
	}
	return c
}

// plane shows a framebuffer on a plane, enlarged by a factor.
func (c *screen) plane(index int, factor uint64) []kmsclient.Set {
	width, height := c.width, c.height
	if index == 3 {
		width, height = 64, 64
	}
	fb, err := c.NewFB(width, height, 32, uapi.FormatXRGB8888)
	if err != nil {
		c.t.Fatal(err)
	}
	var sets []kmsclient.Set
	for name, value := range map[string]uint64{
		"FB_ID": uint64(fb), "CRTC_ID": uint64(c.display.CRTC), "CRTC_W": uint64(width), "CRTC_H": uint64(height),
		"SRC_W": uint64(width) << 16 / factor, "SRC_H": uint64(height) << 16 / factor,
	} {
		sets = append(sets, kmsclient.Set{Object: c.planes[index], ObjectType: uapi.ModeObjectPlane, Property: name, Value: value})
	}
	return sets
}

// lut sets a table of colours of the CRTC.
func (c *screen) lut(property string, entries int) []kmsclient.Set {
	blob, err := c.CreateBlob(make([]byte, 8*entries))
	if err != nil {
		c.t.Fatal(err)
	}
	return []kmsclient.Set{{Object: c.display.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: property, Value: uint64(blob)}}
}

// show tests a commit that lights the display with the planes.
func (c *screen) show(planes ...[]kmsclient.Set) error {
	return c.light(uapi.ModeAtomicTestOnly, planes...)
}

// light lights the display with the planes.
func (c *screen) light(flags uint32, planes ...[]kmsclient.Set) error {
	blob, err := c.CreateModeBlob(&c.display.Mode)
	if err != nil {
		c.t.Fatal(err)
	}
	sets := []kmsclient.Set{
		{Object: c.display.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "ACTIVE", Value: 1},
		{Object: c.display.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "MODE_ID", Value: uint64(blob)},
		{Object: c.display.ID, ObjectType: uapi.ModeObjectConnector, Property: "CRTC_ID", Value: uint64(c.display.CRTC)},
	}
	return c.Commit(flags|uapi.ModeAtomicAllowModeset, append(sets, slices.Concat(planes...)...)...)
}
