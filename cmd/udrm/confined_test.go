package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// keptCapabilities are those that udrm may keep, as docs/threat-model.md lists
// them.
const keptCapabilities = 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH |
	1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_KILL | 1<<unix.CAP_SYS_RESOURCE |
	1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN

// TestConfined looks at udrm while a program runs: all its threads have a filter
// and few capabilities, and no other process of its user can reach into it or
// into its helpers. The program has all the rights of its user.
func TestConfined(t *testing.T) {
	own := statusOf("/proc/self/status")
	users := map[string]*syscall.Credential{"own user": nil}
	if os.Geteuid() == 0 {
		users["nobody"] = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "run", "--", "sh", "-c", "test -c /dev/dri/card0 && echo $$ && read line")
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
			stdin, stdout := startPiped(t, cmd)
			defer cmd.Wait()
			defer stdin.Close()
			line, err := bufio.NewReader(stdout).ReadString('\n')
			child, noNumber := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || noNumber != nil {
				t.Fatalf("the program said %q, %v", line, err)
			}
			processes := helpersOf(t, cmd.Process.Pid)
			processes["udrm"] = cmd.Process.Pid
			for process, pid := range processes {
				if process == "cleaner" {
					await(t, "the cleaner has a filter", func() bool { return statuses(t, pid)[0]["Seccomp"] == "2" })
				}
				expectOutOfReach(t, process, pid, user)
				if process == "launcher" {
					continue // has the rights of the user, for programs
				}
				for _, status := range statuses(t, pid) {
					if status["Seccomp"] != "2" || status["NoNewPrivs"] != "1" {
						t.Errorf("%s: thread %s has Seccomp %s, NoNewPrivs %s", process, status["Pid"], status["Seccomp"], status["NoNewPrivs"])
					}
					for _, set := range []string{"CapPrm", "CapEff", "CapInh", "CapAmb"} {
						if caps, err := strconv.ParseUint(status[set], 16, 64); err != nil || caps&^keptCapabilities != 0 {
							t.Errorf("%s: thread %s has %s %s, %v", process, status["Pid"], set, status[set], err)
						}
					}
				}
			}
			program := statusOf(fmt.Sprintf("/proc/%d/status", child))
			if user == nil && program["CapEff"] != own["CapEff"] {
				t.Errorf("the program has the capabilities %s; without udrm it had %s", program["CapEff"], own["CapEff"])
			}
			filters := func(s map[string]string) int { n, _ := strconv.Atoi(s["Seccomp_filters"]); return n }
			if filters(program) != filters(own)+1 {
				t.Errorf("the program has %d filters; without udrm it had %d", filters(program), filters(own))
			}
		})
	}
}

// TestMemoryScore looks at which process the kernel ends first when memory runs out:
// the program before udrm and the cleaner.
func TestMemoryScore(t *testing.T) {
	score := func(pid int) int {
		t.Helper()
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	cmd := command(t, "run", "--", "sh", "-c", "echo $$ && read line")
	stdin, stdout := startPiped(t, cmd)
	defer cmd.Wait()
	defer stdin.Close()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	program, noNumber := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || noNumber != nil {
		t.Fatalf("the program said %q, %v", line, err)
	}
	for name, pid := range map[string]int{"udrm": cmd.Process.Pid, "the cleaner": helpersOf(t, cmd.Process.Pid)["cleaner"]} {
		if theirs, own := score(program), score(pid); own > theirs-100 {
			t.Errorf("oom_score_adj is %d for the program and %d for %s", theirs, own, name)
		}
	}
}

// TestBytes checks that a program gets its arguments and its environment as they
// are, also if they are not UTF-8, and that such names of files work in flags.
func TestBytes(t *testing.T) {
	dir := t.TempDir()
	report, trace := filepath.Join(dir, "\xffreport.json"), filepath.Join(dir, "\xfetrace")
	cmd := command(t, "run", "--report", report, "--trace="+trace, "--",
		"sh", "-c", `printf '%s|' "$WORD" "$@" | od -An -w99 -tx1`, "sh", "\xff\xfe", "", "-\xc3")
	cmd.Env = append(cmd.Environ(), "WORD=\xff\xfe")
	out, err := cmd.Output()
	if got, want := strings.TrimSpace(string(out)), "ff fe 7c ff fe 7c 7c 2d c3 7c"; err != nil || got != want {
		t.Errorf("the program got the bytes %q, %v; want %q", got, err, want)
	}
	for _, name := range []string{report, trace} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

// TestContainerRoot runs a program as root has it in a container: without
// CAP_SYS_PTRACE, and with capabilities that udrm does not use.
func TestContainerRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test takes a capability from root: run it as root")
	}
	udrm := command(t, "run", "--", "modetest", "-M", "vkms", "-c")
	cmd := exec.Command("setpriv", append([]string{"--bounding-set=-sys_ptrace", "--inh-caps=-all", "--"}, udrm.Args...)...)
	cmd.Env = udrm.Env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Virtual-1") {
		t.Errorf("%v\n%s", err, out)
	}
}

// expectOutOfReach has a thread of the user, without capabilities, reach into a
// process.
func expectOutOfReach(t *testing.T, name string, pid int, user *syscall.Credential) {
	t.Helper()
	result := make(chan error)
	go onOwnThread(func() {
		result <- func() error {
			if user != nil {
				// Package syscall would change all threads.
				if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user.Uid), uintptr(user.Uid), uintptr(user.Uid)); errno != 0 {
					return fmt.Errorf("setresuid: %w", errno)
				}
			}
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var none [2]unix.CapUserData
			if err := unix.Capset(&header, &none[0]); err != nil {
				return fmt.Errorf("capset: %w", err)
			}
			for _, file := range []string{"mem", "maps", "environ", "fd/0", "exe"} {
				if fd, err := unix.Open(fmt.Sprintf("/proc/%d/%s", pid, file), unix.O_RDONLY, 0); err == nil {
					_ = unix.Close(fd)
					return fmt.Errorf("its %s can be opened", file)
				}
			}
			if err := unix.PtraceSeize(pid); err != unix.EPERM {
				return fmt.Errorf("PTRACE_SEIZE: %w, want EPERM", errors.Join(err))
			}
			return nil
		}()
	})
	if err := <-result; err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// onOwnThread runs f on a thread that ends with it. It is not the main thread,
// which cannot end.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		onOwnThread(f)
	}()
	<-done
}

// helpersOf returns the processes that help udrm, by name. They may only just
// have been started.
func helpersOf(t *testing.T, udrm int) (helpers map[string]int) {
	t.Helper()
	await(t, "udrm has a cleaner and a launcher", func() bool {
		helpers = make(map[string]int)
		for _, pid := range childrenOf(t, udrm) {
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if name := strings.TrimSpace(string(comm)); name == "cleaner" || name == "launcher" {
				helpers[name] = pid
			}
		}
		return len(helpers) == 2
	})
	return helpers
}

// statuses returns the status of each thread of a process.
func statuses(t *testing.T, pid int) (all []map[string]string) {
	t.Helper()
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range paths {
		if status := statusOf(path); status != nil {
			all = append(all, status)
		}
	}
	if len(all) == 0 {
		t.Fatalf("process %d has no threads", pid)
	}
	return all
}

// statusOf reads a file of /proc, or returns nil if the thread has ended.
func statusOf(path string) map[string]string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	status := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		status[key] = strings.TrimSpace(value)
	}
	return status
}
