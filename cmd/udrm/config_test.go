package main

import (
	"fmt"
	"image"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine/config"
)

// contains fails the test for each of the lines that a text does not have,
// whatever the space between its words.
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

// What programs see of a card that a file describes.
func TestConfig(t *testing.T) {
	r := run(t, "run", "--config", "../../machine/config/testdata/two-monitors.yaml", "--", "sh", "-c", `
		modetest -M vkms -c && drm_info &&
		cd /sys/class/drm && head card0-*/status card0-*/modes && edid-decode <card0-DP-1/edid && edid-decode --check <card0-HDMI-A-1/edid`)
	if r.exit != 0 || r.stderr != "" {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	contains(t, r.stdout,
		"46 0 connected DP-1 600x340 2 48\n",
		"#0 2560x1440 59.95 2560 2608 2640 2720 1440 1443 1448 1481 241500 flags: phsync, nvsync; type: preferred, driver\n",
		"#1 1920x1080 60.00 1920 2008 2052 2200 1080 1084 1089 1125 148500 flags: phsync, pvsync; type: driver\n",
		"47 0 connected HDMI-A-1 530x300 2 49\n",
		"#0 1920x1080 60.00 1920 2008 2052 2200 1080 1084 1089 1125 148500 flags: phsync, pvsync; type: preferred, driver\n",
		" 1 EDID:\n flags: immutable blob\n blobs:\n\n value:\n 00ffffffffffff00", // of the first, whose property comes first

		"Physical size: 600x340 mm\n", "2560x1440@59.95 preferred driver phsync nvsync", `"EDID" (immutable): blob = `,
		"==> card0-DP-1/status <==\nconnected\n", "==> card0-Writeback-1/status <==\nunknown\n",
		"==> card0-DP-1/modes <==\n2560x1440\n1920x1080\n", "==> card0-HDMI-A-1/modes <==\n1920x1080\n1280x720\n",
		"Display Product Name: 'Left'\n", "Display Product Name: 'Right'\n", "Serial Number: 2\n", "Maximum image size: 53 cm x 30 cm\n",
		"EDID conformity: PASS",
	)
}

// Both CRTCs are lit by atomic requests, each with its own picture.
func TestConfigLightsBothMonitors(t *testing.T) {
	s := newSession(t)
	var err error
	if s.list, err = config.ReadFile("../../machine/config/testdata/two-monitors.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := s.plug("card0"); err != nil {
		t.Fatal(err)
	}
	c := s.start(t, "modetest", "-M", "vkms", "-F", "smpte,smpte", "-a", "-s", "46@44:2560x1440", "-s", "47@45:1920x1080", "-P", "32@44:2560x1440", "-P", "35@45:1920x1080")
	driver := s.driver("card0")
	for connector, size := range map[string]image.Point{"DP-1": {2560, 1440}, "HDMI-A-1": {1920, 1080}} {
		var picture *image.NRGBA
		await(t, "modetest shows its picture", func() (ok bool) {
			picture, err = driver.ScreenshotOf(connector)
			if err != nil {
				return false
			}
			n, _ := mismatches(picture, bars)
			return n == 0
		})
		if picture.Rect.Size() != size {
			t.Errorf("%s shows %v", connector, picture.Rect)
		}
	}
	if status := c.end(t); status != 0 {
		t.Errorf("modetest: status %d\n%s", status, &c.stderr)
	}
	s.end(t)
}

// The same from flags: monitors, one of them not connected, formats, CRTCs.
func TestCardFlags(t *testing.T) {
	r := run(t, "run", "--monitor", "DELL U2720Q:3840x2160@60,600x340mm,DP", "--monitor", "edid=../../machine/config/testdata/monitor.bin,HDMI-A", "--monitor", "800x600,disconnected",
		"--crtcs", "2", "--format", "XR30,NV12", "--overlay", "--no-cursor", "--no-writeback", "--vgem", "1",
		"--", "sh", "-c", "modetest -M vkms; head /sys/class/drm/*/status; ls /dev/dri")
	if r.exit != 0 {
		t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	contains(t, r.stdout, "connected DP-1 600x340 1 ", "connected HDMI-A-1 600x340 2 ", "#0 1680x1050 59.88 ", "disconnected Virtual-1 0x0 0 ",
		"formats: AR24 XR24 XR48 AR48 RG16 XR30 NV12\n", "==> /sys/class/drm/card0-Virtual-1/status <==\ndisconnected\n", "\ncard1\n")
	if n := strings.Count(r.stdout, "formats:"); n != 10 || strings.Contains(r.stdout, "Writeback") {
		t.Errorf("%d planes, want two primaries and eight overlays, and no writeback:\n%s", n, r.stdout)
	}
}

// A monitor is pulled, another one is plugged in: programs hear of it from
// udev, and find what it is.
func TestHotplug(t *testing.T) {
	s := newSession(t)
	flags := cardFlags{Cards: 1, Cursor: true, Monitor: []string{"First:1920x1080,600x340mm,DP"}}
	var err error
	if s.list, _, err = flags.describe(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.plug("card0"); err != nil {
		t.Fatal(err)
	}
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
	for _, at := range []string{"0s:disconnect=card0:DP-1", "0s:connect=card0:DP-1=Second:1280x720@60,300x200mm"} {
		var a timedAction
		if err := a.UnmarshalText([]byte(at)); err != nil {
			t.Fatal(err)
		}
		if err := actions[a.action].do(s.cards, a); err != nil {
			t.Error(err)
		}
		listen()
	}
	listen()
	const want = `connected
1920x1080
Display Product Name: 'First'
39 0 connected DP-1 600x340 1 40
disconnected
39 0 disconnected DP-1 0x0 0 40
connected
1280x720
Display Product Name: 'Second'
39 0 connected DP-1 300x200 1 40
ACTION=change
ACTION=change
CONNECTOR=39
CONNECTOR=39
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

// The same by --at.
func TestTimedHotplug(t *testing.T) {
	r := run(t, "run", "--at", "100ms:connect=card0:DP-2", "--at", "200ms:disconnect=card0:Virtual-1", "--", "sh", "-c",
		"until grep -qx disconnected /sys/class/drm/card0-Virtual-1/status; do sleep .01; done")
	want := "udrm: 100ms:connect=card0:DP-2: vkms: no connector DP-2; the card has: Virtual-1: no such file or directory\n"
	if r.exit != 0 || r.stderr != want {
		t.Errorf("exit %d, udrm said\n%s, want %s", r.exit, r.stderr, want)
	}
}

// What cannot be is refused, and nothing is run.
func TestCardErrors(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", "no-such-file"}, "udrm: open no-such-file: no such file or directory\n"},
		{[]string{"--config", "../../machine/config/testdata/bad/rules.yaml"}, "udrm: ../../machine/config/testdata/bad/rules.yaml:4: cards/desk/planes/p0: primary plane of 2 CRTCs: each CRTC needs one of its own\n" +
			"udrm: ../../machine/config/testdata/bad/rules.yaml:5: "},
		{[]string{"--config", "../../machine/config/testdata/two-monitors.yaml", "--cards", "2"}, "udrm: --cards with --config: the file describes the cards; say it there\n"},
		{[]string{"--config", "../../machine/config/testdata/two-monitors.yaml", "--no-cursor"}, "udrm: --cursor with --config: "},
		{[]string{"--monitor", "800x"}, `udrm: --monitor: "800x": unknown or repeated item "800x"; write a monitor as `},
		{[]string{"--format", "XR31"}, `udrm: --format: "XR31" is not a pixel format; write a code of drm_fourcc.h, such as XR30 or NV12`},
		{[]string{"--crtcs=-1"}, "udrm: --crtcs=-1: a card has 1 to 31\n"},
		{[]string{"--crtcs", "40"}, "udrm: --crtcs=40: "},
		{[]string{"--vgem", "64"}, "udrm: --vgem=64: with 1 cards it takes 0 to 63\n"},
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

// Cards of a file are not there at first, or are no displays, as it says.
func TestConfigOfManyCards(t *testing.T) {
	cards, err := config.ReadFile("../../machine/config/testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	s.list, s.further = cards, nil
	for i := range cards {
		if err := s.plug(fmt.Sprintf("card%d", i)); err != nil {
			t.Error(err)
		}
	}
	var names []string
	for _, dev := range s.platform.Devices() {
		names = append(names, dev.Name())
	}
	slices.Sort(names)
	if want := []string{"vgem", "vkms", "vkms.1", "vkms.2", "vkms.3"}; !slices.Equal(names, want) {
		t.Errorf("devices %q, want %q", names, want)
	}
	for what, err := range map[string]error{
		"there is no card5: 5 cards are described":  s.plug("card5"),
		"card4 is a vgem, which has no display":     s.screenshot("card4", "", "/dev/null"),
		"there is no card6: 5 cards are described":  s.hotplug("card6", "DP-1", uapi.ModeConnected, nil),
		"there is no card63: 5 cards are described": s.unplug("card63"),
	} {
		if err == nil || err.Error() != what {
			t.Errorf("%v, want %s", err, what)
		}
	}
	s.end(t)
}
