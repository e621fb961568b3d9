//go:build compositors

package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine/config"
)

// These tests unplug the cards of a compositor and of an X server. They need
// 900 MB of packages: run "make compositors". On a machine with a console, the X
// server takes the console over for a moment.

// blue is the colour that both are told to show everywhere.
var blue = color.NRGBA{0x33, 0x66, 0x99, 0xff}

// waitForBlue waits until card0 shows nothing but blue.
func waitForBlue(t *testing.T, s *session) {
	t.Helper()
	await(t, "the display is blue", func() bool {
		picture, err := s.card(t, "card0").Screenshot("")
		if err != nil {
			return false
		}
		for y := 0; y < picture.Rect.Dy(); y += 16 {
			for x := 0; x < picture.Rect.Dx(); x += 16 {
				if picture.NRGBAAt(x, y) != blue {
					return false
				}
			}
		}
		return true
	})
}

// sway refuses to run as root, so it has the uid 65534. A seatd that runs as
// root opens the card for sway. No other seatd may run.
const swayScript = `
	export SEATD_VTBOUND=0 XDG_RUNTIME_DIR=$1 HOME=$1 LIBSEAT_BACKEND=seatd WLR_LIBINPUT_NO_DEVICES=1
	seatd -u nobody -n 3 3>$1/ready & seatd=$!
	until [ -s $1/ready ]; do kill -0 $seatd || exit; sleep .01; done
	setpriv --reuid 65534 --regid 65534 --clear-groups sway -d -c $1/config 2>&1 & sway=$!
	read end
	kill $sway
	wait $sway
	status=$?
	kill $seatd
	exit $status
`

// showBlue is a configuration of sway.
var showBlue = fmt.Sprintf("output * bg #%02x%02x%02x solid_color\n", blue.R, blue.G, blue.B)

// swayDir returns a directory that belongs to the user of sway, with its
// configuration in the file config.
func swayDir(t *testing.T, config string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "udrm-sway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSway(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("seatd must be root: run this test as root")
	}
	for _, renderer := range []string{"pixman", "gles2"} {
		t.Run(renderer, func(t *testing.T) {
			t.Setenv("WLR_RENDERER", renderer)
			t.Setenv("WLR_RENDERER_ALLOW_SOFTWARE", "1")
			dir := swayDir(t, showBlue)
			s := newSession(t)
			s.plug(t, "card0")
			c := s.start(t, "sh", "-c", swayScript, "sh", dir)
			said := make(chan []string)
			go func() { said <- readTo(c, "Destroying DRM backend for /dev/dri/card0") }()
			waitForBlue(t, s)
			s.unplug(t, "card0")
			lines := <-said
			if status := c.end(t); status != 0 {
				t.Errorf("exit status %d\n%s", status, strings.Join(lines, "\n"))
			}
			s.end(t)
		})
	}
}

// readTo reads to the line that contains text, or to the end.
func readTo(c *client, text string) (lines []string) {
	for c.lines.Scan() {
		lines = append(lines, c.lines.Text())
		if strings.Contains(c.lines.Text(), text) {
			break
		}
	}
	return lines
}

// TestXorg unplugs a card on the platform bus. Xorg 21.1.7 crashes when a card on the
// faux bus goes, whose parent goes with it.
func TestXorg(t *testing.T) {
	card := config.DefaultCard()
	card.VKMS = vkms.ConfigOf(drm.Linux612)
	card.Enabled = false
	s := newSessionOf(t, []config.Card{card})
	s.plug(t, "card0")
	server := s.start(t, "Xorg", "-displayfd", "1", "-novtswitch", "-sharevts", "-noreset", "-nolisten", "tcp",
		"-logfile", filepath.Join(t.TempDir(), "log"))
	if !server.lines.Scan() {
		t.Fatalf("the server did not start\n%s", &server.stderr)
	}
	display := ":" + server.lines.Text()
	if out, err := exec.Command("xsetroot", "-display", display, "-solid", fmt.Sprintf("#%02x%02x%02x", blue.R, blue.G, blue.B)).CombinedOutput(); err != nil {
		t.Fatalf("xsetroot: %v\n%s", err, out)
	}
	waitForBlue(t, s)
	s.unplug(t, "card0")
	if out, err := exec.Command("xrandr", "-display", display).CombinedOutput(); err != nil || !strings.Contains(string(out), "Virtual-1 disconnected") {
		t.Errorf("xrandr: %v\n%s", err, out)
	}
	if err := unix.Kill(server.process.PID(), unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := server.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, &server.stderr)
	}
	s.end(t)
}

// TestSwaySeat starts sway by "udrm run --seat" alone, and pauses and resumes the
// seat while sway is told to show another colour.
func TestSwaySeat(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("sway must not be root, and the test changes the user: run this test as root")
	}
	dir := swayDir(t, "output * bg #102030 solid_color\nexec touch $XDG_RUNTIME_DIR/ready\n")
	script := fmt.Sprintf(`
		export XDG_RUNTIME_DIR=$1 HOME=$1 WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
		nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
		$nobody sway -c $1/config 2>$1/log & sway=$!
		until [ -e $1/ready ]; do kill -0 $sway || { cat $1/log; exit 1; }; sleep .01; done
		udrm wait card0 --lit --timeout 60s && udrm seat pause || exit
		until udrm seat | grep -q inactive; do sleep .01; done
		udrm seat
		$nobody swaymsg -s $1/sway-ipc.* output '*' bg '#%02x%02x%02x' solid_color
		udrm seat resume
		udrm wait card0 --matches $1/blue.png --timeout 60s || { cat $1/log; exit 1; }
		udrm seat
		kill $sway
		wait $sway`, blue.R, blue.G, blue.B)
	picture := image.NewNRGBA(image.Rect(0, 0, 1024, 768))
	draw.Draw(picture, picture.Rect, image.NewUniform(blue), image.Point{}, draw.Src)
	file, err := os.Create(filepath.Join(dir, "blue.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, picture); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "run", "--seat", "--expect", "no-leaks", "--", "sh", "-c", script, "sh", dir)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
	r := finish(t, cmd)
	if r.exit != 0 || !strings.Contains(r.stdout, "is inactive, has /dev/dri/card0\n") || !strings.Contains(r.stdout, "is active, has /dev/dri/card0\n") {
		t.Errorf("exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// westonFlags are words of sh. Weston 10 spells them in its own way.
const westonFlags = `$(case $(weston --version) in "weston 10."*) echo --backend=drm-backend.so --use-pixman;;
	*) echo --backend=drm --renderer=pixman;; esac)`

// TestWestonSeat starts weston, which asks logind (version 10) or seatd for the card,
// and pauses and resumes the seat.
func TestWestonSeat(t *testing.T) {
	script := `
		weston ` + westonFlags + ` --continue-without-input --log=$XDG_RUNTIME_DIR/log & weston=$!
		udrm wait card0 --lit --timeout 60s && udrm seat pause || { cat $XDG_RUNTIME_DIR/log; exit 1; }
		until grep -q 'deactivating session' $XDG_RUNTIME_DIR/log; do kill -0 $weston || exit 1; sleep .01; done
		udrm seat
		udrm seat resume
		until grep -q ' activating session' $XDG_RUNTIME_DIR/log; do kill -0 $weston || exit 1; sleep .01; done
		udrm seat
		kill $weston
		wait $weston`
	cmd := command(t, "run", "--seat", "--expect", "no-leaks", "--", "sh", "-c", script)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+dir)
	r := finish(t, cmd)
	if r.exit != 0 || !strings.Contains(r.stdout, "is inactive, has /dev/") || !strings.Contains(r.stdout, "is active, has /dev/") {
		t.Errorf("exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}
