//go:build compositors

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSwayLike starts sway on a card like each of the snapshots. It must light every
// monitor, and draw.
func TestSwayLike(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("sway must not be root, and the test changes the user: run this test as root")
	}
	const script = `
		export XDG_RUNTIME_DIR=$1 HOME=$1 WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
		setpriv --reuid 65534 --regid 65534 --clear-groups sway -c $1/config 2>$1/log & sway=$!
		udrm wait card0 --lit --timeout 60s || { cat $1/log; exit 1; }
		for c in /sys/class/drm/card0-*; do
			if [ "$(cat $c/status)" = connected ]; then echo "${c##*/card0-}"; fi
		done
		echo
		read end
		kill $sway
		wait $sway`
	for i, file := range snapshots(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			dir := swayDir(t, showBlue)
			machine := fmt.Sprintf("sway-%d-%d", os.Getpid(), i)
			cmd := command(t, "run", "--seat", "--name", machine, "--expect", "no-leaks", "--like", file, "--", "sh", "-c", script, "sh", dir)
			cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"))
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdin, stdout := startPiped(t, cmd)
			monitors := 0
			for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != ""; monitors++ {
				screen := "card0:" + lines.Text()
				await(t, screen+" is blue", func() bool {
					r := run(t, "screenshot", "--machine", machine, screen, "-")
					return r.exit == 0 && isBlue(t, r.stdout)
				})
			}
			if monitors == 0 {
				t.Error("no monitor is connected")
			}
			stdin.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, &stderr)
			}
		})
	}
}

// isBlue reports whether a PNG picture is nothing but blue.
func isBlue(t *testing.T, data string) bool {
	t.Helper()
	picture, err := png.Decode(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := [4]uint32{}
	want[0], want[1], want[2], want[3] = blue.RGBA()
	for y := 0; y < picture.Bounds().Dy(); y += 16 {
		for x := 0; x < picture.Bounds().Dx(); x += 16 {
			var got [4]uint32
			got[0], got[1], got[2], got[3] = picture.At(x, y).RGBA()
			if got != want {
				return false
			}
		}
	}
	return true
}

// TestWestonLike starts weston on a card like each of the snapshots. It must light the
// card.
func TestWestonLike(t *testing.T) {
	const script = `
		weston ` + westonFlags + ` --continue-without-input --log=$XDG_RUNTIME_DIR/log & weston=$!
		udrm wait card0 --lit --timeout 60s || { cat $XDG_RUNTIME_DIR/log; exit 1; }
		kill $weston
		wait $weston`
	for _, file := range snapshots(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			cmd := command(t, "run", "--seat", "--expect", "no-leaks", "--like", file, "--", "sh", "-c", script)
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+dir)
			if r := finish(t, cmd); r.exit != 0 {
				t.Errorf("exit status %d\n%s%s", r.exit, r.stdout, r.stderr)
			}
		})
	}
}
