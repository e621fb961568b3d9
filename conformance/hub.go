package conformance

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/edid"
	"github.com/udrm/udrm/drm/mode"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// hubCases are about connectors that come and go while the device is in use, as
// those of a hub of DisplayPort MST, and about monitors of several tiles.
var hubCases = []Case{
	{"hub/appears", NeedHub, hubAppears},
	{"hub/goes", NeedHub, hubGoes},
	{"hub/goes-lit", NeedHub | NeedDisplay | NeedDumb | NeedAtomic, hubGoesLit},
	{"tile/groups", NeedEDID | NeedTwoDisplays, tileGroups},
}

// AddConnector adds a connector to the device. It is removed at the end of the
// case, unless the case has removed it.
func (t *tester) AddConnector() (name string) {
	t.Helper()
	name, err := t.target.AddConnector()
	t.Must("adding a connector", err)
	t.Cleanup(func() { _ = t.target.RemoveConnector(name) }) // it may be gone
	return name
}

// RemoveConnector removes a connector that AddConnector has added.
func (t *tester) RemoveConnector(name string) {
	t.Helper()
	t.Must("removing connector "+name, t.target.RemoveConnector(name))
}

// Await returns the next uevent that matches. The case ends if there is none.
func (t *tester) Await(l Listener, what string, matches func(keys map[string]string) bool) map[string]string {
	t.Helper()
	for deadline := time.Now().Add(timeout); ; {
		keys, err := l.Next(max(0, time.Until(deadline)))
		t.Must("waiting for a uevent", err)
		if keys == nil {
			t.Fatalf("no uevent within %v: %s", timeout, what)
		}
		if matches(keys) {
			return keys
		}
	}
}

// AwaitConnector returns the next uevent of an object of the card, such as
// "card0-DP-1".
func (t *tester) AwaitConnector(l Listener, action, object string) map[string]string {
	t.Helper()
	keys := t.Await(l, action+" of "+object, func(keys map[string]string) bool {
		return keys["ACTION"] == action && filepath.Base(keys["DEVPATH"]) == object
	})
	equal(t, "the type of "+object, keys["DEVTYPE"], "drm_connector")
	return keys
}

// AwaitHotplug returns the next uevent of the card with HOTPLUG=1.
func (f *file) AwaitHotplug(l Listener) map[string]string {
	f.t.Helper()
	return f.t.Await(l, "HOTPLUG=1 of "+f.card(), func(keys map[string]string) bool {
		return keys["ACTION"] == "change" && keys["HOTPLUG"] == "1" && keys["DEVNAME"] == "dri/"+f.card()
	})
}

// AwaitTopology returns after the next uevent of the card with HOTPLUG=1 for all
// connectors.
func (f *file) AwaitTopology(l Listener) {
	f.t.Helper()
	for {
		if _, one := f.AwaitHotplug(l)["CONNECTOR"]; !one {
			return
		}
	}
}

// NewConnector returns the connector that is not among those of before.
func (f *file) NewConnector(before []uint32) *socket {
	f.t.Helper()
	now := slices.DeleteFunc(f.MustResources().Connectors, func(id uint32) bool { return slices.Contains(before, id) })
	if len(now) != 1 {
		f.t.Fatalf("new connectors are %d, want one", now)
	}
	return f.Socket(now[0])
}

var streamPath = regexp.MustCompile(`^mst:([0-9]+)(-[0-9]+)+\x00$`)

// hubAppears checks that a connector that is added has a name, an id and a
// property PATH, and that it is announced: first the object in sysfs, then the
// hot-plug of the connector, then that of the card.
func hubAppears(t *tester) {
	f := t.Open()
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	before := f.MustResources().Connectors
	l := t.Listen()
	name := t.AddConnector()
	t.AwaitConnector(l, "add", f.card()+"-"+name)
	keys := f.AwaitHotplug(l)
	s := f.NewConnector(before)
	equal(t, "the name", s.name, name)
	if id, ok := keys["CONNECTOR"]; ok { // which drivers may leave out
		equal(t, "CONNECTOR", id, fmt.Sprint(s.id))
	}
	f.AwaitTopology(l)
	s.wantState("added", true)
	equal(t, "the file connector_id", s.Attr("connector_id"), fmt.Sprintf("%d\n", s.id))
	c, err := f.GetConnector(s.id)
	t.Must("GETCONNECTOR", err)
	if len(c.Encoders) == 0 {
		t.Errorf("connector %s has no encoders", name)
	}
	blob, err := f.GetBlob(uint32(f.MustProperties(s.id, uapi.ModeObjectConnector)["PATH"].Value))
	t.Must("the blob of PATH", err)
	match := streamPath.FindStringSubmatch(string(blob))
	if match == nil {
		t.Fatalf("PATH is %q, want mst:CONNECTOR-PORT and a zero byte", blob)
	}
	root, err := strconv.ParseUint(match[1], 10, 32)
	t.Must("the id in PATH", err)
	if !slices.Contains(before, uint32(root)) {
		t.Errorf("PATH %q begins with %d, which is no connector of the card (%d)", blob, root, before)
	}

	another := t.AddConnector()
	t.AwaitConnector(l, "add", f.card()+"-"+another)
	other := f.NewConnector(append(before, s.id))
	equal(t, "whether a second one has the same name", another == name, false)
	second, err := f.GetBlob(uint32(f.MustProperties(other.id, uapi.ModeObjectConnector)["PATH"].Value))
	t.Must("the blob of the second PATH", err)
	equal(t, "whether a second one has the same PATH", string(second) == string(blob), false)
}

// hubGoes checks that a connector that is removed while it is dark is gone, and
// that this is announced.
func hubGoes(t *tester) {
	f := t.Open()
	before := f.MustResources().Connectors
	name := t.AddConnector()
	s := f.NewConnector(before)
	l := t.Listen()
	t.RemoveConnector(name)
	t.AwaitConnector(l, "remove", s.object)
	f.AwaitTopology(l)
	s.wantGone(before)
}

// wantGone checks that the connector does not exist. before are the others.
func (s *socket) wantGone(before []uint32) {
	s.t.Helper()
	_, err := s.GetConnector(s.id)
	s.t.Want("GETCONNECTOR of a connector that is gone", err, unix.ENOENT)
	if now := s.MustResources().Connectors; !slices.Equal(now, before) {
		s.t.Errorf("the connectors are %d, want %d", now, before)
	}
	_, err = s.t.target.Surroundings.ReadAttr(s.object, "status")
	s.t.Want("the file status of a connector that is gone", err, unix.ENOENT)
}

// hubGoesLit checks that a connector that is removed while a CRTC feeds it stays
// for clients, disconnected, until they switch it off. Flips go on.
func hubGoesLit(t *tester) {
	f := t.Open()
	t.Must("SET_CLIENT_CAP ATOMIC", f.SetClientCap(uapi.ClientCapAtomic, 1))
	before, own := f.MustResources().Connectors, f.Display()
	name := t.AddConnector()
	socket := f.NewConnector(before)
	c, err := f.GetConnector(socket.id)
	t.Must("GETCONNECTOR", err)
	s := t.SceneOf(f, &kmsclient.Display{Connector: c, CRTC: own.CRTC, Mode: c.Modes[0]})
	dark := change{own.Connector.ID, s.conProps["CRTC_ID"].ID, 0}
	t.Must("MODE_ATOMIC that lights "+name, f.atomic(allowModeset, append([]change{dark}, s.on()...)...))

	t.RemoveConnector(name)
	_, err = t.target.Surroundings.ReadAttr(socket.object, "status")
	t.Want("the file status of a connector that is removed", err, unix.ENOENT)
	if now := f.MustResources().Connectors; !slices.Contains(now, socket.id) {
		t.Errorf("the connectors are %d without %d, which a CRTC feeds", now, socket.id)
	}
	got := socket.Probe(f)
	equal(t, "the connection of a connector that is removed", got.Connection, uapi.ModeDisconnected)
	equal(t, "the number of its modes", got.CountModes, 0)
	t.Must("a flip", f.atomic(nonblock|wantEvent, s.plane("FB_ID", uint64(s.Another()))))
	f.Event()

	another := t.AddConnector()
	other := f.NewConnector(append(before, socket.id))
	equal(t, "whether the next connector has the same name", another == name, false)
	equal(t, "whether the next connector has the same id", other.id == socket.id, false)
	t.RemoveConnector(another)

	t.Want("switching the CRTC off", f.atomic(allowModeset, s.crtc("ACTIVE", 0)))
	t.Want("lighting a connector that is removed",
		f.atomic(allowModeset, s.connector("CRTC_ID", uint64(s.CRTC)), s.crtc("ACTIVE", 1)), unix.EINVAL)
	l := t.Listen()
	t.Must("MODE_ATOMIC that leaves the connector", f.atomic(allowModeset, s.off()...))
	f.AwaitTopology(l)
	socket.wantGone(before)
}

// tile returns the EDID of one of two tiles, side by side, of a monitor with the
// given serial number.
func (t *tester) tile(serial byte, column int) string {
	t.Helper()
	timing, err := mode.For(1280, 1440, 60)
	t.Must("a mode", err)
	tile := &edid.Tile{Columns: 2, Rows: 1, Column: column, Width: 1280, Height: 1440, SingleMonitor: true}
	tile.Group = [9]byte{'U', 'D', 'R', 1, 0, serial}
	data, err := (&edid.Monitor{Name: "Tiles", Modes: []mode.Mode{timing}, Tile: tile}).Encode()
	t.Must("an EDID", err)
	return string(data)
}

// Tile returns the value of the property TILE, without its zero byte; "" for none.
func (s *socket) Tile() string {
	s.t.Helper()
	id := uint32(s.MustProperties(s.id, uapi.ModeObjectConnector)["TILE"].Value)
	if id == 0 {
		return ""
	}
	blob, err := s.GetBlob(id)
	s.t.Must("the blob of TILE", err)
	text, ended := strings.CutSuffix(string(blob), "\x00")
	if !ended {
		s.t.Errorf("TILE %q has no zero byte at the end", blob)
	}
	return text
}

// tileGroups checks that the tiles of a monitor have one group, that another
// monitor has another group, and that TILE goes with the monitor.
func tileGroups(t *tester) {
	f := t.Open()
	two := f.Two()
	a, b := f.Socket(two[0].Connector.ID), f.Socket(two[1].Connector.ID)
	// place returns the group of a connector, which must be the tile of a column.
	place := func(what string, s *socket, column int) (group string) {
		t.Helper()
		group, rest, _ := strings.Cut(s.Tile(), ":")
		equal(t, "TILE without its group, "+what, rest, fmt.Sprintf("1:2:1:%d:0:1280:1440", column))
		return group
	}
	t.Must("an EDID for the first tile", a.Override(t.tile(1, 0)))
	t.Must("an EDID for the second tile", b.Override(t.tile(1, 1)))
	group := place("first tile", a, 0)
	equal(t, "the group of the second tile", place("second tile", b, 1), group)
	t.Must("an EDID of another monitor", b.Override(t.tile(2, 1)))
	equal(t, "whether another monitor has the same group", place("another monitor", b, 1) == group, false)
	equal(t, "the group of the first tile", place("first tile again", a, 0), group)
	t.Must("an EDID without tiles", a.Override(newEDID(t, "Whole", 1280, 720)))
	equal(t, "TILE of a monitor without tiles", a.Tile(), "")
}
