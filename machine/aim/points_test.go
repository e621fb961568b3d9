package aim_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
)

func newMachine(t *testing.T, cards int) *machine.Machine {
	t.Helper()
	return newMachineOf(t, machine.ClockReal, slices.Repeat([]config.Card{config.DefaultCard()}, cards)...)
}

// newMachineOf returns a machine that ends with the test.
func newMachineOf(t *testing.T, clock machine.ClockMode, cards ...config.Card) *machine.Machine {
	t.Helper()
	m, err := machine.New(cards, machine.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func card(t *testing.T, m *machine.Machine, label string) *machine.Card {
	t.Helper()
	c, err := m.Card(label)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func attach(t *testing.T, m *machine.Machine, text string) *aim.Trigger {
	t.Helper()
	rule, err := aim.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	trigger, err := aim.Attach(m, rule, nil)
	if err != nil {
		t.Fatal(err)
	}
	return trigger
}

// A client sends requests to a card, and keeps their answers.
type client struct {
	kmsclient.File
	answers []answer
}

type answer struct {
	request string
	err     error
}

// newClient opens the card in this process.
func newClient(t *testing.T, c *machine.Card) *client {
	t.Helper()
	return &client{File: drmtest.Open(t, c.Device().Primary()).Process()}
}

func (c *client) Ioctl(cmd uint32, arg uintptr) error {
	err := c.File.Ioctl(cmd, arg)
	c.answers = append(c.answers, answer{uapi.IoctlName(cmd), err})
	return err
}

// show sends what a program sends that shows two pictures, until a request
// fails.
func (c *client) show() error {
	k := kmsclient.New(c)
	if err := k.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
		return err
	}
	if _, err := k.Cap(uapi.CapDumbBuffer); err != nil {
		return err
	}
	display, err := k.Display()
	if err != nil {
		return err
	}
	plane, err := k.FindPlane(display, uapi.PlaneTypePrimary)
	if err != nil {
		return err
	}
	var framebuffers [3]uint32
	for i := range framebuffers {
		if framebuffers[i], err = k.NewFB(uint32(display.Mode.HDisplay), uint32(display.Mode.VDisplay), 32, uapi.FormatXRGB8888); err != nil {
			return err
		}
	}
	if _, err := k.CreateModeBlob(&display.Mode); err != nil {
		return err
	}
	if err := k.SetCRTC(display, framebuffers[0], display.Mode); err != nil {
		return err
	}
	if err := flipWith(k, plane, framebuffers[1], 0); err != nil {
		return err
	}
	if _, err := k.GetCRTC(display.CRTC); err != nil {
		return err
	}
	if err := k.RemoveFB(framebuffers[2]); err != nil {
		return err
	}
	return k.Disable(display.CRTC)
}

// TestFaults lets requests fail before and after their handlers.
func TestFaults(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	third := attach(t, m, "ADDFB2#3:error=ENOSPC")
	client := newClient(t, card(t, m, "card0"))
	if err := client.show(); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("the third ADDFB2 answers %v", err)
	}
	if last := client.answers[len(client.answers)-1]; last.request != "MODE_ADDFB2" {
		t.Errorf("%s has failed", last.request)
	}
	if err := third.Close(); err != nil {
		t.Error(err)
	}

	handled := attach(t, m, "SETCRTC#1:handled:error=EIO")
	shown := attach(t, m, "SETCRTC#1:after:delay=1us")
	if err := newClient(t, card(t, m, "card0")).show(); !errors.Is(err, unix.EIO) {
		t.Errorf("SETCRTC answers %v", err)
	}
	for _, trigger := range []*aim.Trigger{handled, shown} {
		if err := trigger.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFilters counts what the filters let pass, of the requests that one client
// sends on each of two cards.
func TestFilters(t *testing.T) {
	t.Parallel()
	const all = -1
	for text, want := range map[string]int{
		"MODE_ATOMIC:property=FB_ID:delay=1us":             2,
		"MODE_ATOMIC:crtc=45:delay=1us":                    2, // by the plane, which is on this CRTC
		"SETCRTC,MODE_ATOMIC,GETCRTC:crtc=45:delay=1us":    8,
		"SETCRTC:before:card=card1:delay=1us":              2,
		"open:delay=1us":                                   2,
		"ADDFB2#2+2:delay=1us":                             3,
		"ADDFB2:comm=nobody:delay=1us":                     0,
		"MODE_ATOMIC:property=CRTC_ID:error=EIO":           0,
		fmt.Sprintf("all:pid=%d:delay=1us", unix.Getpid()): all,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, 2)
			trigger := attach(t, m, text)
			requests := 0
			for _, label := range []string{"card0", "card1"} {
				client := newClient(t, card(t, m, label))
				if err := client.show(); err != nil {
					t.Error(err)
				}
				requests += len(client.answers)
			}
			if want == all {
				want = requests
			}
			if err := trigger.Close(); trigger.Fired() != want || errors.Is(err, aim.ErrNotFired) != (want == 0) {
				t.Errorf("fired %d times, want %d: %v", trigger.Fired(), want, err)
			}
		})
	}
}

// TestAttachRefuses refuses rules for what the machine does not have.
func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 2)
	for text, want := range map[string]string{
		"frame:card=card5:unplug":              "there is no card5: card0 to card1 are described",
		"frame:plug=card5":                     "there is no card5: card0 to card1 are described",
		"frame:crtc=7:unplug":                  "there is no CRTC 7; the ids are [45]",
		"MODE_ATOMIC:planes=99+:error=EIO":     "no request uses 99 planes: the card has 2",
		"frame:disconnect=DP-1":                "card0 has no connector DP-1; it has Virtual-1",
		"frame:screenshot=DP-1=x.png":          "card0 has no connector DP-1; it has Virtual-1",
		"frame:badlink=X-1":                    "card0 has no connector X-1; it has Virtual-1",
		"MODE_ATOMIC:property=fb_id:error=EIO": "there is no property fb_id; did you mean FB_ID?",
		"frame:card=card1:connect=X-1":         "card1 has no connector X-1; it has Virtual-2",
		"ADDFB2:unplug=card5":                  "there is no card5: card0 to card1 are described",
		"ADDFB2:pid=2147483647:error=EIO":      "there is no process 2147483647",
	} {
		rule, err := aim.Parse(text)
		if err != nil {
			t.Error(err)
		} else if _, err := aim.Attach(m, rule, nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestCountIsExact sends requests from many goroutines. Exactly one of them is
// the hundredth.
func TestCountIsExact(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	trigger := attach(t, m, "GET_CAP#100:error=EIO")
	open := drmtest.Open(t, card(t, m, "card0").Device().Primary())
	var failed sync.Map
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			for range 20 {
				if err := drmtest.Ioctl(open, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapPrime}); err != nil {
					failed.Store(new(int), err)
				}
			}
		})
	}
	running.Wait()
	n := 0
	failed.Range(func(any, any) bool { n++; return true })
	if err := trigger.Close(); n != 1 || trigger.Fired() != 1 || err != nil {
		t.Errorf("%d requests failed, the rule fired %d times: %v", n, trigger.Fired(), err)
	}
}

// TestNoDeadlock lets requests on two cards act on each other's card and on
// their own, all at once, in every combination of points.
func TestNoDeadlock(t *testing.T) {
	t.Parallel()
	points := []aim.Point{aim.Before, aim.Entered, aim.Handled, aim.After}
	for _, p := range points {
		for _, q := range points {
			for _, actions := range [][2]string{{"unplug=card1", "unplug=card0"}, {"unbind=card0", "unplug=card1"}, {"unbind=card1", "bind=card0"}, {"unbind=card0", "bind=card0"}} {
				t.Run(fmt.Sprint(p, q, actions), func(t *testing.T) {
					t.Parallel()
					m := newMachine(t, 2)
					triggers := []*aim.Trigger{
						attach(t, m, fmt.Sprintf("GET_CAP#1:card=card0:%v:%s", p, actions[0])),
						attach(t, m, fmt.Sprintf("GET_CAP#1:card=card1:%v:%s", q, actions[1])),
						attach(t, m, "GET_CAP#2:entered:delay=1ms"),
					}
					clients := []*drmtest.Client{
						drmtest.Open(t, card(t, m, "card0").Device().Primary()),
						drmtest.Open(t, card(t, m, "card1").Device().Primary()),
					}
					var running sync.WaitGroup
					for _, client := range clients {
						for range 3 {
							running.Go(func() { // it may fail: the card goes
								_ = drmtest.Ioctl(client, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapPrime})
							})
						}
					}
					running.Wait()
					for _, trigger := range triggers {
						_ = trigger.Close() // the second of two unplugs fails
					}
				})
			}
		}
	}
}

// TestWait gives up when its context ends, and says why.
func TestWait(t *testing.T) {
	t.Parallel()
	m := newMachine(t, 1)
	trigger := attach(t, m, "GET_CAP#2:unplug")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("it takes too long"))
	defer cancel()
	if err := trigger.Wait(ctx); err == nil || err.Error() != "waiting for GET_CAP#2:unplug: it has not fired: its event has not happened, and it takes too long" {
		t.Error(err)
	}
	if err := trigger.Close(); !errors.Is(err, aim.ErrNotFired) {
		t.Error(err)
	}
}
