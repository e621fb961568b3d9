package conformance

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// forceCases are about connectors whose status a user forces, in the file
// status of sysfs, and about the uevents that follow.
var forceCases = []Case{
	{"force/off", NeedForce, forceOff},
	{"force/on", NeedForce, forceOn},
	{"force/words", NeedForce, forceWords},
	{"force/again", NeedForce | NeedDebugfs, forceAgain},
	{"force/without-monitor", NeedForce | NeedDisconnected, forceWithoutMonitor},
	{"force/with-override", NeedForce | NeedEDID, forceWithOverride},
	{"hotplug/uevent", NeedUevents, hotplugUevent},
	{"hotplug/ids", NeedForce, hotplugIDs},
}

// Force writes a word to the file status of the connector. At the end of the
// case nothing is forced.
func (s *socket) Force(word string) error {
	s.t.Cleanup(func() { _ = s.t.target.Surroundings.WriteAttr(s.object, "status", "detect") }) // best effort
	return s.t.target.Surroundings.WriteAttr(s.object, "status", word)
}

// MustForce is Force. The case ends on an error.
func (s *socket) MustForce(word string) {
	s.t.Helper()
	s.t.Must(fmt.Sprintf("writing %q to the status of %s", word, s.name), s.Force(word))
}

// Attr returns the content of a file of the connector in sysfs.
func (s *socket) Attr(name string) string {
	s.t.Helper()
	data, err := s.t.target.Surroundings.ReadAttr(s.object, name)
	s.t.Must("the file "+name+" of "+s.name, err)
	return data
}

// wantState checks the status of the connector in sysfs and for a client.
func (s *socket) wantState(what string, connected bool) {
	s.t.Helper()
	status, connection := "disconnected\n", uint32(uapi.ModeDisconnected)
	if connected {
		status, connection = "connected\n", uapi.ModeConnected
	}
	equal(s.t, "the file status, "+what, s.Attr("status"), status)
	got := s.Look(s.file)
	equal(s.t, "the connection, "+what, got.Connection, connection)
	equal(s.t, "whether there are modes, "+what, got.CountModes > 0, connected)
	equal(s.t, "whether the file modes has lines, "+what, s.Attr("modes") != "", connected)
	if !connected {
		blob, _ := s.EDID()
		equal(s.t, "the blob of EDID, "+what, blob, 0)
		equal(s.t, "the file edid, "+what, s.Attr("edid"), "")
	}
}

// forceOff checks that a connector that is forced off has no modes and no EDID.
func forceOff(t *tester) {
	f := t.Open()
	s := f.MainSocket()
	before, modes := s.Look(f), s.Attr("modes")
	s.MustForce("off\n")
	s.wantState("forced off", false)
	equal(t, "the connection after a probe", s.Probe(f).Connection, uapi.ModeDisconnected)
	equal(t, "the connection for another client", s.Look(t.Open()).Connection, uapi.ModeDisconnected)
	s.MustForce("detect\n")
	s.wantState("detected", true)
	equal(t, "the number of modes as before", s.Look(f).CountModes, before.CountModes)
	equal(t, "the file modes as before", s.Attr("modes"), modes)
}

// forceOn checks that a monitor keeps its modes when it is forced on.
func forceOn(t *tester) {
	f := t.Open()
	s := f.MainSocket()
	modes := s.Attr("modes")
	_, edid := s.EDID()
	for _, word := range []string{"on", "on-digital\n", "on\n", "on-digital"} {
		s.MustForce(word)
		s.wantState("forced "+word, true)
		equal(t, "the file modes, forced "+word, s.Attr("modes"), modes)
		_, now := s.EDID()
		equal(t, "the EDID is the same, forced "+word, now == edid, true)
		s.MustForce("off")
		s.wantState("forced off after "+word, false)
	}
	s.MustForce("detect")
	s.wantState("detected", true)
}

// forceWords checks that other words are refused, and change nothing.
func forceWords(t *tester) {
	s := t.Open().MainSocket()
	words := []string{"nonsense", "nonsense\n", "\n", "on ", " on", "ON", "on\n\n", "onn", "on-digital-", "digital", "1", "connected", "unspecified"}
	for _, force := range []string{"off", "detect"} {
		s.MustForce(force)
		for _, word := range words {
			t.Want(fmt.Sprintf("status %q", word), s.Force(word), unix.EINVAL)
		}
		s.wantState("after refused words, with "+force, force == "detect")
	}
	for _, file := range []string{"modes", "edid", "enabled", "dpms"} {
		err := t.target.Surroundings.WriteAttr(s.object, file, "off")
		t.Want("writing to the file "+file, err, unix.EACCES, unix.EIO)
	}
}

// forceAgain checks that a force that is in effect already does not probe the
// connector, and that "detect" always does.
func forceAgain(t *tester) {
	s := t.Open().MainSocket()
	t.Must("force off in debugfs", s.SetDebugfs("force", "off"))
	s.wantState("before a probe", true)
	s.MustForce("off")
	s.wantState("forced off again", true)
	s.MustForce("on")
	t.Must("force off in debugfs", s.SetDebugfs("force", "off"))
	t.Must("no force in debugfs", s.SetDebugfs("force", "unspecified"))
	s.MustForce("detect")
	s.wantState("detected", true)
}

// forceWithoutMonitor checks that a connector without a monitor that is forced
// on has the fallback modes, and no EDID.
func forceWithoutMonitor(t *tester) {
	f := t.Open()
	id, err := f.disconnected()
	t.Must("looking for a disconnected connector", err)
	s := f.Socket(id)
	s.MustForce("on")
	s.wantState("forced on without a monitor", true)
	blob, _ := s.EDID()
	equal(t, "the blob of EDID", blob, 0)
	equal(t, "the file edid", s.Attr("edid"), "")
	c, err := f.GetConnector(id)
	t.Must("GETCONNECTOR", err)
	for _, size := range [][2]uint16{{1024, 768}, {800, 600}, {640, 480}} {
		if !slices.ContainsFunc(c.Modes, func(m uapi.ModeInfo) bool { return [2]uint16{m.HDisplay, m.VDisplay} == size }) {
			t.Errorf("the fallback mode %dx%d is missing", size[0], size[1])
		}
	}
	s.MustForce("detect")
	s.wantState("detected", false)
}

// forceWithOverride checks that an EDID of the user goes with its monitor, and
// comes back with it.
func forceWithOverride(t *tester) {
	s := t.Open().MainSocket()
	edid := newEDID(t, "Forced", 1280, 720)
	t.Must("an EDID for the connector", s.Override(edid))
	s.MustForce("off")
	s.wantState("forced off", false)
	s.MustForce("on")
	s.wantState("forced on", true)
	_, data := s.EDID()
	equal(t, "the EDID is that of the user", data == edid, true)
}

// NextHotplug returns the next uevent of the card that tells of a hot-plug. It
// returns nil if none comes within timeout.
func (s *socket) NextHotplug(l Listener, timeout time.Duration) (map[string]string, error) {
	for deadline := time.Now().Add(timeout); ; {
		keys, err := l.Next(max(0, time.Until(deadline)))
		if keys == nil || err != nil || keys["HOTPLUG"] == "1" && keys["DEVNAME"] == "dri/"+s.card() {
			return keys, err
		}
	}
}

// Listen collects uevents until the end of the case.
func (t *tester) Listen() Listener {
	t.Helper()
	l, err := t.target.Surroundings.Listen()
	t.Must("listening to uevents", err)
	t.Cleanup(func() { l.Close() })
	return l
}

// hotplugUevent checks that a change of the status is announced, once the files
// tell it.
func hotplugUevent(t *tester) {
	s := t.Open().MainSocket()
	l := t.Listen()
	for _, word := range []string{"off", "detect", "off", "on"} {
		s.MustForce(word)
		keys, err := s.NextHotplug(l, timeout)
		t.Must("waiting for a uevent", err)
		if keys == nil {
			t.Fatalf("no uevent with HOTPLUG=1 of %s within %v after %q", s.card(), timeout, word)
		}
		s.wantState("at the uevent after "+word, word != "off")
		equal(t, "the action", keys["ACTION"], "change")
		equal(t, "the type of the object", keys["DEVTYPE"], "drm_minor")
		if id, ok := keys["CONNECTOR"]; ok { // which drivers may leave out
			equal(t, "CONNECTOR", id, fmt.Sprint(s.id))
		}
	}
}

// hotplugIDs checks that a connector keeps its id and its names when its
// monitor goes and comes.
func hotplugIDs(t *tester) {
	f := t.Open()
	s := f.MainSocket()
	before := f.MustResources().Connectors
	equal(t, "the file connector_id", s.Attr("connector_id"), fmt.Sprintf("%d\n", s.id))
	for _, word := range []string{"off", "detect"} {
		s.MustForce(word)
		if now := f.MustResources().Connectors; !slices.Equal(now, before) {
			t.Errorf("after %q the connectors are %d, want %d", word, now, before)
		}
		equal(t, "the name after "+word, f.Socket(s.id).name, s.name)
		equal(t, "the file connector_id after "+word, s.Attr("connector_id"), fmt.Sprintf("%d\n", s.id))
	}
}
