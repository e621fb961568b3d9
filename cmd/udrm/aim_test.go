package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/trace"
)

// TestAim checks what the rules of --on do, and the exit status.
func TestAim(t *testing.T) {
	t.Parallel()
	shot := filepath.Join(t.TempDir(), "shot.png")
	modetest := []string{"modetest", "-M", "vkms", "-s", connector + ":1024x768"} // ends at once, as its input does
	for _, tc := range []struct {
		name, on string
		flags    []string
		program  []string
		exit     int
		stderr   string
	}{
		{"error", "ADDFB2:error=ENOSPC", nil, modetest, 0, "failed to add fb (1024x768): No space left on device\n"},
		{"only the second", "ADDFB2#2:error=ENOSPC", nil, modetest, 125, "udrm: ADDFB2#2:error=ENOSPC: it has not fired: it has seen 1 of its events\n"},
		{"missed", "MODE_ATOMIC:unplug", nil, modetest, 125, "udrm: MODE_ATOMIC:unplug: it has not fired: its event has not happened\n"},
		{"missed, lenient", "MODE_ATOMIC:unplug", []string{"--lenient"}, modetest, 0, "udrm: MODE_ATOMIC:unplug: it has not fired"},
		{"delay", "SETCRTC:delay=20ms", []string{"-v"}, modetest, 0, "udrm: SETCRTC:delay=20ms: fired at SETCRTC 1, of modetest ("},
		{"action fails", "open:plug", nil, modetest, 125, "udrm: open:plug: card0 is already plugged\n"},
		{"signal", "SETCRTC:signal=SIGTERM", nil, modetest, 128 + 15, ""},
		{"screenshot", "SETCRTC:after:screenshot=" + shot, nil, modetest, 0, ""},
		{"start", "start:unplug=card0", nil, []string{"ls", "/dev/dri/card0"}, 2, "ls: cannot access '/dev/dri/card0': No such file or directory\n"},
		{"program", "SETCRTC:comm=other:error=EIO", nil, modetest, 125, "it has not fired: its event has not happened"},
		{"CRTC", "SETCRTC:crtc=45:error=EIO", nil, modetest, 0, "failed to set mode"},
		{"unknown CRTC", "SETCRTC:crtc=1:error=EIO", nil, modetest, 125, "udrm: --on SETCRTC:crtc=1:error=EIO: there is no CRTC 1; the ids are [45]\n"},
		{"unknown connector", "SETCRTC:disconnect=DP-9", nil, modetest, 125, "udrm: --on SETCRTC:disconnect=DP-9: card0 has no connector DP-9; it has Virtual-1\n"},
		{"added connector", "start:add-connector=card0:DP=640x480", []string{"--on", "SETCRTC:disconnect=DP-1", "--expect", "frames:card0:DP-1=0"}, modetest, 0, ""},
		{"connector of another card", "start:add-connector=card0:DP", []string{"--cards=2", "--expect", "frames:card1:DP-1=0"}, modetest, 125, "card1 has no connector DP-1; it has Virtual-2\n"},
		{"connector never added", "start:add-connector=card0:DP=640x480", []string{"--on", "SETCRTC:disconnect=DP-2"}, modetest, 125, "card0 has no connector DP-2; it has Virtual-1, DP-1\n"},
		{"step of a running clock", "start:step=1", nil, modetest, 125, "udrm: start:step=1: stepping the clock: its mode is real; set it to step first\n"},
		{"unknown card", "SETCRTC:card=card7:error=EIO", nil, modetest, 125, "udrm: --on SETCRTC:card=card7:error=EIO: there is no card7: only card0 is described; make more cards with --cards, or plug it in with --at TIME:plug=card7\n"},
		{"unknown card of an action", "SETCRTC:unplug=card7", nil, modetest, 125, "udrm: --on SETCRTC:unplug=card7: there is no card7"},
		{"card plugged later", "open:card=card1:delay=1us", []string{"--on", "start:plug=card1"}, []string{"sh", "-c", "exec </dev/dri/card1"}, 0, ""},
		{"process", "SETCRTC:pid=1:error=EIO", nil, modetest, 125, "no program has started, so its process ID is not known; write comm=NAME, or use udrm on\n"},
		{"mmap", "mmap#1:error=ENOMEM", nil, modetest, 0, "failed to map buffer"},
		{"busy", "SETCRTC#1..2:error=EBUSY", nil, []string{"sh", "-c", strings.Repeat("modetest -M vkms -s "+connector+":1024x768 >/dev/null; ", 3)}, 0, "failed to set mode"},
		{"without a display", "frame:unplug", []string{"--driver", "vgem"}, []string{"true"}, 125, "udrm: --on frame:unplug: frame never happens: card0 has no display\n"},
		{"no such planes", "MODE_ATOMIC:planes=99+:error=EIO", nil, modetest, 125, "no request uses 99 planes: the card has 2\n"},
		{"no monitor", "SETCRTC:before:disconnect=Virtual-1", []string{"--on", "SETCRTC:after:disconnect=Virtual-1"}, modetest, 125, "card0 has no monitor on Virtual-1\n"},
		{"unknown request", "SETCRCT:unplug", nil, modetest, 125, "udrm: --on: \"SETCRCT:unplug\": unknown request \"SETCRCT\"; did you mean MODE_SETCRTC?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, slices.Concat([]string{"run", "--on", tc.on}, tc.flags, []string{"--"}, tc.program)...)
			if r.exit != tc.exit || !strings.Contains(r.stderr, tc.stderr) || tc.stderr == "" && r.stderr != "" {
				t.Errorf("exit %d, want %d; the output has no %q:\n%s", r.exit, tc.exit, tc.stderr, r.stderr)
			}
		})
	}
	t.Cleanup(func() {
		if size := readPNG(t, shot).Bounds().Size(); size.X != 1024 || size.Y != 768 {
			t.Errorf("the screenshot has %v pixels", size)
		}
	})
}

// TestAimedUnplugs unplugs the card at each point of each kind of request that
// modetest sends.
func TestAimedUnplugs(t *testing.T) {
	t.Parallel()
	unplugAtEachPoint(t, 15, "modetest", "-M", "vkms", "-s", connector+":1024x768")
}

// unplugAtEachPoint unplugs the card at each point of each kind of request that a
// program sends, of at least kinds, and compares the answers with the table of
// docs/hot-unplug.md: the request in flight runs to its end, and each later one
// fails with ENODEV.
func unplugAtEachPoint(t *testing.T, kinds int, program ...string) {
	t.Helper()
	dir := t.TempDir()
	traced := func(t *testing.T, name string, flags ...string) []trace.Record {
		t.Helper()
		name = filepath.Join(dir, name)
		args := slices.Concat([]string{"run", "--clock", "fast", "--trace", name}, flags, []string{"--"}, program)
		// Whatever the program makes of it: modetest and kmscube crash after an
		// unplug at MODE_GETCONNECTOR.
		if r := run(t, args...); r.exit == 125 {
			t.Fatalf("%q: exit status %d\n%s", args, r.exit, r.stderr)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		records, err := trace.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(records, func(r trace.Record) bool { return r.Type != "ioctl" && r.Type != "open" && r.Type != "mmap" })
	}
	plain := traced(t, "plain")
	var events []string
	for _, r := range plain {
		if !slices.Contains(events, r.Name()) {
			events = append(events, r.Name())
		}
	}
	if len(events) < kinds {
		t.Fatalf("%s sends only %q", program[0], events)
	}
	for _, event := range events {
		for _, point := range []string{"before", "entered", "handled", "after"} {
			t.Run(event+" "+point, func(t *testing.T) {
				t.Parallel()
				aimed := traced(t, event+"."+point, "--on", event+":"+point+":unplug")
				at := slices.IndexFunc(plain, func(r trace.Record) bool { return r.Name() == event })
				for i, r := range aimed {
					want := "ENODEV"
					switch {
					case i < at, i == at && point != "before":
						want = plain[i].Errno
						if r.Name() != plain[i].Name() {
							t.Fatalf("request %d is %s, without the unplug %s", i, r.Name(), plain[i].Name())
						}
					}
					if r.Errno != want {
						t.Errorf("request %d, %s, answers %q, want %q", i, r.Name(), r.Errno, want)
					}
				}
				if len(aimed) <= at {
					t.Errorf("%s sent %d requests and has not come to %s", program[0], len(aimed), event)
				}
			})
		}
	}
}
