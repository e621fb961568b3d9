package aim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// lit opens a card, shows a framebuffer, and returns what flips need.
func lit(t *testing.T, c *client) (k *kmsclient.Client, d *kmsclient.Display, plane, fb uint32) {
	t.Helper()
	k = kmsclient.New(c)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(k.SetClientCap(uapi.ClientCapAtomic, 1))
	d, err := k.Display()
	check(err)
	plane, err = k.FindPlane(d, uapi.PlaneTypePrimary)
	check(err)
	fb, err = k.NewFB(uint32(d.Mode.HDisplay), uint32(d.Mode.VDisplay), 32, uapi.FormatXRGB8888)
	check(err)
	check(k.SetCRTC(d, fb, d.Mode))
	return k, d, plane, fb
}

// TestEventFaults loses, doubles and delays events of flips.
func TestEventFaults(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, _, fb := lit(t, newClient(t, card(t, m, "card0")))
	attach(t, m, "event#1:lost")
	attach(t, m, "event#2:doubled")
	attach(t, m, "event#3:delay=1ms")
	for user := range uint64(3) {
		if err := k.PageFlip(d.CRTC, fb, user); err != nil {
			t.Fatal(err)
		}
		if err := waitVblank(k); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	for len(got) < 3 {
		events, err := k.ReadEvents(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got = append(got, e.UserData)
		}
	}
	if got[0] != 1 || got[1] != 1 || got[2] != 2 {
		t.Errorf("the events are those of the flips %v, want 1, 1 and 2", got)
	}
}

// TestShortEvent shortens an event, and fails for one that is no longer than that.
func TestShortEvent(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, _, fb := lit(t, newClient(t, card(t, m, "card0")))
	short, whole := attach(t, m, "event#1:short=8"), attach(t, m, "event#2:short=32")
	for range 2 {
		if err := k.PageFlip(d.CRTC, fb, 0); err != nil {
			t.Fatal(err)
		}
		if err := waitVblank(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := short.Close(); err != nil {
		t.Error(err)
	}
	if err := whole.Close(); err == nil || !strings.Contains(err.Error(), "the event has only 32 bytes") {
		t.Errorf("short=32: %v", err)
	}
}

// TestFilterOfUsers checks that crtc= lets requests pass that change what the CRTC
// uses: a connector or a plane.
func TestFilterOfUsers(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, plane, _ := lit(t, newClient(t, card(t, m, "card0")))
	connector := d.Connector.ID
	properties, err := k.Properties(connector, uapi.ModeObjectConnector)
	if err != nil {
		t.Fatal(err)
	}
	dpms, _ := properties.Get("DPMS")
	for _, tc := range []struct {
		event string
		send  func() error
	}{
		{"MODE_SETPROPERTY", func() error {
			return kmsclient.Ioctl(k, uapi.IoctlModeSetProperty, &uapi.ModeConnectorSetProperty{PropID: dpms.ID, ConnectorID: connector})
		}},
		{"MODE_OBJ_SETPROPERTY", func() error {
			return kmsclient.Ioctl(k, uapi.IoctlModeObjSetProperty,
				&uapi.ModeObjSetProperty{PropID: dpms.ID, ObjID: connector, ObjType: uapi.ModeObjectConnector})
		}},
		{"MODE_SETPLANE", func() error { return kmsclient.Ioctl(k, uapi.IoctlModeSetPlane, &uapi.ModeSetPlane{PlaneID: plane}) }},
	} {
		rule := attach(t, m, fmt.Sprintf("%s:crtc=%d:error=EIO", tc.event, d.CRTC))
		if err := tc.send(); !errors.Is(err, unix.EIO) {
			t.Errorf("%s answers %v, want EIO", tc.event, err)
		}
		if err := rule.Close(); err != nil {
			t.Errorf("%s: %v", tc.event, err)
		}
	}
}

// TestBusy answers EBUSY to three flips, and none of the others.
func TestBusy(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, _, fb := lit(t, newClient(t, card(t, m, "card0")))
	attach(t, m, "MODE_PAGE_FLIP#2..4:error=EBUSY")
	attach(t, m, "mmap#1:error=ENOMEM")
	for n, want := range []error{nil, unix.EBUSY, unix.EBUSY, unix.EBUSY, nil} {
		if err := k.PageFlip(d.CRTC, fb, 0); !errors.Is(err, want) {
			t.Errorf("flip %d answers %v, want %v", n+1, err, want)
		}
		if err := waitVblank(k); err != nil {
			t.Error(err)
		}
	}
	if _, err := k.NewBuffer(64, 64); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("the first mmap answers %v", err)
	}
	if _, err := k.NewBuffer(64, 64); err != nil {
		t.Errorf("the second mmap answers %v", err)
	}
}

// TestCommitFails lets tests of commits pass and the commits fail.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, _, plane, fb := lit(t, newClient(t, card(t, m, "card0")))
	attach(t, m, "MODE_ATOMIC:flag=!TEST_ONLY:error=ENOSPC")
	attach(t, m, "MODE_ATOMIC#2:flag=TEST_ONLY:retval=0")
	if err := flipWith(k, plane, fb, uapi.ModeAtomicTestOnly); err != nil {
		t.Error(err)
	}
	if err := flipWith(k, plane, fb, 0); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("the commit answers %v", err)
	}
	if err := flipWith(k, plane, fb+1000, uapi.ModeAtomicTestOnly); err != nil {
		t.Errorf("the test of a framebuffer that does not exist, which is not handled, answers %v", err)
	}
	if err := flipWith(k, plane, fb+1000, uapi.ModeAtomicTestOnly); err == nil {
		t.Error("the rule fired again")
	}
}

// TestWedge announces that the card hangs.
func TestWedge(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, _, _ := lit(t, newClient(t, card(t, m, "card0")))
	attach(t, m, "GETCRTC#1:wedge=rebind,bus-reset")
	events := make(chan drm.Uevent, 10)
	defer m.Class().Subscribe(func(e drm.Uevent) { events <- e })()
	for range 2 {
		if _, err := k.GetCRTC(d.CRTC); err != nil {
			t.Fatal(err)
		}
	}
	e := <-events
	if want := []string{"WEDGED=rebind,bus-reset"}; e.Action != "change" || e.Kobject.Name != "card0" || !slices.Equal(e.Env, want) {
		t.Errorf("the uevent is %s of %s with %q, want change of card0 with %q", e.Action, e.Kobject.Name, e.Env, want)
	}
	if len(events) > 0 {
		t.Errorf("%d more uevents", len(events))
	}
}

// TestBadLink lets a link fail. A modeset repairs it.
func TestBadLink(t *testing.T) {
	t.Parallel()
	m := newFastMachine(t)
	k, d, _, fb := lit(t, newClient(t, card(t, m, "card0")))
	attach(t, m, "GETCRTC#1:badlink=Virtual-1")
	status := func() uint64 {
		properties, err := k.Properties(d.Connector.ID, uapi.ModeObjectConnector)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := properties.Get("link-status")
		return p.Value
	}
	if s := status(); s != uapi.ModeLinkStatusGood {
		t.Fatalf("link-status is %d at first", s)
	}
	if _, err := k.GetCRTC(d.CRTC); err != nil {
		t.Fatal(err)
	}
	if s := status(); s != uapi.ModeLinkStatusBad {
		t.Errorf("link-status is %d after the link failed", s)
	}
	if err := k.SetCRTC(d, fb, d.Mode); err != nil {
		t.Fatal(err)
	}
	if s := status(); s != uapi.ModeLinkStatusGood {
		t.Errorf("link-status is %d after a modeset", s)
	}
}

// TestLostFlip loses the frame of a flip: no event comes, and the CRTC is busy
// until ten seconds of its clock have passed, or the card is unplugged.
func TestLostFlip(t *testing.T) {
	t.Parallel()
	m := newMachineOf(t, machine.ClockStep, config.DefaultCard())
	c := card(t, m, "card0")
	lost := attach(t, m, "frame#2+2:lost")
	step := func() {
		t.Helper()
		if err := m.StepClock(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.StepClockLater(1); err != nil { // of the modeset
		t.Fatal(err)
	}
	k, d, _, fb := lit(t, newClient(t, c))
	flip := func(user uint64, want error) {
		t.Helper()
		if err := k.PageFlip(d.CRTC, fb, user); !errors.Is(err, want) {
			t.Errorf("flip %d answers %v, want %v", user, err, want)
		}
	}
	flip(1, nil)
	step() // the second frame, which is lost
	flip(2, unix.EBUSY)
	step() // until the flip is given up
	flip(3, nil)
	step()
	if events, err := k.ReadEvents(time.Minute); err != nil || len(events) != 1 || events[0].UserData != 3 {
		t.Errorf("the events are %v, %v; want that of flip 3", events, err)
	}
	if frames, err := c.Frames(""); err != nil || frames != 2 {
		t.Errorf("%d frames, %v; want 2", frames, err)
	}
	flip(4, nil)
	step() // lost, too
	if err := c.Unplug(t.Context()); err != nil {
		t.Error(err)
	}
	if err := lost.Close(); err != nil || lost.Fired() != 2 {
		t.Errorf("fired %d times, %v", lost.Fired(), err)
	}
}

// TestPlaneLimits refuses commits by what the displays would use.
func TestPlaneLimits(t *testing.T) {
	t.Parallel()
	description := config.DefaultCard()
	description.VKMS.Overlay = true
	m := newMachineOf(t, machine.ClockFast, description)
	k, d, _, fb := lit(t, newClient(t, card(t, m, "card0")))
	overlay, err := k.FindPlane(d, uapi.PlaneTypeOverlay)
	if err != nil {
		t.Fatal(err)
	}
	width, height := uint64(d.Mode.HDisplay), uint64(d.Mode.VDisplay)
	var sets []kmsclient.Set
	for name, value := range map[string]uint64{
		"FB_ID": uint64(fb), "CRTC_ID": uint64(d.CRTC), "SRC_W": width << 16, "SRC_H": height << 16, "CRTC_W": width, "CRTC_H": height,
	} {
		sets = append(sets, kmsclient.Set{Object: overlay, ObjectType: uapi.ModeObjectPlane, Property: name, Value: value})
	}
	screen := width * height * 4 * uint64(d.Mode.VRefresh) / 1_000_000
	for _, tc := range []struct {
		rule string
		want error
	}{
		{"MODE_ATOMIC:planes=3+:error=ENOSPC", nil},
		{"MODE_ATOMIC:planes=2+:error=ENOSPC", unix.ENOSPC},
		{fmt.Sprintf("MODE_ATOMIC:bandwidth=%d+:error=ENOSPC", 2*screen+2), nil},
		{fmt.Sprintf("MODE_ATOMIC:bandwidth=%d+:error=ENOSPC", 2*screen-2), unix.ENOSPC},
	} {
		trigger := attach(t, m, tc.rule)
		if err := k.Commit(uapi.ModeAtomicTestOnly, sets...); !errors.Is(err, tc.want) {
			t.Errorf("%s: the commit answers %v, want %v", tc.rule, err, tc.want)
		}
		_ = trigger.Close() // some do not fire
	}
}

// TestManyErrors checks that a rule which fails at each request keeps a bounded
// number of errors, and counts the rest.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	k := kmsclient.New(newClient(t, card(t, m, "card0")))
	trigger := attach(t, m, "GET_CAP#1+:disconnect=card0:Virtual-1") // succeeds once
	for range 251 {
		if _, err := k.Cap(uapi.CapDumbBuffer); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Split(trigger.Err().Error(), "\n"); len(lines) != 101 || lines[100] != "and 150 more of its actions failed" {
		t.Errorf("%d lines; the last is %q", len(lines), lines[len(lines)-1])
	}
}
