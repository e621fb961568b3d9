package conformance

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
)

// connectorCases are about what a connector has from its start to its end.
var connectorCases = []Case{
	{"connector/names", NeedModeset, connectorNames},
	{"connector/core-properties", NeedAtomic, coreProperties},
	{"connector/probe", NeedDebugfs, connectorProbe},
	{"edid/another-monitor", NeedEDID, anotherMonitor},
	{"edid/errors", NeedEDID, edidErrors},
}

// connectorTypes are the kernel's names of connector types, by number.
var connectorTypes = strings.Fields("Unknown VGA DVI-I DVI-D DVI-A Composite SVIDEO LVDS Component DIN DP HDMI-A HDMI-B TV eDP " +
	"Virtual DSI DPI Writeback SPI USB")

// A socket is a connector with its names.
type socket struct {
	*file
	id     uint32
	name   string // "HDMI-A-1"
	object string // in sysfs: "card0-HDMI-A-1"
}

// Socket returns the names of a connector.
func (f *file) Socket(id uint32) *socket {
	f.t.Helper()
	c, err := f.GetConnector(id)
	f.t.Must("GETCONNECTOR", err)
	if int(c.Type) >= len(connectorTypes) {
		f.t.Fatalf("connector %d has the unknown type %d", id, c.Type)
	}
	name := fmt.Sprintf("%s-%d", connectorTypes[c.Type], c.TypeID)
	return &socket{f, id, name, f.card() + "-" + name}
}

// card returns the name of the node: "card0".
func (f *file) card() string { return filepath.Base(f.name) }

// MainSocket returns the connector of the first display.
func (f *file) MainSocket() *socket {
	f.t.Helper()
	return f.Socket(f.Display().Connector.ID)
}

// Look returns what the last probe has found. Its fields CountModes and
// Connection are set. It does not probe.
func (s *socket) Look(as *file) uapi.ModeGetConnector {
	s.t.Helper()
	arg := uapi.ModeGetConnector{ConnectorID: s.id, CountModes: 1, ModesPtr: addr(s.t, make([]uapi.ModeInfo, 1))}
	as.Must(uapi.IoctlModeGetConnector, &arg)
	return arg
}

// Probe asks for a probe and returns what it has found, if the file is that of
// the master.
func (s *socket) Probe(as *file) uapi.ModeGetConnector {
	s.t.Helper()
	arg := uapi.ModeGetConnector{ConnectorID: s.id}
	as.Must(uapi.IoctlModeGetConnector, &arg)
	return arg
}

// EDID returns the blob of the property EDID, 0 for none, with its content.
func (s *socket) EDID() (id uint32, data string) {
	s.t.Helper()
	id = uint32(s.MustProperties(s.id, uapi.ModeObjectConnector)["EDID"].Value)
	if id == 0 {
		return 0, ""
	}
	blob, err := s.GetBlob(id)
	s.t.Must("the blob of EDID", err)
	return id, string(blob)
}

// SetDebugfs writes to a file of the connector in debugfs.
func (s *socket) SetDebugfs(file, data string) error {
	return s.t.target.Surroundings.WriteDebugfs(s.card(), s.name+"/"+file, data)
}

// connectorNames checks that a type and a number name one connector only.
func connectorNames(t *tester) {
	f := t.Open()
	_ = f.SetClientCap(uapi.ClientCapAtomic, 1) // if supported, as the next
	_ = f.SetClientCap(uapi.ClientCapWritebackConnectors, 1)
	seen := make(map[string]bool)
	for _, id := range f.MustResources().Connectors {
		s := f.Socket(id)
		if seen[s.name] || strings.HasSuffix(s.name, "-0") {
			t.Errorf("connector %d is %s, which counts from 0 or is the name of another one", id, s.name)
		}
		seen[s.name] = true
	}
}

// coreProperties checks the properties that every connector has.
func coreProperties(t *tester) {
	f := t.Open()
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	_ = f.SetClientCap(uapi.ClientCapWritebackConnectors, 1)
	for _, id := range f.MustResources().Connectors {
		properties := f.MustProperties(id, uapi.ModeObjectConnector)
		for _, name := range []string{"DPMS", "link-status", "non-desktop", "TILE", "CRTC_ID"} {
			if _, ok := properties[name]; !ok {
				t.Errorf("connector %d lacks the property %s", id, name)
			}
		}
		equal(t, fmt.Sprintf("link-status of connector %d at the start", id), properties["link-status"].Value, uapi.ModeLinkStatusGood)
	}
}

// connectorProbe checks that only a GETCONNECTOR of the master that asks for no
// modes probes the connector.
func connectorProbe(t *tester) {
	f, other := t.Open(), t.Open()
	s := f.MainSocket()
	before := s.Probe(f)
	equal(t, "the connection", before.Connection, uapi.ModeConnected)
	t.Cleanup(func() {
		_ = s.SetDebugfs("force", "unspecified") // best effort
		s.Probe(f)
	})
	check := func(what string, got uapi.ModeGetConnector, connection, modes uint32) {
		t.Helper()
		equal(t, "the connection "+what, got.Connection, connection)
		equal(t, "the number of modes "+what, got.CountModes, modes)
	}
	t.Must("force off in debugfs", s.SetDebugfs("force", "off"))
	check("for another client that wants a probe", s.Probe(other), uapi.ModeConnected, before.CountModes)
	check("without a probe", s.Look(f), uapi.ModeConnected, before.CountModes)
	check("after a probe", s.Probe(f), uapi.ModeDisconnected, 0)
	check("for another client after a probe", s.Look(other), uapi.ModeDisconnected, 0)
	t.Must("no force in debugfs", s.SetDebugfs("force", "unspecified"))
	check("for another client that wants a probe", s.Probe(other), uapi.ModeDisconnected, 0)
	check("without a probe", s.Look(f), uapi.ModeDisconnected, 0)
	check("after a probe", s.Probe(f), uapi.ModeConnected, before.CountModes)
	for _, word := range []string{"on-digital", "detect", "unforced", "off ", "unspecified\n"} {
		t.Want(fmt.Sprintf("force %q in debugfs", word), s.SetDebugfs("force", word), unix.EINVAL)
	}
}

// newEDID returns the EDID of a monitor with one mode.
func newEDID(t *tester, name string, width, height int) string {
	t.Helper()
	timing, err := mode.For(width, height, 60)
	t.Must("a mode", err)
	data, err := (&edid.Monitor{Name: name, Modes: []mode.Mode{timing}}).Encode()
	t.Must("an EDID", err)
	return string(data)
}

// Override replaces the EDID of the monitor until the end of the case, and
// probes the connector.
func (s *socket) Override(edid string) error {
	if err := s.SetDebugfs("edid_override", edid); err != nil {
		return err
	}
	s.t.Cleanup(func() {
		_ = s.SetDebugfs("edid_override", "reset") // best effort
		s.Probe(s.file)
	})
	s.Probe(s.file)
	return nil
}

// anotherMonitor checks that an EDID that changes is a new blob, and that its
// modes are those of the connector.
func anotherMonitor(t *tester) {
	f := t.Open()
	s := f.MainSocket()
	_, own := s.EDID()
	check := func(what, want string, width, height uint16) {
		t.Helper()
		_, data := s.EDID()
		if data != want {
			t.Errorf("the EDID %s has %d bytes: %x, want %x", what, len(data), data, want)
		}
		file, err := t.target.Surroundings.ReadAttr(s.object, "edid")
		t.Must("the file edid", err)
		equal(t, "the file edid "+what, file == want, true)
		c, err := f.GetConnector(s.id)
		t.Must("GETCONNECTOR", err)
		if !slices.ContainsFunc(c.Modes, func(m uapi.ModeInfo) bool { return m.HDisplay == width && m.VDisplay == height }) {
			t.Errorf("%s the mode %dx%d is missing", what, width, height)
		}
	}
	first, second := newEDID(t, "First", 1280, 720), newEDID(t, "Second", 1440, 900)
	t.Must("an EDID for the connector", s.Override(first))
	check("of the first monitor", first, 1280, 720)
	old, _ := s.EDID()
	t.Must("another EDID for the connector", s.SetDebugfs("edid_override", second))
	if blob, data := s.EDID(); blob != old || data != first {
		t.Errorf("before a probe the EDID has the blob %d, want %d", blob, old)
	}
	s.Probe(f) // one only, because later ones may use the id again
	if blob, _ := s.EDID(); blob == old {
		t.Errorf("another EDID has the same blob %d", blob)
	}
	f.Want("of the EDID that was replaced", uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: old}, unix.ENOENT)
	check("of the second monitor", second, 1440, 900)
	t.Must("the monitor's own EDID", s.SetDebugfs("edid_override", "reset"))
	s.Probe(f)
	_, now := s.EDID()
	equal(t, "the EDID is the monitor's own again", now == own, true)
}

// edidErrors checks that a bad EDID is refused, and changes nothing.
func edidErrors(t *tester) {
	s := t.Open().MainSocket()
	good := newEDID(t, "Good", 1280, 720)
	t.Must("an EDID for the connector", s.Override(good))
	checksum := []byte(good)
	checksum[127]++
	for what, bad := range map[string]string{"half an EDID": good[:64], "a wrong checksum": string(checksum), "reset with a newline": "reset\n"} {
		t.Want("edid_override with "+what, s.SetDebugfs("edid_override", bad), unix.EINVAL)
	}
	s.Probe(s.file)
	_, data := s.EDID()
	equal(t, "the EDID is the last good one", data == good, true)
}
