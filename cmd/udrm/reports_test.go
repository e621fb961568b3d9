package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// reports are what authors of compositors, players and toolkits have asked a card
// for in public reports, each with the answer of the kernel. The program report
// makes the requests; card is the description of the card, below its name.
var reports = []struct {
	name, card, script, want string
}{
	{
		"an async flip is shown at once",
		`caps: {async_flips: 1}`, "$report async",
		"cap 1\nlegacy 0\natomic 0\nmoving EINVAL\nvblank flip 0\n",
	},
	{
		"a card without async flips",
		`caps: {async_flips: 0}`, "$report async",
		"cap 0\nlegacy EINVAL\natomic EINVAL\nmoving EINVAL\nvblank flip 0\n",
	},
	{
		"a card that promises async flips and refuses them",
		"caps: {async_flips: 1}\n    constraints: {async_flips: 0}", "$report async",
		"cap 1\nlegacy EINVAL\natomic EINVAL\nmoving EINVAL\nvblank flip 0\n",
	},
	{
		"async flips of tiled framebuffers only",
		"caps: {async_flips: 1}\n    planes: {p: {type: primary, modifiers: [linear, x-tiled], async_modifiers: [x-tiled]}}", "$report async",
		"cap 1\nlegacy EINVAL\natomic EINVAL\nmoving EINVAL\nvblank flip 0\n",
	},
	{
		"a cursor of one size",
		"caps: {cursor: 64x64}\n    constraints: {cursor_sizes: [64x64]}", "$report cursor 32x32 64x64 128x128 64x32 1x1",
		"32x32 EINVAL\n64x64 0\n128x128 EINVAL\n64x32 EINVAL\n1x1 EINVAL\nmove 0\n",
	},
	{
		"a card that promises a cursor and has none",
		"caps: {cursor: 64x64}\n    cursor: 0", "$report cursor 64x64",
		"64x64 ENXIO\nmove EFAULT\n",
	},
	{
		"a cursor with a hotspot is hidden from atomic clients",
		`caps: {cursor_hotspot: 1}`, "$report planes",
		"universal 0\nplanes 2 0\natomic 0\nplanes 1 0\nhotspot 0\nplanes 2 0\n",
	},
	{
		"a card without modifiers",
		`caps: {modifiers: 0}`, "$report modifiers 0 0x100000000000001; modetest -M vkms -p | grep -c IN_FORMATS",
		"cap 0\n0 EINVAL\n0x100000000000001 EINVAL\n0\n",
	},
	{
		"a card with a tiled layout",
		`planes: {p: {type: primary, modifiers: [linear, x-tiled]}}`,
		"$report modifiers 0 0x100000000000001 0x100000000000002 0xffffffffffffff",
		"cap 1\n0 0\n0x100000000000001 0\n0x100000000000002 EINVAL\n0xffffffffffffff EINVAL\n",
	},
	{
		"a card without a gamma table",
		`crtcs: {c: {gamma: 0, ctm: 1}}`, "$report gamma 256; modetest -M vkms -p | grep -e GAMMA -e CTM | sed 's/.* //'",
		"size 0\n256 ENOSYS\nCTM:\n",
	},
	{
		"a gamma table of another size",
		`crtcs: {c: {gamma: 1024}}`, "$report gamma 1024 256",
		"size 1024\n1024 0\n256 EINVAL\n",
	},
	{
		"a card without atomic modesetting",
		`caps: {atomic: 0}`, "$report clients",
		"atomic ENOTSUP\nflip 0\n",
	},
	{
		"HDR metadata of a wrong size",
		`connectors: {c: {type: DP, properties: {HDR_OUTPUT_METADATA: }}}`, "$report blob HDR_OUTPUT_METADATA 31 32 33",
		"31 EINVAL\n32 0\n33 EINVAL\n",
	},
	{
		"more bits per component than the link carries",
		`connectors: {c: {type: DP, properties: {max bpc: {range: [6, 10], value: 10}}}}`,
		`$set "max bpc" 10; $set "max bpc" 16 2>&1 | sed 's/.*: //'; $get "max bpc"`,
		"Invalid argument\nvalue: 10\n",
	},
	{
		"a colour pipeline, and no COLOR_ENCODING with it",
		"identity: {driver: i915}\n    plane_pipeline: 1", "$report pipeline",
		"before atomic EINVAL\ncap 0\nCOLOR_PIPELINE true\nCOLOR_ENCODING false\nproperties 0\nvalues 0\ntype 0\ntype 2\ntype 2\ntype 0\n",
	},
	{
		"a panel that is mounted upside down",
		`connectors: {c: {type: DSI, properties: {panel orientation: Upside Down}}}`,
		`$get "panel orientation"; $set "panel orientation" 0 2>&1 | sed 's/.*: //'`,
		"value: 1\nInvalid argument\n",
	},
	{
		"another monitor has no variable refresh rate",
		`connectors: {c: {type: DP, monitor: {name: A, modes: [800x600@60], vrr: 48-144}, properties: {vrr_capable: }}}`,
		"$get vrr_capable; cat /sys/kernel/debug/dri/0/DP-1/vrr_range; $udrm connect card0:DP-1=Fixed:800x600; $get vrr_capable; cat /sys/kernel/debug/dri/0/DP-1/vrr_range",
		"value: 1\nMin: 48\nMax: 144\nvalue: 0\nMin: 0\nMax: 0\n",
	},
	{
		"a headset is none for the desktop, the next monitor is",
		`connectors: {c: {type: DP, monitor: {name: Headset, modes: [1440x1600@90], non-desktop: 1}}}`,
		"$get non-desktop; $udrm connect card0:DP-1=Desk:800x600; $get non-desktop",
		"value: 1\nvalue: 0\n",
	},
	{
		"a connector that is forced on without a monitor",
		"identity: {driver: i915}\n    connectors: {c: {type: HDMI-A, status: disconnected}}",
		"cd /sys/class/drm/card0-HDMI-A-1; echo on >status; cat status; sort -u modes | wc -l; wc -c <edid; echo detect >status; cat status",
		"connected\n4\n0\ndisconnected\n",
	},
	{
		"planes that stay where they are, and one that moves",
		`planes: {p: {type: primary, properties: {zpos: 0}}, v: {properties: {zpos: {range: [1, 2], value: 1}}}, w: {}}`,
		"modetest -M vkms -p | grep -A3 zpos | sed 's/^[ \t0-9]*//' | grep -v -- --",
		"zpos:\nflags: immutable range\nvalues: 0 0\nvalue: 0\nzpos:\nflags: range\nvalues: 1 2\nvalue: 1\n",
	},
	{
		"a monitor of two tiles",
		`connectors: {l: {type: DP, monitor: {name: Wall, modes: [1920x2160@60], tile: 2x1+0+0}}, r: {type: DP, monitor: {name: Wall, modes: [1920x2160@60], tile: 2x1+1+0}}}`,
		"modetest -M vkms -c | grep -A6 TILE: | grep '^\t\t\t' | tr -d '\\t\\n' | sed 's/../\\\\x&/g' | xargs -0 printf | tr '\\0' '\\n'",
		"1:1:2:1:0:0:1920:2160\n1:1:2:1:1:0:1920:2160\n",
	},
	{
		"the infoframes that a monitor gets",
		`connectors: {c: {type: HDMI-A, properties: {HDR_OUTPUT_METADATA: , Colorspace: , Broadcast RGB: , content type: }, monitor: {name: A, modes: [1920x1080@60]}}}`,
		`cd /sys/kernel/debug/dri/0/HDMI-A-1/infoframes; ls; wc -c <avi; ` +
			`$lit /dev/dri/card0 sh -c "od -An -tx1 avi; wc -c <hdr_drm";`,
		"audio\navi\nhdmi\nhdr_drm\nspd\n0\n 82 02 0d 25 12 28 00 10 00 00 00 00 00 00 00 00\n 00\n0\n",
	},
}

// TestReports checks that cards can be made that answer as in public reports.
func TestReports(t *testing.T) {
	for _, tc := range reports {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "cards.yaml")
			if err := os.WriteFile(file, []byte("cards:\n  card:\n    "+tc.card+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			script := strings.NewReplacer("$report", trial, "$udrm", udrm, "$lit", lit, "$get", "get", "$set", "set_").Replace(tc.script)
			r := run(t, "run", "--config", file, "--", "sh", "-c", connectorProperty+script)
			if r.stdout != tc.want || r.stderr != "" {
				t.Errorf("exit %d: %s%s\nwant:\n%s", r.exit, r.stdout, r.stderr, tc.want)
			}
		})
	}
}

// connectorProperty defines functions of the shell that read and set a property of
// the first connector.
const connectorProperty = `
	connector() { modetest -M vkms -c | sed -n 's/^\([0-9]*\)\t[0-9]*\t[a-z]*connected.*/\1/p' | head -1; }
	get() { modetest -M vkms -c | grep -A6 " $1:$" | grep -m1 value: | tr -d '\t'; }
	set_() { modetest -M vkms -w "$(connector):$1:$2"; }
`

// TestHandover runs the example of docs/cards.md in which the card of the firmware
// gives way to that of the driver.
func TestHandover(t *testing.T) {
	document, err := os.ReadFile("../../docs/cards.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "## From the firmware's card to the driver's")
	block := func(language string) string {
		_, text, _ := strings.Cut(section, "```"+language+"\n")
		text, _, _ = strings.Cut(text, "```")
		return text
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "handover.yaml"), []byte(block("yaml")), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", block("sh"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	if want := "simpledrm card0\ni915 card1 renderD128\n"; err != nil || string(output) != want {
		t.Errorf("%v: %s, want %s", err, output, want)
	}
}
