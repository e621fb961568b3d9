package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is a program that starts others in the ways in which a process can
// outlive its parent. Each prints its process id.
const tree = `
	echo $$
	sh -c 'echo $$; exec sleep 1000' &
	setsid sh -c 'echo $$; exec sleep 1000' &
	(setsid sh -c 'trap "" HUP TERM; echo $$; (echo; exec sleep 1000) & wait' &)
	sh -c 'exec env -i sh -c "echo \$\$; exec sleep 1000"' &
	(setsid env -i sh -c 'echo $$; while :; do /bin/sleep 0.01; done' &)
	setsid setpriv --no-new-privs sh -c 'echo $$; exec sleep 1000 </dev/dri/card0' &
	wait`

// treeSize is the number of lines that tree prints.
const treeSize = 8

// TestKilled kills udrm with SIGKILL, alone and with its process group. All
// programs end, and no file is left. The udrm of root makes none in a directory of
// the machine.
func TestKilled(t *testing.T) {
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprintf("group=%v", group), func(t *testing.T) {
			cmd := command(t, "run", "--", "sh", "-c", tree)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if group && os.Geteuid() == 0 {
				cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stdout)
			ended := make(map[int]int) // pidfd by process
			for range treeSize {
				if !lines.Scan() {
					t.Fatal("the program has ended: ", lines.Err())
				}
				pid, err := strconv.Atoi(lines.Text())
				if err != nil {
					continue // the line of the sleeper
				}
				if ended[pid], err = unix.PidfdOpen(pid, 0); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(ended[pid])
			}
			dirs := directoriesOf(t, cmd.Process.Pid)
			byRoot := os.Geteuid() == 0 && cmd.SysProcAttr.Credential == nil
			if len(dirs) == 0 && !byRoot {
				t.Error("udrm has no private directory: this test looks in the wrong place")
			}
			if len(dirs) > 0 && byRoot {
				t.Errorf("udrm uses %q", dirs)
			}
			helpers := make(map[string]int) // pidfd by name
			for name, pid := range helpersOf(t, cmd.Process.Pid) {
				if helpers[name], err = unix.PidfdOpen(pid, 0); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(helpers[name])
			}
			victim := cmd.Process.Pid
			if group {
				victim = -victim
			}
			if err := unix.Kill(victim, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			for pid, fd := range ended {
				awaitEnd(t, fd, fmt.Sprintf("process %d", pid))
			}
			for name, fd := range helpers {
				awaitEnd(t, fd, "the "+name)
			}
			for lines.Scan() {
			}
			_ = cmd.Wait()
			for _, dir := range dirs {
				if _, err := os.Lstat(dir); err == nil {
					t.Errorf("%s is left", dir)
				}
			}
		})
	}
}

// TestKilledSockets kills udrm with SIGKILL. Its sockets go with it, not only when
// another udrm starts.
func TestKilledSockets(t *testing.T) {
	cmd := command(t, "run", "--seat", "--", "sh", "-c", `echo "$UDRM_CONTROL"; dirname "$SEATD_SOCK"; exec sleep 1000`)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(stdout)
	var paths []string
	for range 2 {
		lines.Scan()
		paths = append(paths, lines.Text())
		if _, err := os.Lstat(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	pidfd, err := unix.PidfdOpen(helpersOf(t, cmd.Process.Pid)["cleaner"], 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pidfd, "the cleaner")
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
}

// TestLauncherKilled kills only the launcher. The program runs on and is served,
// and everything ends with udrm: as planned, or when udrm is killed as well.
func TestLauncherKilled(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("udrm too=%v", kill), func(t *testing.T) {
			cmd := command(t, "run", "--", "sh", "-c", "echo $$; read line; test -c /dev/dri/card0 && echo served; read line")
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			stdin, stdout := startPiped(t, cmd)
			lines := bufio.NewScanner(stdout)
			lines.Scan()
			program, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			dirs := directoriesOf(t, cmd.Process.Pid)
			processes := helpersOf(t, cmd.Process.Pid)
			processes["program"] = program
			pidfds := make(map[string]int)
			for name, pid := range processes {
				if pidfds[name], err = unix.PidfdOpen(pid, 0); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(pidfds[name])
			}
			if err := unix.Kill(processes["launcher"], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			awaitEnd(t, pidfds["launcher"], "the launcher")
			fmt.Fprintln(stdin)
			if lines.Scan(); lines.Text() != "served" {
				t.Errorf("the program says %q after the launcher was killed", lines.Text())
			}
			if kill {
				_ = cmd.Process.Kill()
			} else {
				fmt.Fprintln(stdin)
			}
			for name, fd := range pidfds {
				awaitEnd(t, fd, "the "+name)
			}
			if err := cmd.Wait(); err != nil && !kill {
				t.Error(err)
			}
			for _, dir := range dirs {
				if _, err := os.Lstat(dir); err == nil {
					t.Errorf("%s is left", dir)
				}
			}
		})
	}
}

// awaitEnd waits for the end of the process that pidfd refers to.
func awaitEnd(t *testing.T, pidfd int, what string) {
	t.Helper()
	const minute = 60_000 // ms; a hang, not a limit of speed
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, minute)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			t.Errorf("%s lives on: %v", what, err)
		}
		return
	}
}

// directoriesOf returns the private directories below /dev/shm and the directory
// for temporary files that a process has open.
func directoriesOf(t *testing.T, pid int) (dirs []string) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		target, _ := os.Readlink(link)
		if strings.HasPrefix(target, "/dev/shm/udrm-") || strings.HasPrefix(target, os.TempDir()+"/udrm-shadow-") {
			dirs = append(dirs, target)
		}
	}
	return dirs
}

func childrenOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}
