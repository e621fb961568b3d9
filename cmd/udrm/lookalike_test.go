package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// differences are the places in the output of drm_info -j that differ between a
// card and its snapshot, each with the reason. docs/cards.md lists them too.
var differences = []struct{ path, reason string }{
	{`^driver\.kernel\.`, "drm_info prints the kernel of the machine"},
	{`\.id$`, "ids follow the order in which the objects are made"},
}

// identifiers are the places whose values are ids of objects: here only none or
// one is compared.
var identifiers = regexp.MustCompile(`\.(encoder_id|crtc_id|fb_id)$|\.encoders\[\d+\]$|\.(CRTC_ID|FB_ID|[A-Z_]*MODE_ID|EDID|IN_FORMATS|TILE|PATH|WRITEBACK_\w+|SIZE_HINTS)\.(raw_value|value)$`)

// snapshots returns the files of package config that cards are made from.
func snapshots(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../machine/config/testdata/snapshots/*.json")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d snapshots: %v", len(files), err)
	}
	return files
}

// TestLike compares what drm_info prints of a card with the snapshot that the card
// was made from.
func TestLike(t *testing.T) {
	for _, file := range snapshots(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, "run", "--like", file, "--", "sh", "-c", "drm_info -j /dev/dri/card0")
			if r.exit != 0 {
				t.Fatalf("exit %d: %s", r.exit, r.stderr)
			}
			want, got := flatten(t, data), flatten(t, []byte(r.stdout))
			for _, path := range slices.Sorted(keys(want, got)) {
				if w, g := want[path], got[path]; w != g && !explained(path, w, g) {
					t.Errorf("%s: %s, the snapshot has %s", path, g, w)
				}
			}
		})
	}
}

// TestLikePrograms runs modetest on the cards: it finds them by the names of their
// drivers.
func TestLikePrograms(t *testing.T) {
	for name, want := range map[string]string{
		"i915":      "driver `i915`",
		"amdgpu":    "driver `amdgpu`",
		"vc4":       "driver `vc4`",
		"simpledrm": "driver `simpledrm`",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, "run", "--like", "../../machine/config/testdata/snapshots/"+name+".json", "--", "sh", "-c", "modetest 2>&1")
			if r.exit != 0 || !strings.Contains(r.stdout, "trying to open device '"+name+"'...done") && !strings.Contains(r.stdout, want) {
				t.Errorf("exit %d: %.400s%s", r.exit, r.stdout, r.stderr)
			}
		})
	}
}

// TestLikeFDInfo checks that a program sees in /proc what drivers like i915 say about
// an open file. vkms says nothing. Mounts cannot show it.
func TestLikeFDInfo(t *testing.T) {
	const script = "exec 3</dev/dri/card0; cat /proc/self/fdinfo/3"
	r := run(t, "run", "--files=calls", "--like", "../../machine/config/testdata/snapshots/i915.json", "--", "sh", "-c", script)
	for _, line := range []string{"pos:\t0\n", "drm-driver:\ti915\ndrm-client-id:\t", "drm-pdev:\t0000:00:02.0\n", "drm-total-system0:\t0\n"} {
		if r.exit != 0 || !strings.Contains(r.stdout, line) {
			t.Errorf("exit %d: %s%s; want %q", r.exit, r.stdout, r.stderr, line)
		}
	}
	r = run(t, "run", "--files=calls", "--", "sh", "-c", script)
	if r.exit != 0 || !strings.Contains(r.stdout, "flags:\t0") || strings.Contains(r.stdout, "drm-") {
		t.Errorf("exit %d: %s%s; want no drm- lines", r.exit, r.stdout, r.stderr)
	}
}

func keys(maps ...map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		seen := make(map[string]bool)
		for _, m := range maps {
			for k := range m {
				if !seen[k] {
					seen[k] = true
					if !yield(k) {
						return
					}
				}
			}
		}
	}
}

// explained reports whether the values may differ.
func explained(path, want, got string) bool {
	if identifiers.MatchString(path) {
		none := func(v string) bool { return v == "0" || v == "null" || v == "" }
		return none(want) == none(got)
	}
	return slices.ContainsFunc(differences, func(d struct{ path, reason string }) bool {
		return regexp.MustCompile(d.path).MatchString(path)
	})
}

// flatten returns the values of the only card in the output of drm_info -j by
// their paths.
func flatten(t *testing.T, data []byte) map[string]string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var nodes map[string]any
	if err := d.Decode(&nodes); err != nil || len(nodes) != 1 {
		t.Fatalf("%d cards: %v\n%.300s", len(nodes), err, data)
	}
	flat := make(map[string]string)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				walk(strings.TrimPrefix(path+"."+name, "."), value)
			}
		case []any:
			flat[path+".length"] = fmt.Sprint(len(v))
			for i, value := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), value)
			}
		case nil:
			flat[path] = "null"
		default:
			flat[path] = fmt.Sprint(v)
		}
	}
	for _, node := range nodes {
		walk("", node)
	}
	return flat
}

// TestPlaces checks what libdrm, sysfs and udev say of cards on each bus.
func TestPlaces(t *testing.T) {
	const show = `drmdevice; udevadm info /dev/dri/card0; cd /sys/class/drm/card0/device; readlink -f .; cat uevent; ` +
		`cat boot_vga vendor idVendor ../vendor ../idVendor 2>/dev/null; ls /sys/module; basename "$(readlink driver)"`
	for name, wants := range map[string][]string{
		"i915": {"bustype 0000\n", "dev    02\n", "device_id     3e92\n", "renderD128", "ID_PATH=pci-0000:00:02.0\n", "/sys/devices/pci0000:00/0000:00:02.0\n",
			"DRIVER=i915\n", "PCI_ID=8086:3E92\n", "\n1\n0x8086\n"},
		"amdgpu":     {"bus    01\n", "ID_PATH=pci-0000:01:00.0\n", "/0000:00:01.0/0000:01:00.0\n"},
		"virtio-gpu": {"bustype 0000\n", "vendor_id     1af4\n", "ID_PATH=pci-0000:00:02.0\n", "/0000:00:02.0/virtio0\n", "DRIVER=virtio_gpu\n"},
		"udl":        {"bustype 0001\n", "vendor  17e9\n", "product 0141\n", "ID_PATH=pci-0000:00:14.0-usb-0:2:1.0\n", "DEVTYPE=usb_interface\n"},
		"vc4":        {"bustype 0002\n", "brcm,bcm2711-vc5\n", "ID_PATH=platform-vc4\n", "OF_COMPATIBLE_N=1\n"},
		"simpledrm":  {"bustype 0002\n", "ID_PATH=platform-simple-framebuffer\n", "\nsimpledrm\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, "run", "--like", "../../machine/config/testdata/snapshots/"+name+".json", "--", "sh", "-c", show)
			for _, want := range wants {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("%q is missing in\n%s%s", want, r.stdout, r.stderr)
				}
			}
		})
	}
}

// TestConnectorNumbers checks that connectors of a type are numbered over all
// cards, and that a card which is plugged in again has the same names.
func TestConnectorNumbers(t *testing.T) {
	const names = "ls /sys/class/drm | grep -e Virtual -e Writeback | tr '\\n' ' '; "
	r := run(t, "run", "--cards", "2", "--", "sh", "-c", names+`"$0" unplug card0; `+names+`"$0" plug card0; `+names, udrm)
	const card0, card1 = "card0-Virtual-1 card0-Writeback-1 ", "card1-Virtual-2 card1-Writeback-2 "
	if want := card0 + card1 + card1 + card0 + card1; r.exit != 0 || r.stdout != want {
		t.Errorf("exit %d, %s%s\nwant %s", r.exit, r.stdout, r.stderr, want)
	}
}

// TestDescribedHardware runs modetest on a card that a file describes. Its
// constraints refuse what the hardware would, with the reason in the log.
func TestDescribedHardware(t *testing.T) {
	const file = "../../machine/config/testdata/hardware.yaml"
	r := run(t, "run", "--like", file, "--", "modetest", "-M", "i915", "-c", "-p")
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(r.stdout)
		if m == nil {
			t.Fatalf("exit %d: no %s in\n%s%s", r.exit, pattern, r.stdout, r.stderr)
		}
		return m[1]
	}
	connector, crtc := find(`(?m)^(\d+)\t\d+\tconnected\teDP-1`), find(`(?m)^CRTCs:\nid.*\n(\d+)`)
	planes := regexp.MustCompile(`(?m)^(\d+)\t0\t0\t0,0\t\t0,0`).FindAllStringSubmatch(r.stdout, -1)
	if len(planes) != 5 {
		t.Fatalf("%d planes in\n%s", len(planes), r.stdout)
	}
	video, window := planes[1][1], planes[2][1]
	for _, tc := range []struct{ scale, want string }{
		{"*1", ""},
		{"*2", "constraint scalers: plane " + window + " scales and would need scaler 2 (limit 1)"},
	} {
		r := run(t, "run", "-v", "--config", file, "--", "sh", "-c", fmt.Sprintf(
			"modetest -M i915 -s %s@%s:1920x1200 -P %s@%s:400x300*2@XR24 -P %s@%s:400x300%s@XR24 </dev/null",
			connector, crtc, video, crtc, window, crtc, tc.scale))
		failed := strings.Contains(r.stderr, "failed to enable plane: No space left on device")
		if failed != (tc.want != "") || !strings.Contains(r.stderr, tc.want) {
			t.Errorf("scale %s: exit %d\n%s\n%s", tc.scale, r.exit, r.stdout, r.stderr)
		}
	}
	if r := run(t, "run", "--config", "../../machine/config/testdata/bad/hardware-rules.yaml", "--", "true"); r.exit != 125 || !strings.Contains(r.stderr, "hardware-rules.yaml:2: cards/a: ") {
		t.Errorf("a wrong file: exit %d: %s", r.exit, r.stderr)
	}
}

// TestConnectorsComeAndGo adds and removes connectors of a running machine, and
// looks at them with modetest, in sysfs and as uevents.
func TestConnectorsComeAndGo(t *testing.T) {
	cmd := script(t, `set -e
set -x
udrm add-connector card0:DP="Hub:800x600"
udrm add-connector card0:HDMI-A
ls /sys/class/drm
modetest -M vkms -c | grep -A1 connected
modetest -M vkms -c | sed -n '/PATH/,/value/p' | head -2
modetest -M vkms -e
cat /sys/class/drm/card0-DP-2/modes
udrm disconnect card0:DP-2
cat /sys/class/drm/card0-DP-2/status
udrm remove-connector card0:DP-2
ls /sys/class/drm
! udrm remove-connector card0:DP-1
! udrm add-connector card0:Plug
udrm ls
`, "--monitor", "1024x768,DP", "--crtcs", "2")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	stdout := string(out)
	for _, want := range []string{
		"\nDP-2\n", "\nHDMI-A-1\n", "\ncard0-DP-2\n", "connected\tDP-2 ", "disconnected\tHDMI-A-1", "DPMST", "\n800x600\n", "\ndisconnected\n", "PATH",
	} {
		if !strings.Contains("\n"+stdout, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Count(stdout, "\ncard0-DP-2\n") != 1 || err != nil {
		t.Errorf("it is listed after its removal, or %v", err)
	}
	for _, want := range []string{"connector DP-1 is part of the card and cannot be removed", `"Plug" is not a type of connector`} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s\n%s", stdout, stderr.String())
	}
}
