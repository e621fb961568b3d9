package main

import (
	"os"
	"strings"
	"testing"
)

// TestDisturbed has processes make calls on the virtual files that no program makes,
// and kills them in the midst, with both ways to show the files. Beside them a
// program draws and flips on another card, and the card is unplugged.
func TestDisturbed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test runs programs of another user: run it as root")
	}
	script := strings.NewReplacer("HOSTILE", "setpriv --reuid=65534 --regid=65534 --clear-groups "+hostile, "UDRM", udrm).Replace(`
		HOSTILE disturb 150 &
		HOSTILE honest 20 && echo honest
		UDRM unplug card0 && HOSTILE honest 20 && UDRM plug card0 && echo unplugged
		wait $! && echo disturbed`)
	for _, files := range []string{"calls", "mounts"} {
		t.Run(files, func(t *testing.T) {
			if files == "mounts" && !withMounts(t) {
				return
			}
			r := run(t, "run", "--cards=2", "--files="+files, "--", "sh", "-c", script)
			if want := "honest\nunplugged\ndisturbed\n"; r.stdout != want || r.exit != 0 {
				t.Errorf("exit status %d, the programs say %q, want %q\n%s", r.exit, r.stdout, want, r.stderr)
			}
		})
	}
}
