package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// exhaust is a program that starts processes until no process ID is left, and then
// uses a card by calls of its own.
const exhaust = `
	(while :; do sleep 1000 & done) 2>/dev/null
	echo full
	i=0
	while [ $i -lt 300 ]; do
		read number </sys/class/drm/card0/dev && [ -c /dev/dri/card0 ] &&
			exec 3</dev/dri/card0 && cd /sys/class/drm/card0/ && cd / || exit 1
		i=$((i+1))
	done
	echo served
	read line`

// TestExhausted has a program use up the process IDs that its user may have, which is
// the user of udrm too. It is served all the same. When udrm ends, and also when it
// is killed, everything ends.
func TestExhausted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs a user without processes: run it as root")
	}
	for _, kill := range []bool{false, true} {
		name := "ends"
		if kill {
			name = "killed"
		}
		t.Run(name, func(t *testing.T) {
			// No other process has this user.
			const user, processes = "64123", "200"
			udrm := command(t, "run", "--", "sh", "-c", exhaust)
			cmd := exec.Command("prlimit", append([]string{"--nproc=" + processes,
				"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups"}, udrm.Args...)...)
			cmd.Env, cmd.Dir = udrm.Env, "/"
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdin, stdout := startPiped(t, cmd)
			lines := bufio.NewScanner(stdout)
			for _, want := range []string{"full", "served"} {
				if lines.Scan(); lines.Text() != want {
					t.Errorf("the program says %q, want %q", lines.Text(), want)
				}
			}
			pidfds := make(map[string]int)
			for helper, pid := range helpersOf(t, cmd.Process.Pid) {
				fd, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				pidfds[helper] = fd
			}
			if kill {
				_ = cmd.Process.Kill()
			}
			_ = stdin.Close()
			for helper, fd := range pidfds {
				awaitEnd(t, fd, "the "+helper)
			}
			for lines.Scan() { // until the last process has ended
			}
			const leftovers = 1 // exit status, as the program leaves processes behind
			if _ = cmd.Wait(); !kill && cmd.ProcessState.ExitCode() != leftovers {
				t.Errorf("%v\n%s", cmd.ProcessState, &stderr)
			}
		})
	}
}
