package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRunIsTransparent checks what a program and its caller see of each other
// through udrm run, and the messages of udrm itself.
func TestRunIsTransparent(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"script": "echo $0 has $*\n", "data": "\x7f\x00data"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/no/such/program", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		args   []string
		stdin  string
		stdout string
		stderr string
		exit   int
	}{
		{"success", []string{"--", "true"}, "", "", "", 0},
		{"without --", []string{"echo", "a", "-b", "--c"}, "", "a -b --c\n", "", 0},
		{"status", []string{"--", "sh", "-c", "exit 7"}, "", "", "", 7},
		{"status 125 of the program's own", []string{"--", "sh", "-c", "exit 125"}, "", "", "", 125},
		{"signal", []string{"--", "sh", "-c", "kill -TERM $$"}, "", "", "", 128 + 15},
		{"killed", []string{"--", "sh", "-c", "kill -KILL $$"}, "", "", "", 128 + 9},
		{"standard input", []string{"--", "cat"}, "from the input", "from the input", "", 0},
		{"standard error", []string{"--", "sh", "-c", "echo oops >&2"}, "", "", "oops\n", 0},
		{"environment", []string{"--", "sh", "-c", "echo $UDRM_TEST"}, "", "passed on\n", "", 0},
		{"working directory", []string{"--", "pwd"}, "", dir + "\n", "", 0},
		{"no program", []string{}, "", "", "udrm: ", 125},
		{"no such program", []string{"--", "/no/such/program"}, "", "", "udrm: cannot start /no/such/program: no such file or directory\n", 127},
		{"not in PATH", []string{"--", "no-such-program"}, "", "", "udrm: cannot start no-such-program: executable file not found in $PATH\n", 127},
		{"not executable", []string{"--", "/etc/passwd"}, "", "", "udrm: cannot start /etc/passwd: permission denied\n", 126},
		{"no name", []string{"--", ""}, "", "", "udrm: cannot start \"\": no such file or directory\n", 127},
		{"directory", []string{"--", "/etc"}, "", "", "udrm: cannot start /etc: permission denied\n", 126},
		{"below a file", []string{"--", "/etc/passwd/x"}, "", "", "udrm: cannot start /etc/passwd/x: not a directory\n", 126},
		{"dangling link", []string{"--", "./dangling"}, "", "", "udrm: cannot start ./dangling: no such file or directory\n", 127},
		{"script without #!", []string{"--", "./script", "a"}, "", "./script has a\n", "", 0},
		{"data", []string{"--", "./data"}, "", "", "udrm: cannot start ./data: exec format error\n", 126},
		{"unknown flag", []string{"--frobnicate", "--", "true"}, "", "", "udrm: unknown flag --frobnicate", 125},
		{"bad action", []string{"--at", "1s:explode=card0", "--", "true"}, "", "", "udrm: --at: \"1s:explode=card0\"", 125},
		{"too many cards", []string{"--cards", "65", "--", "true"}, "", "", "udrm: --cards=65", 125},
		{"no cards", []string{"--cards", "0", "--", "ls", "/dev/dri"}, "", "", "ls: cannot access '/dev/dri'", 2},
		{"a way through /dev/dri", []string{"--", "cat", "/dev/dri/../../proc/sys/kernel/ostype"}, "", "Linux\n", "", 0},
		{"cards", []string{"--cards", "3", "--", "ls", "/dev/dri"}, "", "card0\ncard1\ncard2\n", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := command(t, append([]string{"run"}, tc.args...)...)
			cmd.Stdin = strings.NewReader(tc.stdin)
			cmd.Env = append(cmd.Env, "UDRM_TEST=passed on")
			cmd.Dir = dir
			r := finish(t, cmd)
			if r.exit != tc.exit || r.stdout != tc.stdout || !strings.HasPrefix(r.stderr, tc.stderr) || tc.stderr == "" && r.stderr != "" {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d, %q, %q", r.exit, r.stdout, r.stderr, tc.exit, tc.stdout, tc.stderr)
			}
		})
	}
}

// TestSignalAtEnd sends a signal when the program has ended. It does not hide that a
// rule was missed: the exit status of udrm says so.
func TestSignalAtEnd(t *testing.T) {
	for range 8 {
		cmd := command(t, "run", "--on", "ADDFB2:unplug", "--", "true")
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		for lines.Scan() && !strings.Contains(lines.Text(), "has not fired") {
		}
		_ = cmd.Process.Signal(unix.SIGTERM) // it may have ended
		_ = cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != 125 {
			t.Errorf("exit status %d, want 125", status)
		}
	}
}

// TestSignalAtStart sends a signal while a rule holds up the start of the program.
func TestSignalAtStart(t *testing.T) {
	t.Parallel()
	cmd := command(t, "run", "-v", "--on", "start:delay=1h", "--", "true")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "fired at start 1") {
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != unix.SIGTERM {
		t.Errorf("wait status %#x, want the end by SIGTERM", status)
	}
}

// TestRunForwardsSignals sends signals to udrm. The program gets them and decides
// how to end.
func TestRunForwardsSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGINT, unix.SIGQUIT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			// Under nohup SIGHUP is ignored, and a shell cannot trap what was
			// ignored when it began. Programs begin with what is caught here at
			// its default.
			caught := make(chan os.Signal, 1)
			signal.Notify(caught, sig)
			defer signal.Stop(caught)
			script := fmt.Sprintf(`trap "echo got it; exit 3" %d; echo ready; while :; do sleep 0.01; done`, sig)
			cmd := command(t, "run", "--", "sh", "-c", script)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // not the one that a terminal sends to
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stdout)
			if !lines.Scan() || lines.Text() != "ready" {
				t.Fatalf("the program said %q", lines.Text())
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || lines.Text() != "got it" {
				t.Errorf("the program said %q", lines.Text())
			}
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != 3 {
				t.Errorf("exit status %d, want the program's 3: %v", status, cmd.ProcessState)
			}
		})
	}
}

// leaveBehind runs a script in a session of its own and ends once that has
// become what it is to be: a sleep, or a shell.
const leaveBehind = `setsid sh -c "$0" &
case $0 in exec*) name=sleep;; *) name=sh;; esac
until [ "$(cat /proc/$!/comm)" = $name ]; do :; done
exit 3`

// TestLeftovers checks what becomes of processes that the program leaves
// behind.
func TestLeftovers(t *testing.T) {
	for _, tc := range []struct {
		name, policy, left string
		signals            []os.Signal
		stdout, stderr     string
	}{
		{name: "they end in time", policy: "kill:1m", left: "sleep 1; ls /dev/dri", stdout: "card0\n"},
		{name: "ended", policy: "kill:100ms", left: "exec sleep 1000", stderr: "udrm: sh left processes behind, which are ended now: sleep (process "},
		{
			name: "killed", policy: "kill:100ms", left: "trap '' TERM; while :; do sleep 1000; done",
			stderr: "udrm: sh left processes behind, which are ended now: sh (process ",
		},
		{
			name: "waited for", policy: "wait", left: "sleep 2; ls /dev/dri", stdout: "card0\n",
			stderr: "udrm: sh has ended; waiting for processes that it left behind: sh (process ",
		},
		{
			name: "a signal before the time is up", policy: "kill:1h",
			left:   `until p=$(cut -d" " -f4 /proc/$$/stat); [ "$(cat /proc/$p/comm 2>/dev/null)" = udrm ]; do :; done; while :; do kill -TERM $p; sleep 0.1; done`,
			stderr: "udrm: sh left processes behind, which SIGTERM ends now: sh (process ",
		},
		{name: "one signal", policy: "wait", left: "exec sleep 1000", signals: []os.Signal{unix.SIGTERM}, stderr: "udrm: sh has ended; waiting for "},
		{
			name: "one signal, ignored", policy: "wait", left: "trap '' TERM; while :; do sleep 1000; done",
			signals: []os.Signal{unix.SIGTERM}, stderr: "udrm: sh has ended; waiting for ",
		},
		{
			name: "with a card", policy: "kill:100ms", left: "exec sleep 1000 </dev/dri/card0",
			stderr: "udrm: sh left processes behind, which are ended now: sleep (process ",
		},
		{name: "reported", policy: "report", left: "exec sleep 5", stderr: "udrm: sh left processes behind, which lose their cards: sleep (process "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, "run", "--leftovers", tc.policy, "--", "sh", "-c", leaveBehind, tc.left)
			var stdout strings.Builder
			cmd.Stdout = &stdout
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			if tc.stderr != "" && (!lines.Scan() || !strings.HasPrefix(lines.Text(), tc.stderr)) {
				t.Errorf("udrm reported %q, want %q", lines.Text(), tc.stderr)
			}
			if has := strings.Contains(lines.Text(), "has card0 open"); has != (tc.name == "with a card") {
				t.Errorf("udrm reported %q", lines.Text())
			}
			for _, s := range tc.signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			for tc.policy != "report" && lines.Scan() {
				t.Errorf("udrm reported %q as well", lines.Text())
			}
			cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != 3 {
				t.Errorf("exit status %d, want the program's 3", status)
			}
			if stdout.String() != tc.stdout {
				t.Errorf("the leftovers printed %q, want %q", stdout.String(), tc.stdout)
			}
		})
	}
}

// TestRunStopsAndContinues checks job control: udrm stops when the program stops,
// and the program continues when udrm continues.
func TestRunStopsAndContinues(t *testing.T) {
	cmd := command(t, "run", "--", "sh", "-c", `echo ready; read line; echo "$line"`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group of its own, which job control is for
	stdin, stdout := startPiped(t, cmd)
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	if err := cmd.Process.Signal(unix.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("udrm did not stop: %v, status %#x", err, status)
	}
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(stdin, "going on")
	if !lines.Scan() || lines.Text() != "going on" {
		t.Errorf("the program said %q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestRunAsNobody runs a program as a user without any capability. Without root,
// the other tests do so.
func TestRunAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can change its uid: run this test as root")
	}
	cmd := command(t)
	cmd.Path, cmd.Args = "/usr/bin/setpriv", []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--bounding-set=-all", "--inh-caps=-all", udrm, "run", "--", bad, "/dev/dri/card0"}
	cmd.Dir = "/"
	if r := finish(t, cmd); r.exit != 0 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestRunGivesNoPrivileges runs a program that has given up its privileges. Where
// udrm opens a file for the program, it uses the permissions of the program.
func TestRunGivesNoPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root has privileges to give: run this test as root")
	}
	dir, err := os.MkdirTemp(filepath.Dir(udrm), "") // every user can enter it
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unprivileged := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	for _, tc := range []struct {
		name, script string
		exit         int
	}{
		{"read", "cat ../.." + secret, 1},
		{"write", "echo >../.." + secret, 2},
		{"access", "test -r ../.." + secret, 1},
		{"list", "ls ../../proc/1/fd", 2},
		{"create", "touch ../.." + dir + "/new", 1},
		{"what every user may do", "cat ../../etc/passwd >../../dev/null && ls ../.." + dir + " >../../dev/null", 0},
	} {
		for _, inside := range [][]string{nil, {"unshare", "--user", "--map-root-user"}} {
			t.Run(strings.Join(append([]string{tc.name}, inside...), " "), func(t *testing.T) {
				args := slices.Concat([]string{"run", "--"}, unprivileged, inside, []string{"sh", "-c", "cd /dev/dri && { " + tc.script + "; }"})
				if r := run(t, args...); r.exit != tc.exit || r.exit != 0 && tc.name != "access" && !strings.Contains(r.stderr, "Permission denied") {
					t.Errorf("exit %d, want %d\n%s%s", r.exit, tc.exit, r.stdout, r.stderr)
				}
			})
		}
	}
}

// TestBadInput sends wrong pointers, unknown requests, wrong sizes and absurd
// dimensions.
func TestBadInput(t *testing.T) {
	if r := run(t, "run", "--", bad, "/dev/dri/card0"); r.exit != 0 {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
}

// TestTimedActions checks what the actions of --at report, and the exit status
// if one of them fails or is missed. On a busy machine, an action takes more than a
// second, and the next one does not wait for it.
func TestTimedActions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dark.png")
	args := []string{
		"--verbose", "--at", "5s:plug=card1", "--at", "100ms:unplug=card0", "--at", "2.5s:unplug=card0",
		"--at", "7.5s:screenshot=card1=" + file, "--at", "10s:unbind=card1", "--at", "12.5s:bind=card1", "--at", "1h:unbind=card0",
		"--", "sh", "-c", "until grep -q '12.5s:.*d[o]ne in' $1; do sleep .01; done; ls /dev/dri", "sh",
	}
	for _, tc := range []struct {
		lenient bool
		exit    int
	}{{false, 125}, {true, 0}} {
		t.Run(fmt.Sprintf("lenient %t", tc.lenient), func(t *testing.T) {
			t.Parallel()
			stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := command(t, "run")
			if tc.lenient {
				cmd.Args = append(cmd.Args, "--lenient")
			}
			cmd.Args = append(append(cmd.Args, args...), stderr.Name())
			var stdout strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, stderr
			cmd.Run()
			text, err := os.ReadFile(stderr.Name())
			if err != nil {
				t.Fatal(err)
			}
			rest := string(text)
			for _, want := range []string{
				"udrm: card0: plugged as /dev/dri/card0, driver vkms\n",
				"udrm: host: program started program=",
				"udrm: 100ms:unplug=card0: done in ",
				"udrm: 2.5s:unplug=card0: card0 is not plugged\n",
				"udrm: card1: plugged as /dev/dri/card0, driver vkms\n",
				"udrm: 5s:plug=card1: done in ",
				"udrm: 7.5s:screenshot=card1=" + file + ": card1 shows no picture\n",
				"udrm: 10s:unbind=card1: done in ",
				"udrm: 12.5s:bind=card1: done in ",
				"udrm: host: program ended program=",
				"udrm: 1h0m0s:unbind=card0: not done: the program ended after ",
			} {
				before, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("there is no %q after\n%s", want, strings.TrimSuffix(string(text), rest))
					break
				}
				_, rest = before, after
			}
			// The card takes the lowest free node, whatever its label is.
			if status := cmd.ProcessState.ExitCode(); stdout.String() != "card0\n" || status != tc.exit {
				t.Errorf("exit %d, want %d; at the end /dev/dri has %q\n%s", status, tc.exit, stdout.String(), text)
			}
		})
	}
}

// TestUselessCards checks that udrm refuses to start a program that could not
// use the cards.
func TestUselessCards(t *testing.T) {
	cmd := command(t)
	cmd.Path, cmd.Args = "/usr/bin/unshare", []string{"unshare", "--user", "--map-root-user", "--mount",
		"sh", "-c", `mount -t tmpfs none /proc && exec "$0" run -- true`, udrm}
	// The race detector warns that it misses /proc as well.
	if r := finish(t, cmd); r.exit != 125 || !strings.HasSuffix(r.stderr, "udrm: /proc is not mounted, so no program could use a card; mount it: mount -t proc proc /proc\n") {
		t.Errorf("without /proc: exit %d\n%s", r.exit, r.stderr)
	}
}
