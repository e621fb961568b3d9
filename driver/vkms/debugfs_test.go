package vkms_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
)

// TestDebugfs checks that the files in debugfs show what those of the kernel
// showed while the console had a framebuffer. It does not compare the
// framebuffer's maker, references and addresses, nor the console itself as a
// client of the device. For a buffer the kernel also counts its mappings.
func TestDebugfs(t *testing.T) {
	for _, kernel := range drm.Kernels {
		t.Run(string(kernel), func(t *testing.T) { testDebugfs(t, vkms.ConfigOf(kernel)) })
	}
}

func testDebugfs(t *testing.T, config vkms.Config) {
	recorded, err := os.ReadFile("testdata/" + string(config.Kernel) + "/debugfs.txt")
	if err != nil {
		t.Fatal(err)
	}
	c, driver, _ := newClient(t, config)
	if !config.Console {
		showConsole(c)
	}
	shown := make(map[string]string)
	for _, f := range driver.Device().DebugfsFiles() {
		if f.Show != nil {
			shown[f.Path] = f.Show()
		}
	}
	normal := strings.NewReplacer("[fbcon]", "COMM", "[drmtest]", "COMM")
	private := regexp.MustCompile(`(?m)^\s*(pages_pin_count|pages_use_count|vmap_use_count|vaddr)=.*\n`)
	varying := regexp.MustCompile(`(?m)(refcount|start|allocated by)( ?=) ?.*$`)
	normalise := func(s string) string {
		return varying.ReplaceAllString(private.ReplaceAllString(normal.Replace(s), ""), "$1=X")
	}
	for section := range strings.SplitSeq(strings.TrimPrefix(string(recorded), "-- "), "\n-- ") {
		name, want, _ := strings.Cut(section, "\n")
		want = strings.TrimSuffix(want, "\n") + "\n"
		got, ok := shown[name]
		switch {
		case !ok:
			t.Errorf("%s: no such file", name)
		case name == "internal_clients":
			equal(t, name, got, map[bool]string{true: want}[config.Console])
		case name == "clients":
			header, _, _ := strings.Cut(got, "\n")
			equal(t, name, header+"\n", want)
		case normalise(got) != normalise(want):
			t.Errorf("%s: got\n%s\nthe kernel said\n%s", name, normalise(got), normalise(want))
		}
	}
}

// TestDebugfsClients checks that each open file has a line.
func TestDebugfsClients(t *testing.T) {
	c, driver, _ := newClient(t, vkms.ConfigOf(drm.Linux72))
	show := func(path string) string {
		for _, f := range driver.Device().DebugfsFiles() {
			if f.Path == path {
				return f.Show()
			}
		}
		t.Fatalf("no file %s", path)
		return ""
	}
	line := regexp.MustCompile(`(?m)^ +\S+ +\d+ +0   y    y +\d+ +0 +<unset> +\d+$`)
	if got := show("clients"); len(line.FindAllString(got, -1)) != 1 {
		t.Errorf("with one master:\n%s", got)
	}
	dumb, err := c.CreateDumb(64, 64, 32)
	c.must(err)
	do(c, uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: dumb.Handle})
	equal(t, "the buffers with names", show("gem_names"), "  name     size handles refcount\n     1    16384       1        1\n")
	c.must(c.DestroyDumb(dumb.Handle))
	equal(t, "the buffers with names", show("gem_names"), "  name     size handles refcount\n")
}

// TestDebugfsBeforeRegistration checks that the files can be read as soon as
// they can be seen: the uevent of the node comes before the connectors'.
func TestDebugfsBeforeRegistration(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	driver := vkms.NewDriver(class, vkms.DefaultConfig())
	states := make(map[string]bool)
	t.Cleanup(class.Subscribe(func(e drm.Uevent) {
		if e.Kobject.Minor == nil {
			return
		}
		for _, f := range e.Kobject.Minor.Device().DebugfsFiles() {
			if f.Path == "state" {
				states[f.Show()] = true
			}
		}
	}))
	drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
	equal(t, "different states while the device is announced", len(states), 1)
}
