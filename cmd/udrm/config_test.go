package main

import (
	"fmt"
	"image"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/machine/config"
)

// contains fails the test for each line that is missing in a text. The amount of
// space between words does not matter.
func contains(t *testing.T, text string, lines ...string) {
	t.Helper()
	space := regexp.MustCompile(`[ \t]+`)
	text = space.ReplaceAllString(text, " ")
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("there is no %q in\n%s", line, text)
		}
	}
}

// TestConfig checks what programs see of a card that a file describes.
func TestConfig(t *testing.T) {
	r := run(t, "run", "--config", "../../machine/config/testdata/two-monitors.yaml", "--", "sh", "-c", `
		modetest -M vkms -c && drm_info /dev/dri/card0 2>/dev/null &&
		cd /sys/class/drm && head card0-*/status card0-*/modes && edid-decode <card0-DP-1/edid && edid-decode --check <card0-HDMI-A-1/edid`)
	if r.exit != 0 || r.stderr != "" {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	contains(t, r.stdout,
		"68 66 connected DP-1 600x340 2 66\n",
		"#0 2560x1440 59.95 2560 2608 2640 2720 1440 1443 1448 1481 241500 flags: phsync, nvsync; type: preferred, driver\n",
		"#1 1920x1080 60.00 1920 2008 2052 2200 1080 1084 1089 1125 148500 flags: phsync, pvsync; type: driver\n",
		"69 67 connected HDMI-A-1 530x300 2 67\n",
		"#0 1920x1080 60.00 1920 2008 2052 2200 1080 1084 1089 1125 148500 flags: phsync, pvsync; type: preferred, driver\n",
		" 1 EDID:\n flags: immutable blob\n blobs:\n\n value:\n 00ffffffffffff00", // of the first, whose property comes first

		"Physical size: 600x340 mm\n", "2560x1440@59.95 preferred driver phsync nvsync", `"EDID" (immutable): blob = `,
		"==> card0-DP-1/status <==\nconnected\n", "==> card0-Writeback-1/status <==\nunknown\n",
		"==> card0-DP-1/modes <==\n2560x1440\n1920x1080\n", "==> card0-HDMI-A-1/modes <==\n1920x1080\n1280x720\n",
		"Display Product Name: 'Left'\n", "Display Product Name: 'Right'\n", "Serial Number: 2\n", "Maximum image size: 53 cm x 30 cm\n",
		"EDID conformity: PASS",
	)
}

// TestConfigLightsBothMonitors shows a picture on each of two CRTCs by atomic
// requests.
func TestConfigLightsBothMonitors(t *testing.T) {
	cards, err := config.ReadFile("../../machine/config/testdata/two-monitors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, cards)
	c := s.start(t, "modetest", "-M", "vkms", "-F", "smpte,smpte", "-a", "-s", "68@55:2560x1440", "-s", "69@62:1920x1080", "-P", "35@55:2560x1440", "-P", "40@62:1920x1080")
	for connector, size := range map[string]image.Point{"DP-1": {2560, 1440}, "HDMI-A-1": {1920, 1080}} {
		picture, err := s.card(t, "card0").WaitPicture(t.Context(), connector, func(picture *image.NRGBA) error {
			if n, first := mismatches(picture, bars); n != 0 {
				return fmt.Errorf("%d pixels differ, the first at %v", n, first)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if picture.Rect.Size() != size {
			t.Errorf("%s shows %v", connector, picture.Rect)
		}
	}
	if status := c.end(t); status != 0 {
		t.Errorf("modetest: status %d\n%s", status, &c.stderr)
	}
	s.end(t)
}

// TestCardFlags checks a card that flags describe: monitors, one of them
// disconnected, formats and CRTCs.
func TestCardFlags(t *testing.T) {
	r := run(t, "run", "--monitor", "DELL U2720Q:3840x2160@60,600x340mm,DP", "--monitor", "edid=../../machine/config/testdata/monitor.bin,HDMI-A", "--monitor", "800x600,disconnected",
		"--crtcs", "2", "--format", "XR30,NV12", "--overlay", "--no-cursor", "--no-writeback", "--vgem", "1",
		"--", "sh", "-c", "modetest -M vkms; head /sys/class/drm/*/status; ls /dev/dri")
	if r.exit != 0 {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	contains(t, r.stdout, "connected DP-1 600x340 1 ", "connected HDMI-A-1 600x340 2 ", "#0 1680x1050 59.88 ", "disconnected Virtual-1 0x0 0 ",
		" R1 R2 R4 R8 XR30\n", "==> /sys/class/drm/card0-Virtual-1/status <==\ndisconnected\n", "\ncard1\n")
	if n := strings.Count(r.stdout, "formats:"); n != 10 || strings.Contains(r.stdout, "Writeback") {
		t.Errorf("%d planes, want two primaries and eight overlays, and no writeback:\n%s", n, r.stdout)
	}
}

// TestHotplug pulls a monitor and plugs in another one. Programs get uevents and
// find the new monitor.
func TestHotplug(t *testing.T) {
	first, second := monitor(t, "First:1920x1080,600x340mm,DP"), monitor(t, "Second:1280x720@60,300x200mm")
	card := config.DefaultCard()
	card.VKMS.Writeback = false
	card.VKMS.Topology = vkms.NewTopology(1, []vkms.Connector{first}, &card.VKMS)
	s := newSessionOf(t, []config.Card{card})
	c := s.start(t, "sh", "-c", `
		udevadm monitor --kernel --property >$1 & monitor=$!
		until grep -q "monitor will" $1; do sleep .01; done
		cd /sys/class/drm/card0-DP-1
		events=0
		for want in connected disconnected connected; do
			until [ $(grep -c HOTPLUG=1 $1) = $events ]; do sleep .01; done
			cat status modes; edid-decode <edid | grep Name; modetest -M vkms -c | grep DP-1
			echo next; events=$((events + 1))
		done
		grep -E "^(ACTION|DEVNAME|HOTPLUG|CONNECTOR)=" $1 | sort
		kill $monitor`, "sh", filepath.Join(t.TempDir(), "events"))
	var said strings.Builder
	listen := func() {
		for c.lines.Scan() && c.lines.Text() != "next" {
			fmt.Fprintln(&said, strings.Join(strings.Fields(c.lines.Text()), " "))
		}
	}
	listen()
	if err := s.card(t, "card0").Disconnect(t.Context(), "DP-1"); err != nil {
		t.Error(err)
	}
	listen()
	if err := s.card(t, "card0").Connect(t.Context(), "DP-1", second.Monitor); err != nil {
		t.Error(err)
	}
	listen()
	listen()
	const want = `connected
1920x1080
Display Product Name: 'First'
47 46 connected DP-1 600x340 1 46
disconnected
47 0 disconnected DP-1 0x0 0 46
connected
1280x720
Display Product Name: 'Second'
47 46 connected DP-1 300x200 1 46
ACTION=change
ACTION=change
CONNECTOR=47
CONNECTOR=47
DEVNAME=/dev/dri/card0
DEVNAME=/dev/dri/card0
HOTPLUG=1
HOTPLUG=1
`
	if said.String() != want {
		t.Errorf("seen\n%s\nwant\n%s", &said, want)
	}
	if status := c.end(t); status != 0 {
		t.Errorf("status %d\n%s", status, &c.stderr)
	}
	s.end(t)
}

// monitor parses a monitor.
func monitor(t *testing.T, spec string) vkms.Connector {
	t.Helper()
	c, err := config.ParseMonitor(spec, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTimedHotplug pulls a monitor by --at.
func TestTimedHotplug(t *testing.T) {
	r := run(t, "run", "--at", "200ms:disconnect=card0:Virtual-1", "--", "sh", "-c",
		"until grep -qx disconnected /sys/class/drm/card0-Virtual-1/status; do sleep .01; done")
	if r.exit != 0 || r.stderr != "" {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}

// TestCardErrors checks that impossible cards and actions are refused before
// the program starts.
func TestCardErrors(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", "no-such-file"}, "udrm: --config: open no-such-file: no such file or directory\n"},
		{[]string{"--config", "../../machine/config/testdata/bad/rules.yaml"}, "udrm: ../../machine/config/testdata/bad/rules.yaml:4: cards/desk/planes/p0: primary plane of 2 CRTCs: each CRTC needs one of its own\n" +
			"udrm: ../../machine/config/testdata/bad/rules.yaml:5: "},
		{[]string{"--config", "../../machine/config/testdata/two-monitors.yaml", "--cards", "2"}, "udrm: --cards cannot be combined with --config; write it into the file\n"},
		{[]string{"--config", "../../machine/config/testdata/two-monitors.yaml", "--no-cursor"}, "udrm: --cursor cannot be combined with --config; "},
		{[]string{"--monitor", "800x"}, `udrm: --monitor: "800x": unknown item "800x"; write a monitor as `},
		{[]string{"--format", "XR31"}, `udrm: --format: "XR31" is not a pixel format; write a code of drm_fourcc.h, such as XR30 or NV12`},
		{[]string{"--crtcs=-1"}, "udrm: --crtcs=-1 is not a number from 1 to 31\n"},
		{[]string{"--crtcs", "40"}, "udrm: --crtcs=40 is not a number from 1 to 31\n"},
		{[]string{"--vgem", "64"}, "udrm: --vgem=64 is not a number from 0 to 63, what 1 cards leave of 64\n"},
		{[]string{"--at", "0s:connect=card0:DP-2"}, "udrm: --at 0s:connect=card0:DP-2: card0 has no connector DP-2; it has Virtual-1\n"},
		{[]string{"--at", "1s:unplug=card1"}, "udrm: --at 1s:unplug=card1: there is no card1: only card0 is described; make more cards with --cards, or plug it in with --at TIME:plug=card1\n"},
		{[]string{"--config", "../../machine/config/testdata/two-monitors.yaml", "--at", "1s:plug=card1"}, "udrm: --at 1s:plug=card1: there is no card1: only card0 is described; describe it in ../../machine/config/testdata/two-monitors.yaml\n"},
	} {
		r := run(t, slices.Concat([]string{"run"}, tc.args, []string{"--", "echo", "it runs"})...)
		if r.exit != 125 || !strings.HasPrefix(r.stderr, tc.want) || r.stdout != "" {
			t.Errorf("%s: exit %d, %s%s\nwant %s", tc.args, r.exit, r.stdout, r.stderr, tc.want)
		}
		for line := range strings.Lines(r.stderr) {
			if !strings.HasPrefix(line, "udrm: ") {
				t.Errorf("%s: %q does not say that it is udrm's", tc.args, line)
			}
		}
	}
}

// TestConfigOfManyCards checks the cards of a file with all kinds of cards.
func TestConfigOfManyCards(t *testing.T) {
	cards, err := config.ReadFile("../../machine/config/testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSessionOf(t, cards)
	var names []string
	for _, name := range []string{"faux", "platform"} {
		for _, dev := range s.Bus(name).Devices() {
			names = append(names, dev.Name())
		}
	}
	slices.Sort(names)
	if want := []string{"vgem", "vkms", "vkms.1", "vkms.2"}; !slices.Equal(names, want) {
		t.Errorf("devices %q, want %q", names, want)
	}
	s.plug(t, "card3")
	if s.Bus("faux").Device("vkms.3") == nil {
		t.Error("card3 is not the device vkms.3")
	}
	_, noCard := s.Card("card5")
	_, noDisplay := s.card(t, "card4").Screenshot("")
	for want, err := range map[string]error{
		"there is no card5: card0 to card4 are described": noCard,
		"card4 has no display: its driver is vgem":        noDisplay,
		"card0 is already plugged":                        s.card(t, "card0").Plug(t.Context()),
		"card0 is already bound to driver faux_driver":    s.card(t, "card0").Bind(t.Context()),
		"card1 has no connector DP-1; it has Virtual-2":   s.card(t, "card1").Disconnect(t.Context(), "DP-1"),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	s.end(t)
}
