package host_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

func TestExitStatus(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"exit", "0"}, 0},
		{[]string{"exit", "1"}, 1},
		{[]string{"exit", "125"}, 125},
		{[]string{"kill", "9"}, 128 + 9},
		{[]string{"kill", "15"}, 128 + 15},
		{[]string{"waitkill"}, 128 + 9},
	} {
		p, err := h.Start(exec.Command(client, c.args...))
		if err != nil {
			t.Fatal(err)
		}
		status, err := p.Wait()
		if status != c.want || err != nil {
			t.Errorf("%v: exit status %d, %v; want %d", c.args, status, err, c.want)
		}
		<-p.Done()
	}
}

func TestStartError(t *testing.T) {
	h := newHost(t, drm.NewClass(drm.ClassOptions{}), host.Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	inNoDir := exec.Command(client, "exit", "0")
	inNoDir.Dir = "/no/such/directory"
	for _, c := range []struct {
		cmd  *exec.Cmd
		want error
	}{
		{exec.Command("no-such-program"), exec.ErrNotFound},
		{exec.Command("/no/such/program"), unix.ENOENT},
		{exec.Command(file), unix.EACCES},
		{exec.Command("/"), unix.EISDIR},
		{inNoDir, unix.ENOENT},
	} {
		_, err := h.Start(c.cmd)
		var start *host.StartError
		if !errors.As(err, &start) || !errors.Is(err, c.want) {
			t.Errorf("starting %s: %v; want a StartError with %v", c.cmd.Path, err, c.want)
		}
	}
}

// TestEnvironment checks that a program gets the directory, environment and
// input of its exec.Cmd.
func TestEnvironment(t *testing.T) {
	h := newHost(t, drm.NewClass(drm.ClassOptions{}), host.Options{})
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `pwd -P; echo "$PWD $COLOUR"; cat`)
	cmd.Dir = dir
	cmd.Env = []string{"COLOUR=blue", "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader("from standard input")
	if got, want := run(t, h, cmd), dir+"\n"+dir+" blue\nfrom standard input"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if now, err := os.Getwd(); err != nil || now == dir {
		t.Errorf("our own working directory has become %s, %v", now, err)
	}
}

// TestDaemon checks that a process left behind is served until it ends and does
// not stay as a zombie.
func TestDaemon(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			d := newDevice(t, class, "vkms")
			h := newHost(t, class, host.Options{})
			in, goOn, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			out, outEnd, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := asUser(exec.Command(client, "daemon", "start"), user.attr)
			cmd.Stdin, cmd.Stdout = in, outEnd
			p, err := h.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			in.Close()
			outEnd.Close()
			if status, err := p.Wait(); status != 0 || err != nil {
				t.Fatal(status, err)
			}
			select {
			case <-p.Done():
				t.Error("done while the daemon is there")
			default:
			}
			goOn.Close() // the program has ended; now the daemon opens the node
			got, err := bufio.NewReader(out).ReadString('\n')
			if got != "served\n" || err != nil {
				t.Errorf("the daemon says %q, %v", got, err)
			}
			<-p.Done()
			d.waitClosed()
		})
	}
	waitFor(t, "no zombie is left", func() bool { return len(zombies(t)) == 0 })
}

// zombies returns the children of this process that have ended but were not
// waited for.
func zombies(t *testing.T) []string {
	t.Helper()
	var pids []string
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	if len(lists) == 0 {
		t.Fatal("this kernel has no /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)")
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(text)) {
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			if strings.Contains(string(stat), ") Z ") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for 30 s until %s", what)
		}
	}
}

// holding starts a client that keeps a card open until its standard input is closed.
func holding(t *testing.T, h *host.Host) (p *host.Process, stdin io.Closer) {
	t.Helper()
	cmd := exec.Command(client, "hold")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = h.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	return p, stdin
}

// TestReleaseOnDeath checks that the files of a killed program are released,
// also while a request of it waits.
func TestReleaseOnDeath(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	p, _ := holding(t, h)
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.waitClosed()
	if status, _ := p.Wait(); status != 128+9 {
		t.Errorf("exit status %d", status)
	}
	<-p.Done()

	run128(t, h, "waitkill")
	waitFor(t, "the handler has returned", func() bool { return d.waiting.Load() == 0 })
	d.waitClosed()
}

func run128(t *testing.T, h *host.Host, args ...string) {
	t.Helper()
	p, err := h.Start(exec.Command(client, args...))
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := p.Wait(); status < 128 {
		t.Errorf("%v: exit status %d", args, status)
	}
	<-p.Done()
}

// TestHangUp tests Options.HangUp. The release is noticed although nothing
// reports it.
func TestHangUp(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{HangUp: true})
	cmd := exec.Command(client, "hangup")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	d.waitClosed() // it has closed its file and still runs
	in.Close()
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Error(status, err, out.String())
	}
	<-p.Done()
}

// TestTwoDevices checks that the unplug of one card leaves the other alone.
func TestTwoDevices(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d0 := newDevice(t, class, "vkms")
	newDevice(t, class, "vkms.1")
	h := newHost(t, class, host.Options{})
	out := run(t, h, exec.Command("ls", "/dev/dri", "/dev/dri/by-path"))
	if want := "/dev/dri:\nby-path\ncard0\ncard1\n\n/dev/dri/by-path:\nplatform-vkms-card\nplatform-vkms.1-card\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if err := d0.bus.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
	out = run(t, h, exec.Command("ls", "/dev/dri", "/sys/class/drm"))
	if want := "/dev/dri:\nby-path\ncard1\n\n/sys/class/drm:\ncard1\nversion\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

// TestNothingIsLeft checks that a host that has served many programs leaves no
// descriptor, goroutine, thread or directory behind.
func TestNothingIsLeft(t *testing.T) {
	if r, w, err := os.Pipe(); err == nil { // the runtime's own epoll and eventfd
		r.Close()
		w.Close()
	}
	before, after := resources(t), []string(nil)
	for round := range 3 {
		class := drm.NewClass(drm.ClassOptions{})
		d := newDevice(t, class, "vkms"+strconv.Itoa(round))
		h, err := host.New(class, testOptions(host.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"events", "dup", "exec", "pass", "map", "chdir", "waitkill", "unplug"} {
			p, err := h.Start(exec.Command(client, part))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = p.Wait()
			<-p.Done()
		}
		d.waitClosed()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		_ = unix.Close(d.buffer)
		d.buffer = -1
	}
	waitFor(t, "the goroutines have ended", func() bool {
		after = resources(t)
		return len(after) <= len(before)
	})
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		left, _ := filepath.Glob(filepath.Join(dir, "udrm-shadow-*"))
		for _, path := range left {
			if owner := flockOwner(path); owner == os.Getpid() {
				t.Errorf("%s is left", path)
			}
		}
	}
	if t.Failed() {
		t.Logf("before: %q\nafter: %q", before, after)
	}
}

// resources returns the descriptors and goroutines of this process.
func resources(t *testing.T) []string {
	t.Helper()
	var list []string
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		link, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil {
			list = append(list, link)
		}
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		list = append(list, g)
	}
	return list
}

// flockOwner returns the process that holds the lock of a directory, or 0.
func flockOwner(path string) int {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	inode := strconv.FormatUint(st.Sys().(*syscall.Stat_t).Ino, 10)
	locks, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		f := strings.Fields(line)
		if len(f) >= 6 && strings.HasSuffix(f[5], ":"+inode) {
			pid, _ := strconv.Atoi(f[4])
			return pid
		}
	}
	return 0
}

// TestDoneMeansReleased checks that no file is open when a program is done,
// however it and its children ended.
func TestDoneMeansReleased(t *testing.T) {
	for _, script := range []string{
		`exec "$0" holdopen exit`,
		`"$0" holdopen kill; true`,
		`"$0" holdopen wait & "$0" holdopen wait & sleep 0.01; kill -9 $! %1`,
		`(setsid "$0" holdopen exit & setsid "$0" holdopen exit &)`,
		`("$0" holdopen wait & "$0" holdopen wait & "$0" holdopen wait &); sleep 0.01; kill -9 0`,
	} {
		t.Run(script, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			d := newDevice(t, class, "vkms")
			h := newHost(t, class, host.Options{})
			for range 10 {
				cmd := exec.Command("bash", "-c", script, client)
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				p, err := h.Start(cmd)
				if err != nil {
					t.Fatal(err)
				}
				<-p.Done()
				if d.open() {
					t.Fatal("a file is open")
				}
				_, _ = p.Wait()
			}
		})
	}
}

// TestOutputStays checks that a program's output can be read after its end.
func TestOutputStays(t *testing.T) {
	h := newHost(t, drm.NewClass(drm.ClassOptions{}), host.Options{})
	cmd := exec.Command("echo", "said")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if text, err := io.ReadAll(out); string(text) != "said\n" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Error(status, err)
	}
}
