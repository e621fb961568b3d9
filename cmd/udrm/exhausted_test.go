package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// TestExhausted has a program use up the process IDs of the control group that udrm
// is in too. It is served all the same. When udrm ends, and also when it is killed,
// everything ends.
func TestExhausted(t *testing.T) {
	for i, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill=%v", kill), func(t *testing.T) {
			group := pidsGroup(t, 200)
			user := strconv.Itoa(64123 + i)
			udrm := command(t, "run", "--", "sh", "-c", exhaust)
			cmd := exec.Command("sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group,
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

// pidsGroup makes a control group with a limit of process IDs. Its processes are
// killed at the end of the test.
func pidsGroup(t *testing.T, limit int) (dir string) {
	t.Helper()
	root := "/sys/fs/cgroup/pids"
	if _, err := os.Lstat(root); err != nil {
		root = "/sys/fs/cgroup"
		if err := os.WriteFile(root+"/cgroup.subtree_control", []byte("+pids"), 0); err != nil {
			t.Fatal("this test needs control groups that it can limit: run it as root: ", err)
		}
	}
	dir = filepath.Join(root, "udrm-test-"+strconv.Itoa(os.Getpid())+"-"+strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal("this test needs a control group: run it as root: ", err)
	}
	t.Cleanup(func() {
		await(t, "the control group is empty", func() bool {
			procs, _ := os.ReadFile(dir + "/cgroup.procs")
			for _, pid := range strings.Fields(string(procs)) {
				if pid, err := strconv.Atoi(pid); err == nil {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
			return os.Remove(dir) == nil
		})
	})
	if err := os.WriteFile(dir+"/pids.max", []byte(strconv.Itoa(limit)), 0); err != nil {
		t.Fatal(err)
	}
	return dir
}
