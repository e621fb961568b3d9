//go:build compositors

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDesktops runs the blocks of programs.md that start something which draws,
// until it does, and once more after a pause of its seat. It must live then.
func TestDesktops(t *testing.T) {
	for _, tc := range []struct {
		heading string
		block   int
		program string // without arguments, in the block
	}{
		{"sway", 0, "sway"}, {"cage", 0, "cage"}, {"phoc", 0, "phoc"}, {"weston", 1, "weston"},
		{"Xorg", 0, "Xorg"}, {"mutter and gnome-shell", 0, "mutter"}, {"mutter and gnome-shell", 1, "gnome-shell"},
		{"KWin", 0, "kwin_wayland"}, {"kmscon", 0, "kmscon"}, {"mpv", 0, "mpv"},
	} {
		t.Run(tc.program, func(t *testing.T) {
			dir := workplace(t)
			block := strings.NewReplacer(
				"/tmp/run", dir, "/tmp/Xorg.log", filepath.Join(dir, "Xorg.log"),
				"your-program", "sleep 1000", "video.mkv", "av://lavfi:testsrc",
			).Replace(programBlocks(t, tc.heading)[tc.block])
			user := ""
			if os.Getuid() == 0 && (tc.program == "sway" || tc.program == "cage") {
				block = strings.Replace(block, "udrm run", "chmod 755 ..; chown -R 65534 $XDG_RUNTIME_DIR; export HOME=$XDG_RUNTIME_DIR\nudrm run", 1)
				user = "setpriv --reuid 65534 --regid 65534 --clear-groups "
			}
			if tc.program == "Xorg" { // without a client it shows nothing
				block = strings.Replace(block, "Xorg :7", "Xorg :7 -retro", 1)
			}
			if tc.program == "kwin_wayland" { // without its capabilities
				copied := filepath.Join(dir, "kwin_wayland")
				run(t, dir, "cp", "--no-preserve=all", "/usr/bin/kwin_wayland", copied)
				run(t, dir, "chmod", "755", copied)
				block = strings.Replace(block, " kwin_wayland", " "+copied, 1)
			}
			// The words after the first "--" are the program.
			words := regexp.MustCompile(`(?m)^(udrm run.*?) -- (.*)$`)
			block = words.ReplaceAllString(block, `$1 -- sh -ec '"$$@" & p=$$!
				udrm wait card0 --lit --timeout 60s
				udrm seat pause; until udrm seat | grep -q inactive; do sleep 1; udrm seat pause; done
				udrm seat resume; until udrm seat | grep -q "is active"; do sleep .1; done
				udrm wait card0 --lit --timeout 60s
				kill $$p; wait $$p || true; echo went on' sh `+user+`$2`)
			if out := run(t, dir, "sh", "-ec", block); !strings.Contains(out, "went on") {
				t.Error(out)
			}
		})
	}
}
