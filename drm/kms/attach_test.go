package kms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// TestProperties checks a driver's properties of all kinds: their values
// belong to the state, and blobs live as long as a state has them.
func TestProperties(t *testing.T) {
	var volume, mask, table, friend *kms.Property
	var signed, choice, reported *kms.Property
	p, f := newBare(t, policy{attach: func(p *bare) {
		m := p.m
		volume = m.CreateRangeProperty("volume", uapi.ModePropAtomic, 0, 100)
		signed = m.CreateSignedRangeProperty("balance", 0, -5, 5)
		choice = m.CreateEnumProperty("choice", 0, kms.PropertyEnum{Value: 7, Name: "seven"}, kms.PropertyEnum{Value: 2, Name: "two"})
		mask = m.CreateBitmaskProperty("mask", 0, kms.PropertyEnum{Value: 1, Name: "low"}, kms.PropertyEnum{Value: 4, Name: "high"})
		table = m.CreateBlobProperty("table", 0)
		friend = m.CreateObjectProperty("friend", 0, uapi.ModeObjectPlane)
		reported = m.CreateRangeProperty("reported", uapi.ModePropImmutable, 0, 9)
		m.AttachProperty(p.overlay, volume, kms.PropertyConfig{
			Initial: 30,
			Set: func(a *kms.AtomicState, value uint64) (uint64, error) {
				if value == 13 {
					return 0, fmt.Errorf("bare: 13 brings bad luck: %w", unix.EDOM)
				}
				return value &^ 1, nil // even volumes only
			},
			Get: func(s *kms.State, value uint64) uint64 { return value + 1000 },
			Check: func(a *kms.AtomicState) error {
				if a.New().Property(p.overlay, volume) > 50 && a.New().Property(p.crtc, choice) == 2 {
					return fmt.Errorf("bare: too loud for two: %w", unix.EINVAL)
				}
				return nil
			},
		})
		m.AttachProperty(p.connector, signed, kms.PropertyConfig{})
		m.AttachProperty(p.crtc, choice, kms.PropertyConfig{Initial: 7})
		m.AttachProperty(p.primary, mask, kms.PropertyConfig{})
		m.AttachProperty(p.crtc, table, kms.PropertyConfig{InitialBlob: []byte("first")})
		m.AttachProperty(p.connector, friend, kms.PropertyConfig{})
		m.AttachProperty(p.connector, reported, kms.PropertyConfig{Initial: 3})
	}})
	m := p.m
	one := func(o kms.Object, property *kms.Property, value uint64) change {
		return change{o.ID(), property.ID(), value}
	}
	try := func(what string, errno unix.Errno, changes ...change) {
		t.Helper()
		want(t, what, f.atomic(0, 0, changes...), errno)
	}
	value := func(o kms.Object, property *kms.Property) uint64 { return m.State().Property(o, property) }

	f.wantValue("initially", p.overlay, "volume", 1030)
	try("an odd volume", 0, one(p.overlay, volume, 41))
	f.wantValue("Set and Get", p.overlay, "volume", 1040)
	try("a volume that Set refuses", unix.EDOM, one(p.overlay, volume, 13))
	try("a volume out of range", unix.EINVAL, one(p.overlay, volume, 101))
	try("a volume that Check refuses, with another change", unix.EINVAL,
		one(p.connector, signed, 1), one(p.crtc, choice, 2), one(p.overlay, volume, 60))
	if value(p.overlay, volume) != 40 || value(p.crtc, choice) != 7 || value(p.connector, signed) != 0 {
		t.Error("a refused change has changed values")
	}
	want(t, "a test", f.atomic(uapi.ModeAtomicTestOnly, 0, one(p.overlay, volume, 60)), 0)
	if value(p.overlay, volume) != 40 {
		t.Error("a test has changed the volume")
	}
	before := m.State()
	try("a signed number", 0, one(p.connector, signed, ^uint64(4)))
	try("a signed number out of range", unix.EINVAL, one(p.connector, signed, 6))
	if before.Property(p.connector, signed) != 0 || int64(value(p.connector, signed)) != -5 {
		t.Error("a state has changed, or a commit has not")
	}
	try("an enum", 0, one(p.crtc, choice, 2))
	try("an enum that does not exist", unix.EINVAL, one(p.crtc, choice, 3))
	try("a bitmask", 0, one(p.primary, mask, 1<<4|1<<1))
	try("a bitmask with an unknown bit", unix.EINVAL, one(p.primary, mask, 1<<2))
	try("an object", 0, one(p.connector, friend, uint64(p.overlay.ID())))
	try("an object of another type", unix.EINVAL, one(p.connector, friend, uint64(p.crtc.ID())))
	try("an immutable property", unix.EINVAL, one(p.connector, reported, 4))

	// The legacy requests change them as well; volume is for atomic clients.
	legacy := f.open()
	if _, values := legacy.properties(p.overlay.ID(), uapi.ModeObjectPlane); values[volume.ID()] != 0 {
		t.Error("a client without DRM_CLIENT_CAP_ATOMIC sees the volume")
	}
	want(t, "SETPROPERTY", ioctl(f, uapi.IoctlModeObjSetProperty, &uapi.ModeObjSetProperty{
		ObjID: p.connector.ID(), PropID: signed.ID(), Value: 2, ObjType: uapi.ModeObjectConnector,
	}), 0)
	f.wantValue("after SETPROPERTY", p.connector, "balance", 2)

	// Blobs. The client gives its own up; the state keeps it.
	if got := string(m.State().PropertyBlob(p.crtc, table).Data()); got != "first" {
		t.Errorf("the first table is %q", got)
	}
	objects := m.Objects()
	blob := f.createBlob([]byte("second"))
	try("a blob", 0, one(p.crtc, table, uint64(blob)))
	f.must(ioctl(f, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: blob}))
	if got := string(m.State().PropertyBlob(p.crtc, table).Data()); got != "second" || m.Objects() != objects+1 {
		t.Errorf("the table is %q, of %d objects; want the second, %d", got, m.Objects(), objects+1)
	}
	try("no blob", 0, one(p.crtc, table, 0))
	if m.State().PropertyBlob(p.crtc, table) != nil || m.Objects() != objects {
		t.Errorf("%d objects are left, want %d", m.Objects(), objects)
	}

	// What the hardware reports.
	f.must(p.Driver.Device.WithGuard(func(dev *drm.RegisteredDevice) error {
		return errors.Join(m.UpdateProperty(dev, p.connector, reported, 5), m.UpdatePropertyBlob(dev, p.crtc, table, []byte("third")))
	}))
	f.wantValue("after the update", p.connector, "reported", 5)
	if got := string(m.State().PropertyBlob(p.crtc, table).Data()); got != "third" || m.Objects() != objects+1 {
		t.Errorf("the table is %q, of %d objects; want the third, %d", got, m.Objects(), objects+1)
	}
	if err := p.Driver.Device.WithGuard(func(dev *drm.RegisteredDevice) error {
		return m.UpdateProperty(dev, p.connector, reported, 10)
	}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an update out of range: %v", err)
	}
	if err := f.parent.Remove(context.Background()); err != nil {
		t.Error(err)
	}
	legacy.File.Close()
	f.File.Close()
	if m.Objects() != objects {
		t.Errorf("after the end, %d objects are left, want %d", m.Objects(), objects)
	}
}
