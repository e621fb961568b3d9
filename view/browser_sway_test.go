//go:build browser

package view_test

import (
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/udrmtest"
)

// TestBrowserSway pulls one of sway's two monitors by a click, and plugs it in
// again. Sway goes on on the other one.
func TestBrowserSway(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("sway must not be root, and the test changes the user: run this test as root")
	}
	m, b := openPage(t, udrmtest.Options{Monitors: []string{"1280x720,DP", "800x600,HDMI-A"}, Seat: true})
	card := m.Card("card0").Machine()
	s := startSway(t, m)
	shows := func(connector string, c color.NRGBA) {
		t.Helper()
		b.await(connector+" shows the colour of sway", func() bool {
			got := b.canvas("card0:" + connector)
			return got != nil && got.NRGBAAt(got.Rect.Dx()/2, got.Rect.Dy()/2) == c
		})
	}
	outputs := func(want ...string) {
		t.Helper()
		b.await(fmt.Sprintf("sway has the outputs %q", want), func() bool { return slices.Equal(s.outputs(), want) })
	}
	blue, red := color.NRGBA{0x33, 0x66, 0x99, 0xff}, color.NRGBA{0x99, 0x33, 0x33, 0xff}
	shows("DP-1", blue)
	shows("HDMI-A-1", blue)
	outputs("DP-1", "HDMI-A-1")
	b.pull(card, "DP-1", func() {
		outputs("HDMI-A-1")
		s.message("output", "*", "bg", "#993333", "solid_color")
		shows("HDMI-A-1", red)
		b.awaitPicture(card, "HDMI-A-1")
	})
	outputs("DP-1", "HDMI-A-1")
	shows("DP-1", red)
	if err := unix.Kill(s.process.PID(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.process.WantExit(0)
	b.wantNoErrors()
}

// A swaySession is a sway that runs on a machine.
type swaySession struct {
	t       *testing.T
	process *udrmtest.Process
	dir     string // of its socket
}

// startSway starts sway on the machine, which has a seat. Its screens are blue.
func startSway(t *testing.T, m *udrmtest.Machine) *swaySession {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "udrm-sway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("output * bg #336699 solid_color\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid", fmt.Sprint(nobody), "--regid", fmt.Sprint(nobody), "--clear-groups", "sway", "-c", config)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "HOME="+dir, "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman")
	return &swaySession{t: t, process: m.StartCmd(cmd), dir: dir}
}

// message sends a command to sway, and returns its answer.
func (s *swaySession) message(args ...string) []byte {
	s.t.Helper()
	sockets, err := filepath.Glob(filepath.Join(s.dir, "sway-ipc.*"))
	if err != nil || len(sockets) != 1 {
		s.t.Fatalf("the sockets of sway are %q: %v", sockets, err)
	}
	out, err := exec.Command("swaymsg", append([]string{"-r", "-s", sockets[0]}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("swaymsg %q: %v\n%s", args, err, out)
	}
	return out
}

// outputs returns the names of the outputs on which sway shows something.
func (s *swaySession) outputs() (names []string) {
	s.t.Helper()
	var list []struct {
		Name   string
		Active bool
	}
	if out := s.message("-t", "get_outputs"); json.Unmarshal(out, &list) != nil {
		s.t.Fatalf("not a list of outputs: %s", out)
	}
	for _, o := range list {
		if o.Active {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	return names
}
