package aim_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
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
