//go:build compositors

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A desktop is a program that draws, in a block of programs.md.
type desktop struct {
	heading string
	block   int
	program string // without arguments, in the block
}

var desktops = []desktop{
	{"sway", 0, "sway"}, {"cage", 0, "cage"}, {"phoc", 0, "phoc"}, {"weston", 0, "weston"},
	{"Xorg", 0, "Xorg"}, {"mutter and gnome-shell", 0, "mutter"}, {"mutter and gnome-shell", 1, "gnome-shell"},
	{"KWin", 0, "kwin_wayland"}, {"kmscon", 0, "kmscon"}, {"mpv", 0, "mpv"},
}

// run runs the block with a script of sh in place of the program, which gets the
// program as its arguments, and with more flags for udrm run. The script must
// print "went on".
func (d desktop) run(t *testing.T, flags, script string) {
	t.Helper()
	dir := workplace(t)
	if d.program == "weston" && isWeston10(t) {
		d.block = 1
	}
	block := strings.NewReplacer(
		"/tmp/run", dir, "/tmp/Xorg.log", filepath.Join(dir, "Xorg.log"),
		"your-program", "weston-simple-shm", "video.mkv", "av://lavfi:testsrc",
	).Replace(programBlocks(t, d.heading)[d.block])
	user := ""
	if os.Getuid() == 0 && (d.program == "sway" || d.program == "cage") {
		block = strings.Replace(block, "udrm run", "chmod 755 ..; chown -R 65534 $XDG_RUNTIME_DIR; export HOME=$XDG_RUNTIME_DIR\nudrm run", 1)
		user = "setpriv --reuid 65534 --regid 65534 --clear-groups "
	}
	if d.program == "Xorg" { // without a client it shows nothing
		block = strings.Replace(block, "Xorg :7", "Xorg :7 -retro", 1)
	}
	if d.program == "kwin_wayland" { // without its capabilities
		copied := filepath.Join(dir, "kwin_wayland")
		run(t, dir, "cp", "--no-preserve=all", "/usr/bin/kwin_wayland", copied)
		run(t, dir, "chmod", "755", copied)
		block = strings.Replace(block, " kwin_wayland", " "+copied, 1)
	}
	// The words after the first "--" are the program.
	words := regexp.MustCompile(`(?m)^(udrm run.*?) -- (.*)$`)
	block = words.ReplaceAllString(block, "$1 "+flags+" -- sh -ec '"+strings.ReplaceAll(script, "$", "$$")+"' sh "+user+"$2")
	out := run(t, dir, "sh", "-ec", block)
	if !strings.Contains(out, "went on") {
		t.Error(out)
	}
	_, said, _ := strings.Cut(out, "went on")
	t.Log(strings.TrimSpace(said))
}

func isWeston10(t *testing.T) bool {
	t.Helper()
	return strings.HasPrefix(run(t, t.TempDir(), "weston", "--version"), "weston 10.")
}

// TestDesktops starts each desktop, until it draws, and once more after a pause of
// its seat. It must live then.
func TestDesktops(t *testing.T) {
	for _, d := range desktops {
		t.Run(d.program, func(t *testing.T) {
			d.run(t, "", `"$@" & p=$!
				udrm wait card0 --lit --timeout 60s
				udrm seat pause; until udrm seat | grep -q inactive; do sleep 1; udrm seat pause; done
				udrm seat resume; until udrm seat | grep -q "is active"; do sleep .1; done
				udrm wait card0 --lit --timeout 60s
				kill $p; wait $p || true; echo went on`)
		})
	}
}

// TestDesktopsHotplug lets a monitor, a connector and a second card come and go
// while each desktop runs, and unplugs its card. The desktop must light what comes.
// What it does at the end is up to it, and is told.
func TestDesktopsHotplug(t *testing.T) {
	for _, d := range desktops {
		if d.program == "kmscon" || d.program == "mpv" { // use one monitor
			continue
		}
		t.Run(d.program, func(t *testing.T) {
			look, second, more := ":", "card1", ""
			if d.program == "weston" && !isWeston10(t) { // its other shell may crash: see programs.md
				more = "--shell=kiosk"
			}
			if d.program == "Xorg" { // needs a client that lights monitors, and crashes with a second card
				look, second = "xrandr --display :7 --auto", "none"
			}
			d.run(t, "--vkms 6.12 --cards 2 --monitor 1024x768,DP --monitor 800x600,HDMI-A --expect no-leaks", `udrm unplug card1; card1() { [ `+second+` = none ] || udrm $1 card1; }
				"$@" `+more+` & p=$!
				lives() { grep -qs "^State:.[^Z]" /proc/$p/status; }
				dark() { while udrm screenshot $1 - >/dev/null 2>&1; do `+look+`; lives; sleep .1; done; }
				lit() { `+look+`; udrm wait $1 --lit --timeout 60s; lives; }
				udrm wait card0:DP-1 --lit --timeout 60s; lit card0:HDMI-A-1
				udrm disconnect card0:HDMI-A-1; dark card0:HDMI-A-1
				udrm connect card0:HDMI-A-1=1280x720; lit card0:HDMI-A-1
				card1 plug
				udrm disconnect card0:HDMI-A-1; dark card0:HDMI-A-1
				added=card0:$(udrm add-connector card0:DP=1440x900); lit $added
				udrm remove-connector $added
				card1 unplug
				udrm connect card0:HDMI-A-1; lit card0:HDMI-A-1
				echo went on
				udrm unplug card0
				for i in 1 2 3 4 5 6 7 8 9 10; do lives || break; sleep .2; done
				if lives; then echo lives; kill $p; fi
				status=0; wait $p || status=$?; echo ended with $status`)
		})
	}
}
