package kms_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

const edidPropID = 1

// A connectorView is what a client and sysfs see of a connector.
type connectorView struct {
	connection, widthMM, heightMM uint32
	edid                          []byte
	status, sysModes, sysEDID     string
}

func (f *twinFixture) view(id uint32) (v connectorView) {
	f.Helper()
	arg := uapi.ModeGetConnector{ConnectorID: id, CountModes: 1, ModesPtr: f.Put(make([]byte, 1024))}
	f.must(ioctl(f.fixture, uapi.IoctlModeGetConnector, &arg)) // without probing
	v.connection, v.widthMM, v.heightMM = arg.Connection, arg.MmWidth, arg.MmHeight
	_, values := f.properties(id, uapi.ModeObjectConnector)
	if blob := values[edidPropID]; blob != 0 {
		edid, err := f.readBlob(uint32(blob))
		f.must(err)
		v.edid = edid
	}
	for _, k := range f.device.Class().Kobjects() {
		files := make(map[string]string)
		for _, a := range k.Attrs {
			files[a.Name] = a.Show()
		}
		if k.DevType == "drm_connector" && files["connector_id"] == connectorIDFile(id) {
			v.status, v.sysModes, v.sysEDID = files["status"], files["modes"], files["edid"]
		}
	}
	return v
}

func connectorIDFile(id uint32) string { return fmt.Sprintf("%d\n", id) }

// TestHotplug unplugs a monitor and plugs others in. Clients get uevents and
// see the new monitors.
func TestHotplug(t *testing.T) {
	f := newTwin(t)
	fb := f.mustShow(0, f.connectors[0])
	c := f.display.m.Connectors()[0]
	var heard []string
	t.Cleanup(f.device.Class().Subscribe(func(e drm.Uevent) {
		heard = append(heard, e.Action+" "+e.Kobject.Name)
		heard = append(heard, e.Env...)
	}))
	plug := func(connection uint32, m *kms.Monitor) {
		f.must(f.device.WithGuard(func(dev *drm.RegisteredDevice) error { c.Hotplug(dev, connection, m); return nil }))
	}
	check := func(what string, connection uint32, status, modes string, edid []byte, widthMM uint32) {
		t.Helper()
		v := f.view(c.ID())
		if v.connection != connection || v.status != status || v.sysModes != modes || v.widthMM != widthMM ||
			!bytes.Equal(v.edid, edid) || v.sysEDID != string(edid) {
			t.Errorf("%s: %+v", what, v)
		}
		if want := []string{"change card0", "HOTPLUG=1", fmt.Sprintf("CONNECTOR=%d", c.ID())}; !slices.Equal(heard, want) {
			t.Errorf("%s: uevents %q, want %q", what, heard, want)
		}
		heard = nil
	}
	sized := func(w, h uint16, name string) mode.Mode {
		return mode.Mode{Clock: 100000, HDisplay: w, HSyncStart: w + 8, HSyncEnd: w + 40, HTotal: w + 80,
			VDisplay: h, VSyncStart: h + 1, VSyncEnd: h + 4, VTotal: h + 30, Name: name}
	}

	plug(uapi.ModeDisconnected, nil)
	check("pulled", uapi.ModeDisconnected, "disconnected\n", "", nil, 0)
	if lit, _ := f.lit(); !lit[0] {
		t.Error("unplugging the monitor has switched the CRTC off, which is up to clients")
	}
	f.must(f.atomic(uapi.ModePageFlipEvent|uapi.ModeAtomicNonblock, 0, change{f.planes[0], fbPropID, uint64(fb)}))
	f.step()
	f.event()

	objects := f.display.m.Objects()
	first := &kms.Monitor{EDID: []byte("one"), WidthMM: 600, HeightMM: 340, Modes: []mode.Mode{
		sized(800, 600, "small"), sized(1600, 1200, "large"), sized(8000, 600, "wider than the device"), {Name: "nonsense"},
	}}
	plug(uapi.ModeConnected, first)
	check("plugged", uapi.ModeConnected, "connected\n", "large\nsmall\n", first.EDID, 600)
	plug(uapi.ModeConnected, &kms.Monitor{EDID: []byte("two")})
	check("another", uapi.ModeConnected, "connected\n", "1024x768\n800x600\n800x600\n848x480\n640x480\n", []byte("two"), 0)
	plug(uapi.ModeUnknownConnection, first)
	check("unknown", uapi.ModeUnknownConnection, "unknown\n", "large\nsmall\n", first.EDID, 600)
	if n := f.display.m.Objects(); n != objects+1 {
		t.Errorf("%d objects, want one more than %d, for the EDID", n, objects)
	}
	plug(uapi.ModeDisconnected, first)
	check("pulled again", uapi.ModeDisconnected, "disconnected\n", "", nil, 0)
	if n := f.display.m.Objects(); n != objects {
		t.Errorf("%d objects, want %d, without EDID", n, objects)
	}
}
