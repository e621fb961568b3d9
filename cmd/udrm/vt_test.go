package main

import (
	"os"
	"strings"
	"testing"
)

// startVT starts internal/testprogs/vt on a seat.
func startVT(t *testing.T, flags ...string) *seatRun {
	t.Helper()
	return beginSeat(t, flags, "", vtProgram)
}

// TestVirtualTerminal has two runs side by side, each with a program that controls
// a terminal as Xorg does. No console is behind it. A switch asks the program
// first, which may refuse.
func TestVirtualTerminal(t *testing.T) {
	one, other := startVT(t), startVT(t)
	for _, r := range []*seatRun{one, other} {
		r.want("terminal 2") // the program has /dev/tty0 open, which is tty1
		r.do("state", "2")
		r.do("tty", "/dev/tty2 4:2")
		r.do("reldisp 2", "done")
		r.do("reldisp 1", "EINVAL") // no switch is under way
	}
	if shown := one.steer(); !strings.HasPrefix(shown, "session 2 of process ") || !strings.HasSuffix(shown, " is active\n") {
		t.Errorf("udrm seat prints %q", shown)
	}

	one.steer("pause")
	one.want("release")
	one.do("state", "2") // the switch waits for the program
	one.do("reldisp 1", "done")
	one.do("state", "63")
	other.do("state", "2")
	one.steer("resume")
	one.want("acquired")
	one.do("reldisp 2", "done")
	one.do("state", "2")

	one.steer("pause")
	one.want("release")
	one.do("reldisp 0", "done") // it refuses
	one.do("state", "2")
	one.do("graphics", "done")
	one.do("activate 64", "ENXIO")
	one.end(0)
	other.end(0)
}

// TestVirtualTerminalMounts runs the same with the files in mounts.
func TestVirtualTerminalMounts(t *testing.T) {
	if !withMounts(t) {
		return
	}
	r := startVT(t, "--files=mounts")
	r.want("terminal 2")
	r.steer("pause")
	r.want("release")
	r.do("reldisp 1", "done")
	r.do("state", "63")
	r.end(0)
}

// TestVirtualTerminalsOnly checks that programs reach no terminal of the machine
// with --seat, and that nothing is different without it.
func TestVirtualTerminalsOnly(t *testing.T) {
	r := run(t, "run", "--seat", "--", "sh", "-c", `cd /dev; stat -c '%n %t:%T %G' tty0 tty63 console; echo text >tty5; test -e tty64 || echo 64`)
	if want := "tty0 4:0 tty\ntty63 4:3f tty\nconsole 5:1 tty\n64\n"; r.exit != 0 || r.stdout != want || r.stderr != "" {
		t.Errorf("exit status %d, %q, %q", r.exit, r.stdout, r.stderr)
	}
	_, realErr := os.Stat("/dev/tty7")
	r = run(t, "run", "--", "sh", "-c", `test -e /dev/tty7`)
	if want := realErr == nil; (r.exit == 0) != want {
		t.Errorf("without --seat there is a /dev/tty7: %v, want %v", !want, want)
	}
}
