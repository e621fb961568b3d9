package kms_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// TestForce overrides what a probe detects: by status in sysfs, and by force
// and edid_override in debugfs.
func TestForce(t *testing.T) {
	f := newTwin(t)
	c := f.display.m.Connectors()[0]
	f.must(f.device.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.Hotplug(dev, uapi.ModeConnected, &kms.Monitor{EDID: []byte("its own")})
		return nil
	}))
	var heard []string
	t.Cleanup(f.device.Class().Subscribe(func(e drm.Uevent) { heard = append(heard, e.Env...) }))
	status := func(data string) error {
		for _, k := range f.device.Class().Kobjects() {
			for _, a := range k.Attrs {
				if a.Name == "status" && strings.HasSuffix(k.Name, c.Name()) {
					return a.Store(data)
				}
			}
		}
		t.Fatal("no file status")
		return nil
	}
	debugfs := func(name string) drm.DebugfsFile {
		for _, file := range f.device.DebugfsFiles() {
			if file.Path == c.Name()+"/"+name {
				return file
			}
		}
		t.Fatalf("no file %s", name)
		panic("unreachable")
	}
	probe := func() {
		f.must(ioctl(f.fixture, uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: c.ID()}))
	}
	check := func(what string, connection uint32, edid []byte, force string, tells bool) {
		t.Helper()
		v := f.view(c.ID())
		if v.connection != connection || !bytes.Equal(v.edid, edid) || debugfs("force").Show() != force+"\n" {
			t.Errorf("%s: %+v, forced %q", what, v, debugfs("force").Show())
		}
		if slices.Contains(heard, "HOTPLUG=1") != tells {
			t.Errorf("%s: uevents %q", what, heard)
		}
		heard = nil
	}

	f.must(status("off\n"))
	check("off", uapi.ModeDisconnected, nil, "off", true)
	f.must(status("on"))
	check("on", uapi.ModeConnected, []byte("its own"), "on", true)
	f.must(status("on-digital"))
	check("on and digital", uapi.ModeConnected, []byte("its own"), "digital", false)
	f.must(status("detect\n"))
	check("as it is", uapi.ModeConnected, []byte("its own"), "unspecified", false)
	want(t, "a word for status", status("up"), unix.EINVAL)

	f.must(debugfs("force").Store("off\n"))
	check("off, before a probe", uapi.ModeConnected, []byte("its own"), "off", false)
	probe()
	check("off, after it", uapi.ModeDisconnected, nil, "off", false)
	f.must(debugfs("force").Store("unspecified"))
	want(t, "a word with a newline that has no room", debugfs("force").Store("unspecified\n"), unix.EINVAL)
	want(t, "reset with a newline", debugfs("edid_override").Store("reset\n"), unix.EINVAL)
	want(t, "a word for force", debugfs("force").Store("on-digital"), unix.EINVAL)

	timing, err := mode.For(1280, 720, 60)
	f.must(err)
	other, err := (&edid.Monitor{Name: "Other", Modes: []mode.Mode{timing}}).Encode()
	f.must(err)
	f.must(debugfs("edid_override").Store(string(other)))
	probe()
	check("another EDID", uapi.ModeConnected, other, "unspecified", false)
	if v := f.view(c.ID()); v.sysModes != "1280x720\n" || debugfs("edid_override").Show() != string(other) {
		t.Errorf("another EDID: %+v", v)
	}
	want(t, "half an EDID", debugfs("edid_override").Store(string(other[:64])), unix.EINVAL)
	f.must(debugfs("edid_override").Store("reset"))
	probe()
	check("its own EDID", uapi.ModeConnected, []byte("its own"), "unspecified", false)

	// Without a monitor, there are fallback modes, not those of the monitor that
	// was pulled out.
	f.must(f.device.WithGuard(func(dev *drm.RegisteredDevice) error {
		c.Hotplug(dev, uapi.ModeDisconnected, &kms.Monitor{EDID: other, Modes: []mode.Mode{timing}})
		return nil
	}))
	heard = nil
	f.must(status("on\n"))
	check("forced on without a monitor", uapi.ModeConnected, nil, "on", true)
	if v := f.view(c.ID()); v.widthMM != 0 || v.sysModes != "1024x768\n800x600\n800x600\n848x480\n640x480\n" {
		t.Errorf("forced on without a monitor: %+v", v)
	}
	f.must(status("detect\n"))
	check("detected", uapi.ModeDisconnected, nil, "unspecified", true)
}

// TestOutputBPC checks the bits per component of the monitor, as debugfs has
// them after a probe.
func TestOutputBPC(t *testing.T) {
	f := newTwin(t)
	c := f.display.m.Connectors()[0]
	for _, step := range []struct {
		connection uint32
		bpc        uint32
		want       string
	}{
		{uapi.ModeConnected, 10, "Maximum: 10\n"},
		{uapi.ModeConnected, 0, "Maximum: 0\n"},
		{uapi.ModeDisconnected, 8, "Maximum: 0\n"},
	} {
		f.must(f.device.WithGuard(func(dev *drm.RegisteredDevice) error {
			c.Hotplug(dev, step.connection, &kms.Monitor{BPC: step.bpc})
			return nil
		}))
		for _, file := range f.device.DebugfsFiles() {
			if file.Path == c.Name()+"/output_bpc" && file.Show() != step.want {
				t.Errorf("a monitor of %d bits: %q, want %q", step.bpc, file.Show(), step.want)
			}
		}
	}
}
