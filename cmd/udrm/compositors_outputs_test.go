//go:build compositors

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/udrm/udrm/machine/config"
)

// writeCards writes a file for --config and returns its path.
func writeCards(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cards.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// asNobody runs a program of a user that sway accepts.
const asNobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"

// TestSwayHeadset plugs a headset in beside a monitor. sway must leave it dark and
// offer it for lease. A client that leases it shows frames on it, twice.
func TestSwayHeadset(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("seatd must be root: run this test as root")
	}
	client, err := build(filepath.Dir(udrm), "../../internal/testprogs/lease", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WLR_RENDERER", "pixman")
	dir := swayDir(t, showBlue)
	cards, err := config.ReadFile(writeCards(t, `
cards:
  desk:
    connectors:
      screen: {type: DP, monitor: "Screen:1024x768"}
      headset: {type: HDMI-A, monitor: "Headset:1440x1600@90,non-desktop"}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, cards)
	card := s.card(t, "card0")
	sway := s.start(t, "sh", "-c", swayScript, "sh", dir)
	said := make(chan []string)
	go func() { said <- readTo(sway, "Shutting down sway") }()
	shown := func() (screen, headset uint64) {
		for _, info := range card.ConnectorInfos() {
			switch {
			case info.CRTC == nil:
			case info.Name == "DP-1":
				screen = info.CRTC.Frames
			case info.Name == "HDMI-A-1":
				headset = info.CRTC.Frames
			}
		}
		return screen, headset
	}
	var socket string
	await(t, "sway lights the monitor", func() bool {
		sockets, err := filepath.Glob(filepath.Join(dir, "wayland-[0-9]"))
		if err != nil || len(sockets) != 1 {
			return false
		}
		socket = sockets[0]
		screen, _ := shown()
		return screen > 0
	})
	waitForBlue(t, s)
	if _, headset := shown(); headset != 0 {
		t.Errorf("sway has shown %d frames on the headset", headset)
	}
	var before uint64
	for range 2 {
		lessee := s.start(t, "sh", "-c", "WAYLAND_DISPLAY=$1 exec "+asNobody+" $2", "sh", socket, client)
		lessee.await(t, "offered HDMI-A-1")
		lessee.await(t, "shown HDMI-A-1")
		if _, headset := shown(); headset < before+10 {
			t.Errorf("the headset has shown %d frames, and %d before the lease", headset, before)
		}
		_, before = shown()
		if status := lessee.end(t); status != 0 {
			t.Errorf("exit status %d\n%s", status, &lessee.stderr)
		}
	}
	if picture, err := card.Screenshot("DP-1"); err != nil || picture.NRGBAAt(512, 384) != blue {
		t.Errorf("the monitor does not show sway any more: %v", err)
	}
	sway.stdin.Close()
	lines := <-said
	if status := sway.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, strings.Join(lines, "\n"))
	}
	s.end(t)
}

// flipTimes returns the times of the flips in a trace.
func flipTimes(t *testing.T, file string) (times []time.Duration) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var e struct {
			Event string
			Data  struct {
				Sec  int64 `json:"tv_sec"`
				Usec int64 `json:"tv_usec"`
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == "EVENT_FLIP_COMPLETE" {
			times = append(times, time.Duration(e.Data.Sec)*time.Second+time.Duration(e.Data.Usec)*time.Microsecond)
		}
	}
	return times
}

// enabledVRR returns VRR_ENABLED of the first CRTC in what drm_info -j has printed.
func enabledVRR(t *testing.T, printed string) bool {
	t.Helper()
	var cards map[string]struct {
		CRTCs []struct {
			Properties map[string]struct {
				Value uint64 `json:"raw_value"`
			}
		}
	}
	_, printed, _ = strings.Cut(printed, "{")
	if err := json.Unmarshal([]byte("{"+printed), &cards); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	return cards["/dev/dri/card0"].CRTCs[0].Properties["VRR_ENABLED"].Value != 0
}

// TestSwayVRR runs a client under sway with adaptive_sync, and holds it up again and
// again. Frames come when they are ready. Without adaptive_sync, all come in step
// with the mode.
func TestSwayVRR(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("sway must not be root, and the test changes the user: run this test as root")
	}
	const monitor = "Varying:1280x720@144,vrr=40-144"
	m, err := config.ParseMonitor(monitor, 1)
	if err != nil {
		t.Fatal(err)
	}
	frame := m.Monitor.Modes[0].FramesTime(1)
	cards := writeCards(t, fmt.Sprintf(`
cards:
  desk:
    crtcs: {pipe: {gamma: 256}}
    connectors:
      screen: {type: DP, monitor: %q, properties: {vrr_capable: }}
`, monitor))
	const script = `
		export XDG_RUNTIME_DIR=$1 HOME=$1 WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=gles2 WLR_RENDERER_ALLOW_SOFTWARE=1
		` + asNobody + ` sway -c $1/config 2>$1/log & sway=$!
		udrm wait card0 --lit --timeout 60s || { cat $1/log; exit 1; }
		until [ -S $1/wayland-1 ]; do kill -0 $sway || exit; sleep .01; done
		WAYLAND_DISPLAY=wayland-1 ` + asNobody + ` weston-simple-shm & client=$!
		udrm wait card0 --frames 10 --timeout 60s || exit
		for i in 1 2 3 4 5 6 7 8 9 10; do
			kill -STOP $client; sleep .01$i; kill -CONT $client
			udrm wait card0 --frames $((10+3*i)) --timeout 60s || exit
		done
		drm_info -j /dev/dri/card0
		kill $client $sway
		wait $sway`
	for _, on := range []bool{false, true} {
		t.Run(fmt.Sprint("adaptive_sync ", on), func(t *testing.T) {
			word := map[bool]string{true: "on", false: "off"}[on]
			dir := swayDir(t, showBlue+"output * adaptive_sync "+word+"\n")
			trace := filepath.Join(t.TempDir(), "trace")
			cmd := command(t, "run", "--seat", "--expect", "no-leaks", "--config", cards, "--trace", trace, "--", "sh", "-c", script, "sh", dir)
			cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
			r := finish(t, cmd)
			if r.exit != 0 {
				t.Fatalf("exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
			}
			times := flipTimes(t, trace)
			varied := 0
			for i := 1; i < len(times); i++ {
				// Times are rounded down to microseconds.
				if rest := (times[i] - times[i-1] + time.Microsecond) % frame; rest > 2*time.Microsecond {
					varied++
				}
			}
			if len(times) < 30 || on != (varied > 0) {
				t.Errorf("%d of %d flips are not in step with the mode, whose frames last %v", varied, len(times), frame)
			}
			if got := enabledVRR(t, r.stdout); got != on {
				t.Errorf("VRR_ENABLED is %v", got)
			}
		})
	}
}
