package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"image"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/machine/picture"
)

// script returns udrm with args and a shell script as its program. The script
// finds udrm in its PATH. Sockets are in a directory of the test.
func script(t *testing.T, text string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, append(append([]string{"run"}, args...), "--", "sh", "-c", text)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(udrm)+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+cmd.Dir)
	return cmd
}

// TestControlCommands runs a script that steers the machine it runs on: each
// command succeeds, is refused, or times out.
func TestControlCommands(t *testing.T) {
	cmd := script(t, `
check() { # STATUS COMMAND…
	want=$1; shift
	"$@"; got=$?
	[ $got = $want ] || echo "$*: status $got, want $want"
}
test -S "$UDRM_CONTROL" || echo "no socket $UDRM_CONTROL"
[ "$(stat -c %a "$UDRM_CONTROL")" = 600 ] || echo "the socket is for others"
check 1 udrm screenshot card0 dark.png
check 124 udrm wait card0 --lit --timeout 0s
mkfifo input
modetest -M vkms -s DP-1:1024x768 <input >/dev/null &
exec 3>input
check 0 udrm wait card0 --lit --timeout 1m
check 0 udrm wait card0:DP-1 --frames 1 --timeout 1m
check 124 udrm wait card0:DP-1 --frames 1000000 --timeout 10ms
check 0 udrm screenshot card0:DP-1 shown.png
udrm screenshot card0 - | cmp - shown.png
check 0 udrm wait card0 --matches shown.png --mask shown.png --tolerance 3
check 0 udrm compare card0:DP-1 shown.png
check 0 udrm compare card0 shown.png --mask shown.png --tolerance 3
check 1 udrm compare card0 "$SMALL"
check 1 udrm compare card0:DP-1 "$BLACK" --diff diff.png
head -c 4 diff.png | grep -q PNG || echo "diff.png is no picture"
check 0 udrm compare card0 "$BLACK" --mask "$BLACK"
check 125 udrm compare card0 missing.png
check 125 udrm wait card0 --matches missing.png
check 125 udrm compare card0 /dev/null
check 125 udrm wait card0
check 125 udrm wait card0 --frames 0
check 125 udrm wait card0 --lit --tolerance 2
check 1 udrm wait card0:HDMI-A-7 --lit
url=$(udrm view)
[ "$(curl -s -L -c jar "$url" | grep -c view.js)" = 1 ] || echo "no page at $url"
[ "$(udrm view)" = "$url" ] || echo "a second page"
check 1 udrm view 127.0.0.1:1
check 0 udrm disconnect card0:DP-1
udrm ls | grep -q 'DP-1 *- *1024x768@60' || udrm ls
check 0 udrm connect card0:DP-1=Other:800x600
udrm ls | grep -q 'DP-1 *Other *1024x768@60' || udrm ls
check 0 udrm connect card0:DP-1
udrm ls | grep -q 'DP-1 *First' || udrm ls
check 125 udrm connect card0:DP-1=800x600,HDMI-A
check 125 udrm connect card0
check 0 udrm unplug card0
check 1 udrm unplug card0
check 1 udrm disconnect card0:DP-1
check 1 udrm bind card0
check 1 udrm unplug card7
check 1 udrm unplug nonsense
udrm ls | grep -q 'card0 *- *unplugged' || udrm ls
check 0 udrm plug card0
check 1 udrm plug card0
check 1 udrm bind card0
check 0 udrm unbind card0
udrm ls | grep -q 'card0 *- *unbound' || udrm ls
check 1 udrm unbind card0
check 1 udrm connect card0:DP-1
check 0 udrm bind card0
check 1 udrm compare card0 shown.png
exec 3>&-
wait
exec udrm ls --json
`, "--monitor", "First:1024x768,DP")
	for name, size := range map[string]image.Rectangle{"SMALL": image.Rect(0, 0, 1, 1), "BLACK": image.Rect(0, 0, 1024, 768)} {
		file := filepath.Join(cmd.Dir, name+".png")
		if err := picture.Write(file, image.NewGray(size)); err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, name+"="+file)
	}
	r := finish(t, cmd)
	var m control.Machine
	if err := json.Unmarshal([]byte(r.stdout), &m); err != nil || r.exit != 0 {
		t.Fatalf("exit %d, %v\n%s\n%s", r.exit, err, r.stdout, r.stderr)
	}
	if len(m.Cards) != 1 || m.Cards[0].State != "plugged" || len(m.Cards[0].Connectors) != 1 || m.Cards[0].Connectors[0].Monitor != "First" {
		t.Errorf("the machine is %+v", m)
	}
	for _, want := range []string{
		"udrm: screenshot card0: card0 shows no picture; wait until a program shows one, or name another connector\n",
		"udrm: unplug card0: card0 is not plugged; plug it first\n",
		"udrm: unplug card7: there is no card7; udrm ls shows the cards\n",
		"udrm: plug card0: card0 is already plugged; unplug it first\n",
		"udrm: --frames is a number from 1\n",
		"udrm: --tolerance and --mask need --matches\n",
		"udrm: connect card0:DP-1: card0 is not plugged; bind it first\n",
		"udrm: compare card0: it does not show " + filepath.Join(cmd.Dir, "SMALL.png") + ": the picture has 1024x768 pixels, want 1x1\n",
		" of 786432 pixels differ, the first at ",
		"udrm: wait card0:HDMI-A-7: card0 has no connector HDMI-A-7; it has DP-1; udrm ls shows the connectors\n",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no message %q in\n%s", want, r.stderr)
		}
	}
}

// TestControlEDID plugs in a monitor whose EDID is a file of the client.
func TestControlEDID(t *testing.T) {
	made, err := config.ParseMonitor("Made up:800x600", 1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "monitor.bin")
	if err := os.WriteFile(file, made.Monitor.EDID, 0o600); err != nil {
		t.Fatal(err)
	}
	r := finish(t, script(t, "cd "+filepath.Dir(file)+" && udrm connect card0:Virtual-1=edid=monitor.bin && udrm ls"))
	if r.exit != 0 || !strings.Contains(r.stdout, "Virtual-1  Made up") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// A running is an udrm run whose program lives until end is called.
type running struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	socket string // its control socket
}

// startRunning starts a program that tells its socket and waits.
func startRunning(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	cmd := command(t, append(append([]string{"run"}, args...), "--", "sh", "-c", "echo $UDRM_CONTROL; exec cat")...)
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+dir)
	stdin, stdout := startPiped(t, cmd)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("the program has not started")
	}
	r := &running{cmd, stdin, lines.Text()}
	t.Cleanup(func() { r.end() })
	return r
}

func (r *running) end() error {
	r.stdin.Close()
	return r.cmd.Wait()
}

// outside runs udrm in a process that no machine runs.
func outside(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+dir, "UDRM_CONTROL=")
	return finish(t, cmd)
}

// TestControlMachines steers two machines from outside.
func TestControlMachines(t *testing.T) {
	dir := t.TempDir()
	first := startRunning(t, dir, "--name", "first")
	if r := outside(t, dir, "unplug", "card0"); r.exit != 0 {
		t.Errorf("the only machine: exit %d\n%s", r.exit, r.stderr)
	}
	startRunning(t, dir, "--name", "second")
	if r := outside(t, dir, "ls"); r.exit != 125 || r.stderr != "udrm: 2 machines are running: first, second; choose one with --machine NAME\n" {
		t.Errorf("two machines: exit %d\n%s", r.exit, r.stderr)
	}
	for name, state := range map[string]string{"first": "unplugged", "second": "plugged"} {
		if r := outside(t, dir, "ls", "--machine", name); r.exit != 0 || !strings.Contains(r.stdout, " "+state+" ") {
			t.Errorf("%s: exit %d\n%s%s", name, r.exit, r.stdout, r.stderr)
		}
	}
	if r := outside(t, dir, "ls", "--machine", "third"); r.exit != 125 || !strings.HasPrefix(r.stderr, "udrm: no machine third is running; running are first, second") { // and those in /tmp
		t.Errorf("no such machine: exit %d\n%s", r.exit, r.stderr)
	}
	if r := outside(t, dir, "run", "--name", "second", "--", "true"); r.exit != 125 || !strings.Contains(r.stderr, "machine second is running already (address already in use); choose another name") {
		t.Errorf("the same name: exit %d\n%s", r.exit, r.stderr)
	}
	if err := first.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(first.socket); !os.IsNotExist(err) {
		t.Errorf("the socket outlives its machine: %v", err)
	}
	if r := outside(t, dir, "ls"); r.exit != 0 {
		t.Errorf("one is left: exit %d\n%s", r.exit, r.stderr)
	}
}

// TestControlSweep leaves a socket that nobody serves, as a machine does that is killed
// together with its cleaner. The next one removes it.
func TestControlSweep(t *testing.T) {
	dir := t.TempDir()
	m := startRunning(t, dir)
	if err := m.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	m.end()
	for _, err := os.Lstat(m.socket); err == nil; _, err = os.Lstat(m.socket) {
		time.Sleep(time.Millisecond) // the cleaner removes it
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: m.socket})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "ls")
	cmd.Env = append(cmd.Env, "UDRM_CONTROL="+m.socket)
	if r := finish(t, cmd); r.exit != 125 || !strings.Contains(r.stderr, "no machine is running at "+m.socket) {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	if r := outside(t, dir, "run", "--", "true"); r.exit != 0 {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	if _, err := os.Lstat(m.socket); !os.IsNotExist(err) {
		t.Errorf("the socket was not swept: %v", err)
	}
}

// TestControlOtherUser opens the socket for everybody: the server still refuses
// other users.
func TestControlOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, to become another user")
	}
	dir := t.TempDir()
	m := startRunning(t, dir)
	other := func() result {
		cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", udrm, "unplug", "card0")
		cmd.Env = append(os.Environ(), "UDRM_CONTROL="+m.socket)
		return finish(t, cmd)
	}
	if r := other(); r.exit != 125 || !strings.Contains(r.stderr, "permission denied; run this as the user of the machine") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
	for path := m.socket; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if r := other(); r.exit != 1 || !strings.Contains(r.stderr, "the client belongs to user 65534, the machine to user 0; run the client as the user of the machine") {
		t.Errorf("exit %d\n%s", r.exit, r.stderr)
	}
}

// TestControlCurl sends requests with curl.
func TestControlCurl(t *testing.T) {
	r := finish(t, script(t, `
curl -s --unix-socket "$UDRM_CONTROL" http://udrm/v1/machine
curl -s --unix-socket "$UDRM_CONTROL" -X POST http://udrm/v1/cards/card0/unplug
curl -s --unix-socket "$UDRM_CONTROL" -X POST http://udrm/v1/cards/card0/unplug
curl -s --unix-socket "$UDRM_CONTROL" -d '{"frame":1}' http://udrm/v1/cards/card0/wait
`))
	d := json.NewDecoder(bytes.NewBufferString(r.stdout))
	var m control.Machine
	var c control.Card
	var refused, bad control.Error
	for _, value := range []any{&m, &c, &refused, &bad} {
		if err := d.Decode(value); err != nil {
			t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
		}
	}
	if len(m.Cards) != 1 || c.State != "unplugged" || refused.Code != control.CodeRefused || bad.Code != control.CodeBadRequest {
		t.Errorf("the answers are\n%s", r.stdout)
	}
}
