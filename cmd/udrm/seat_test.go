package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A seatRun is a run with a seat, and the program internal/testprogs/seat on it.
// The program is no root, if the test is.
type seatRun struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	lines   *bufio.Scanner
	control string // the socket
	seatd   string // the socket
}

func startSeat(t *testing.T, flags ...string) *seatRun {
	t.Helper()
	return startSeatBy(t, "seatd", flags...)
}

// startSeatBy starts the program with the protocol of seatd or of logind.
func startSeatBy(t *testing.T, protocol string, flags ...string) *seatRun {
	t.Helper()
	var asNobody []string
	if os.Geteuid() == 0 {
		asNobody = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
	}
	return beginSeat(t, flags, protocol, seat, asNobody...)
}

// beginSeat starts a program with one argument on a seat. The command before it
// changes its user, for example.
func beginSeat(t *testing.T, flags []string, argument, program string, before ...string) *seatRun {
	t.Helper()
	const script = `echo "$UDRM_CONTROL"; echo "$SEATD_SOCK"; exec "$0" $1`
	args := slices.Concat([]string{"run", "--seat"}, flags, []string{"--"}, before, []string{"sh", "-c", script, program, argument})
	r := &seatRun{t: t, cmd: command(t, args...)}
	r.cmd.Stderr = os.Stderr
	stdin, stdout := startPiped(t, r.cmd)
	r.stdin, r.lines = stdin, bufio.NewScanner(stdout)
	r.control, r.seatd = r.next(), r.next()
	return r
}

// next returns the next line of the program.
func (r *seatRun) next() string {
	r.t.Helper()
	if !r.lines.Scan() {
		r.t.Fatalf("the program has ended: %v", r.lines.Err())
	}
	return r.lines.Text()
}

func (r *seatRun) want(lines ...string) {
	r.t.Helper()
	for _, want := range lines {
		if got := r.next(); got != want {
			r.t.Errorf("the program says %q, want %q", got, want)
		}
	}
}

// do tells the program to do something, and checks the result.
func (r *seatRun) do(what, want string) {
	r.t.Helper()
	if _, err := fmt.Fprintln(r.stdin, what); err != nil {
		r.t.Fatal(err)
	}
	r.want(what + ": " + want)
}

// steer runs udrm seat.
func (r *seatRun) steer(args ...string) string {
	r.t.Helper()
	return r.udrm(append([]string{"seat"}, args...)...)
}

// udrm runs a command of udrm on the machine of the run.
func (r *seatRun) udrm(args ...string) string {
	r.t.Helper()
	cmd := command(r.t, args...)
	cmd.Env = append(cmd.Env, "UDRM_CONTROL="+r.control)
	got := finish(r.t, cmd)
	if got.exit != 0 || got.stderr != "" {
		r.t.Errorf("udrm %q: exit status %d, %s", args, got.exit, got.stderr)
	}
	return got.stdout
}

// end ends the program, and checks that udrm leaves nothing behind.
func (r *seatRun) end(status int) {
	r.t.Helper()
	r.stdin.Close()
	for r.lines.Scan() {
		r.t.Errorf("the program says %q", r.lines.Text())
	}
	_ = r.cmd.Wait()
	if got := r.cmd.ProcessState.ExitCode(); got != status {
		r.t.Errorf("exit status %d, want %d", got, status)
	}
	if _, err := os.Stat(filepath.Dir(r.seatd)); !os.IsNotExist(err) {
		r.t.Errorf("%s: %v, want that it is gone", filepath.Dir(r.seatd), err)
	}
}

// TestSeat has two runs side by side, each with a compositor on a seat of its own.
// What happens to one seat does not happen to the other.
func TestSeat(t *testing.T) {
	one, other := startSeat(t), startSeat(t)
	for _, r := range []*seatRun{one, other} {
		r.want("enabled")
		r.do("commit", "done")
	}
	if shown := one.steer(); !strings.HasPrefix(shown, "session 1 of process ") || !strings.HasSuffix(shown, " is active, has /dev/dri/card0\n") {
		t.Errorf("udrm seat prints %q", shown)
	}

	one.steer("pause")
	one.want("disabled")
	one.do("commit", "EACCES")
	if os.Geteuid() == 0 { // otherwise udrm and the program are the same user
		one.do("master", "EACCES")
	}
	one.do("open /dev/dri/card0", "EPERM")
	other.do("commit", "done")
	if shown := one.steer(); !strings.HasPrefix(shown, "seat0 is paused\nsession 1 ") {
		t.Errorf("udrm seat prints %q", shown)
	}
	one.steer("resume")
	one.want("enabled")
	one.do("commit", "done")

	one.steer("revoke")
	one.do("commit", "EACCES")
	one.steer("restore")
	one.do("commit", "done")

	// The program switches itself, by the number of a terminal.
	one.do("switch 0", "EINVAL")
	one.do("switch 2", "done")
	one.want("disabled")
	one.do("commit", "EACCES")
	one.steer("resume")
	one.want("enabled")
	one.do("commit", "done")

	for path, want := range map[string]string{
		"/dev/dri/../dri/card0": "done", "/sys/dev/char/../../../dev/dri/card0": "done",
		"/dev/dri/card1": "ENOENT", "/dev/null": "ENOENT", "/dev/udmabuf": "ENOENT", "card0": "ENOENT", "": "ENOENT", "/proc/self/fd/0": "ENOENT",
	} {
		one.do("open "+path, want)
	}
	one.do("commit", "done")
	one.end(0)
	other.do("commit", "done")
	other.end(0)
}

// TestSeatLogind is TestSeat with the protocol of logind.
func TestSeatLogind(t *testing.T) {
	one, other := startSeatBy(t, "logind"), startSeatBy(t, "logind")
	for _, r := range []*seatRun{one, other} {
		r.want("enabled")
		r.do("commit", "done")
	}
	one.steer("pause")
	one.want("disabled")
	one.do("commit", "EACCES")
	other.do("commit", "done")
	one.steer("resume")
	one.want("enabled")
	one.do("commit", "done")
	one.do("open /dev/dri/card0", "org.freedesktop.login1.DeviceIsTaken")
	one.do("open /dev/null", "System.Error.ENODEV")
	one.do("open /dev/dri/card1", "ENOENT")
	one.do("switch 0", "org.freedesktop.DBus.Error.InvalidArgs")
	one.do("switch 2", "done")
	one.want("disabled")
	one.do("commit", "EACCES")
	one.do("switch 1", "done")
	one.want("enabled")
	one.do("commit", "done")
	one.udrm("unplug", "card0")
	one.want("gone 226:0")
	one.do("commit", "ENODEV")
	one.udrm("plug", "card0")
	one.do("open /dev/dri/card1", "done") // the program has the old card0 open
	one.end(0)
	other.end(0)
}

// TestOtherSeat asks seat0 for a card that belongs to another seat. Only its own
// card is given.
func TestOtherSeat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cards.yaml")
	const cards = "cards: {a: {vkms: 6.12}, b: {vkms: 6.12, render: 1, udev: {properties: {ID_SEAT: seat1}}}}"
	if err := os.WriteFile(file, []byte(cards), 0o600); err != nil {
		t.Fatal(err)
	}
	for protocol, refused := range map[string]string{"seatd": "EPERM", "logind": "org.freedesktop.DBus.Error.AccessDenied"} {
		r := startSeatBy(t, protocol, "--config", file)
		r.want("enabled")
		r.do("open /dev/dri/card1", refused)
		r.do("open /dev/dri/renderD128", refused)
		r.do("commit", "done")
		r.end(0)
	}
}

// TestSeatFiles reads the files in which libsystemd finds the session.
func TestSeatFiles(t *testing.T) {
	script := `echo $XDG_SESSION_ID $XDG_SEAT $XDG_VTNR; udrm=$0; cd /run/systemd; grep -h ^ACTIVE= sessions/$XDG_SESSION_ID seats/$XDG_SEAT
		"$udrm" seat pause; grep ^STATE= sessions/$XDG_SESSION_ID; grep ^DISPLAY= users/$(id -u)`
	r := run(t, "run", "--seat", "--", "sh", "-c", script, udrm)
	want := "udrm1 seat0 1\nACTIVE=1\nACTIVE=udrm1\nSTATE=online\nDISPLAY=udrm1\n"
	if r.exit != 0 || r.stdout != want || r.stderr != "" {
		t.Errorf("exit status %d, %q, %q", r.exit, r.stdout, r.stderr)
	}
}

// TestSeatActions steers the seat at chosen events.
func TestSeatActions(t *testing.T) {
	r := startSeat(t, "--on", "MODE_SETCRTC#2:seat=revoke", "--on", "MODE_SETCRTC#3:seat=restore",
		"--on", "SET_MASTER#3:seat=pause", "--at", "0s:seat=resume")
	r.want("enabled")
	r.do("commit", "done")
	r.do("commit", "EACCES")
	r.do("commit", "done") // and here is SET_MASTER#2
	r.steer("pause")
	r.want("disabled")
	r.steer("resume") // SET_MASTER#3, inside which the seat pauses again
	r.do("commit", "EACCES")
	r.steer("resume")
	r.want("enabled")
	r.do("commit", "done")
	r.end(0)
}

// TestSeatKilled kills udrm. The next run removes the sockets.
func TestSeatKilled(t *testing.T) {
	killed := startSeat(t)
	killed.want("enabled")
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.cmd.Wait()
	next := startSeat(t)
	next.want("enabled")
	if _, err := os.Stat(filepath.Dir(killed.seatd)); !os.IsNotExist(err) {
		t.Errorf("%s: %v, want that it is gone", filepath.Dir(killed.seatd), err)
	}
	next.end(0)
}

// TestWithoutSeat checks that nothing is different without --seat.
func TestWithoutSeat(t *testing.T) {
	r := run(t, "run", "--", "sh", "-c", `echo "<$SEATD_SOCK$LIBSEAT_BACKEND$XDG_SESSION_ID>"; cat /run/systemd/sessions/udrm1 2>/dev/null; exec "$0" seat pause`, udrm)
	if r.exit != 1 || r.stdout != "<>\n" || r.stderr != "udrm: seat pause: this machine has no seat; start it with udrm run --seat\n" {
		t.Errorf("%+v", r)
	}
	r = run(t, "run", "--at", "1s:seat=pause", "--", "true")
	if r.exit != 125 || r.stderr != "udrm: --at 1s:seat=pause: the machine has no seat; add --seat\n" {
		t.Errorf("%+v", r)
	}
	r = run(t, "run", "--seat", "--at", "1s:seat=hide", "--", "true")
	if r.exit != 125 || !strings.Contains(r.stderr, "pause, resume, revoke, restore") {
		t.Errorf("%+v", r)
	}
}
