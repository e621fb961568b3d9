package host_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// hostileClient returns the path of testprogs/hostile, built without cgo.
var hostileClient = sync.OnceValue(func() string {
	path := filepath.Join(filepath.Dir(client), "hostile")
	build := exec.Command("go", "build", "-o", path, "../internal/testprogs/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building testprogs/hostile: %v\n%s", err, out))
	}
	return path
})

// An arena is a host with two cards. Attacks use the first, honest programs the
// second, and both as other users than the host.
type arena struct {
	*host.Host
	t     testing.TB
	class *drm.Class
	first *bus.Device
}

// cleanerArgument makes the test program the cleaner of a host.
const cleanerArgument = "cleaner"

func newArena(t *testing.T, opts host.Options) *arena {
	t.Helper()
	drmtest.NoLeaks(t)
	class := drm.NewClass(drm.ClassOptions{})
	platform := bus.New("platform")
	first := drmtest.Bind(t, platform, "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	drmtest.Bind(t, platform, "vkms.1", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	opts.Logger = slog.New(slog.NewTextHandler(failing{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// Hostile programs do not end by themselves when go test is killed, as by its
	// own timeout.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opts.Cleaner, opts.Marker = []string{self, cleanerArgument}, "UDRM_TEST="+rand.Text()
	h, err := host.New(class, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return &arena{h, t, class, first}
}

// failing fails a test with each line that is written to it.
type failing struct{ t *testing.T }

func (f failing) Write(line []byte) (int, error) {
	f.t.Errorf("logged: %s", line)
	return len(line), nil
}

// An attack is a running testprogs/hostile.
type attack struct {
	*host.Process
	t     testing.TB
	stdin io.WriteCloser
	lines *bufio.Reader
}

// begin starts an attack.
func (a *arena) begin(user *syscall.SysProcAttr, args ...string) *attack {
	a.t.Helper()
	return a.beginProgram(user, hostileClient(), args...)
}

// beginProgram starts a program in a process group of its own, as a shell does.
func (a *arena) beginProgram(user *syscall.SysProcAttr, program string, args ...string) *attack {
	a.t.Helper()
	cmd := asUser(exec.Command(program, args...), user)
	cmd.Stderr = os.Stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	stdin, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	p, err := a.Start(cmd)
	if err != nil {
		a.t.Fatal(err)
	}
	return &attack{p, a.t, stdin, bufio.NewReader(out)}
}

// holding waits until everything is in place.
func (a *attack) holding() *attack {
	a.t.Helper()
	if line := a.line(); line != "holding" {
		a.t.Fatalf("the attack says %q", line)
	}
	return a
}

// line returns the next line of the output.
func (a *attack) line() string {
	line, _ := a.lines.ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

// end ends standard input and expects a status of 0.
func (a *attack) end() {
	a.t.Helper()
	_ = a.stdin.Close()
	out, _ := io.ReadAll(a.lines)
	if status, err := a.Wait(); status != 0 || err != nil {
		a.t.Errorf("exit status %d, %v\n%s", status, err, out)
	}
	<-a.Done()
}

// kill kills the attack and the processes of its group.
func (a *attack) kill() {
	a.t.Helper()
	if err := unix.Kill(-a.PID(), unix.SIGKILL); err != nil {
		a.t.Error(err)
	}
	_, _ = a.Wait()
	<-a.Done()
}

// honest runs a program beside the attack that opens, draws and flips.
func (a *arena) honest() {
	a.t.Helper()
	a.begin(nobody, "honest", "3").end()
}

// TestHostileThreads has clients occupy threads of theirs in calls that the
// host serves. Other programs must be served all the same, and the attack must
// be killable.
func TestHostileThreads(t *testing.T) {
	shared := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(shared), 0o755), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		attack []string
		ready  func(*host.Host) bool
	}{
		{[]string{"fifo", "300", shared}, nil},
		{[]string{"reads", "4200"}, func(h *host.Host) bool { return h.Watched() >= 4200 }},
		{[]string{"jump", "24"}, nil},
	} {
		t.Run(tc.attack[0], func(t *testing.T) {
			a := newArena(t, host.Options{})
			attack := a.begin(nobody, tc.attack...).holding()
			if tc.ready != nil {
				waitFor(t, "all threads wait", func() bool { return tc.ready(a.Host) })
			}
			a.honest()
			attack.kill()
			waitFor(t, "no request is watched", func() bool { return a.Watched() == 0 })
			a.honest()
		})
	}
}

// replug unplugs the first card, and plugs it in again.
func (a *arena) replug() {
	a.t.Helper()
	if err := a.first.Unbind(context.Background()); err != nil {
		a.t.Error(err)
	}
	if err := a.first.Rebind("vkms"); err != nil {
		a.t.Error(err)
	}
}

// TestHostileMemory unplugs a card while a client's request waits for memory
// that the client does not provide. Root runs the client: others may not use
// userfaultfd.
func TestHostileMemory(t *testing.T) {
	a := newArena(t, host.Options{})
	attack := a.begin(nil, "fault").holding()
	a.honest()
	a.replug()
	a.honest()
	attack.end()
}

// TestHostileNested unplugs a card while requests of a client wait for the memory of
// their arrays, which the client does not provide. Other clients of the same card are
// answered meanwhile. As in TestHostileMemory, root runs the client.
func TestHostileNested(t *testing.T) {
	a := newArena(t, host.Options{})
	attack := a.begin(nil, "nested").holding()
	query := a.begin(nobody, "query")
	if line := query.line(); line != "answered" {
		t.Errorf("another client of the card says %q", line)
	}
	query.end()
	a.honest()
	if err := a.first.Unbind(context.Background()); err != nil {
		t.Error(err)
	}
	if line := attack.line(); line != "ended" {
		t.Errorf("the attack says %q after the unplug", line)
	}
	if err := a.first.Rebind("vkms"); err != nil {
		t.Error(err)
	}
	a.honest()
	attack.end()
}

// TestHostileWithhold has more threads wait for the memory of their arrays than the
// quota of a process group has copies. An unplug ends all of these requests, but not
// the copies. As in TestHostileMemory, root runs the client.
func TestHostileWithhold(t *testing.T) {
	a := newArena(t, host.Options{})
	before := threadsOf(t)
	attack := a.begin(nil, "withhold", "100", "100").holding()
	a.honest()
	a.replug()
	a.honest()
	if serving, _ := a.Served(); serving == 0 {
		t.Error("no call is served whose copy is beyond the quota")
	}
	if after := threadsOf(t); after > before+400 {
		t.Errorf("%d threads, %d before", after, before)
	}
	attack.end()
	waitFor(t, "no call is served", func() bool { serving, postponed := a.Served(); return serving+postponed == 0 })
	a.honest()
}

// TestHostilePull unplugs a card while requests of a client wait for memory that was
// there when they began: the client takes it away while it is copied. As in
// TestHostileMemory, root runs the client.
func TestHostilePull(t *testing.T) {
	a := newArena(t, host.Options{})
	attack := a.begin(nil, "pull", "16").holding()
	a.honest()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := a.first.Unbind(ctx); err != nil {
		attack.kill() // the unplug goes on
		t.Fatal(err)
	}
	if err := a.first.Rebind("vkms"); err != nil {
		t.Error(err)
	}
	a.honest()
	attack.end()
	waitFor(t, "no call is served", func() bool { serving, postponed := a.Served(); return serving+postponed == 0 })
	a.honest()
}

// TestHostilePaths has a client make calls whose paths cannot be read. Its other
// calls must be answered.
func TestHostilePaths(t *testing.T) {
	a := newArena(t, host.Options{})
	attack := a.begin(nil, "stall").holding()
	a.honest()
	attack.end()
	a.honest()
}

// TestHostileCrowd has many process groups make calls whose paths cannot be read: more
// than this process has workers, and copies that may wait. Others must be served.
func TestHostileCrowd(t *testing.T) {
	a := newArena(t, host.Options{})
	const groups, threads = 40, 8
	var all []*attack
	for range groups {
		all = append(all, a.begin(nil, "stuck", fmt.Sprint(threads), "hold"))
	}
	for _, attack := range all {
		attack.holding()
	}
	a.honest()
	for _, attack := range all {
		attack.end()
	}
	a.honest()
}

// TestHostileWithholdCrowd has many process groups of a program withhold arrays of
// requests, each more than are copied at once. Others are served.
func TestHostileWithholdCrowd(t *testing.T) {
	a := newArena(t, host.Options{})
	attack := a.begin(nil, "groups", "70", "withhold", "8", "0").holding()
	for range 20 { // while the attack spreads
		a.honest()
	}
	attack.end()
	a.honest()
}

// TestHostileArguments has process groups withhold all that calls read and write, many
// of them for a real file to which a virtual path leads: the program's own thread makes
// such a call. Others are served, and none of the programs is killed, as one is whose
// thread takes too long.
func TestHostileArguments(t *testing.T) {
	a := newArena(t, host.Options{})
	every := a.begin(nil, "argument", "1", "").holding()
	attack := a.begin(nil, "groups", "30", "argument", "1", "/sys/class/drm/../../../etc/hostname").holding()
	for range 3 {
		a.honest()
	}
	a.replug()
	a.honest()
	every.end()
	attack.end()
	a.honest()
}

// TestHostilePolls has a client withhold the memory that tells which files it polls,
// and open many to which it may write. The host looks there for each of them, but
// few of its threads wait at a time: the Go runtime ends a process with 10,000.
func TestHostilePolls(t *testing.T) {
	a := newArena(t, host.Options{})
	a.honest()
	before := threadsOf(t)
	attack := a.begin(nil, "polls").holding()
	a.honest()
	if after := threadsOf(t); after > before+500 {
		t.Errorf("%d threads, %d before", after, before)
	}
	attack.end()
}

// threadsOf returns how many threads this process has.
func threadsOf(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// TestHostileMonitors has clients listen for events without reading them, and
// close many sockets.
func TestHostileMonitors(t *testing.T) {
	a := newArena(t, host.Options{})
	a.begin(nobody, "closed", "5000").end()
	const clients, sockets = 3, 300
	var all []*attack
	for range clients {
		all = append(all, a.begin(nobody, "monitors", fmt.Sprint(sockets)).holding())
	}
	before := runtime.NumGoroutine()
	for range 20 {
		if err := a.first.Unbind(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := a.first.Rebind("vkms"); err != nil {
			t.Fatal(err)
		}
	}
	if after := runtime.NumGoroutine(); after > before+sockets/2 {
		t.Errorf("%d goroutines, %d before the events", after, before)
	}
	a.honest()
	for _, attack := range all {
		attack.end()
	}
}

// TestHostileShare has a client take all that it can get of one thing. Another
// client must still get what it needs.
func TestHostileShare(t *testing.T) {
	// Fewer descriptors, so that the test ends soon.
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	for _, what := range []string{"dumbmap", "file", "control", "dmabuf", "lease", "blob", "config", "xattr", "file hang-up"} {
		t.Run(what, func(t *testing.T) {
			what, hangUp := strings.CutSuffix(what, " hang-up")
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3000, Max: before.Max}); err != nil {
				t.Fatal(err)
			}
			shelf := configfs.New(configfs.NewItem("shelf", configfs.Type{Make: func(name string) (*configfs.Item, error) {
				return configfs.NewItem(name, configfs.Type{}), nil
			}}))
			a := newArena(t, host.Options{EveryUser: true, Configfs: shelf, HangUp: hangUp})
			attack := a.begin(nobody, "take", what).holding()
			a.honest()
			if what == "config" || what == "xattr" {
				a.begin(nobody, what).end()
			}
			attack.end()
			a.honest()
		})
	}
}

// TestManyBuffers has a client make more buffers than the host may have descriptors.
func TestManyBuffers(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3000, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	a := newArena(t, host.Options{})
	a.begin(nobody, "make", "dumb", "5000").end()
	a.honest()
}

// TestHostileCalls has clients make calls that they may not make.
func TestHostileCalls(t *testing.T) {
	for _, what := range []string{"int80", "bypass", "control"} {
		t.Run(what, func(t *testing.T) {
			a := newArena(t, host.Options{})
			a.begin(nobody, what).end()
			a.honest()
		})
	}
}

// TestHostileJail has a client try to leave a root of its own.
func TestHostileJail(t *testing.T) {
	outside := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(outside), 0o755), os.Chmod(outside, 0o777)); err != nil {
		t.Fatal(err)
	}
	a := newArena(t, host.Options{})
	a.begin(nil, "jail", outside).end()
	if _, err := os.Lstat(filepath.Join(outside, "made")); err == nil {
		t.Error("the client has made a directory outside of its root")
	}
}

// TestHostileStorms disturbs a client in the calls that the host makes it run:
// its descriptors change, it is stopped, it calls exec.
func TestHostileStorms(t *testing.T) {
	for _, what := range []string{"files", "stops", "execs"} {
		t.Run(what, func(t *testing.T) {
			a := newArena(t, host.Options{})
			attack := a.begin(nobody, "storm", what)
			a.honest()
			attack.end()
			a.honest()
		})
	}
}

// TestHostileLeader has a program use cards after its first thread has ended.
func TestHostileLeader(t *testing.T) {
	a := newArena(t, host.Options{})
	a.begin(nobody, "leader", "3").end()
	a.honest()
}

// TestHostileKeep has a client keep the descriptor that it has during an mmap.
func TestHostileKeep(t *testing.T) {
	a := newArena(t, host.Options{})
	a.begin(nobody, "keep").end()
}

// TestHostileScarce has a client make calls that the host makes its thread run, while
// it has few free descriptors. It keeps none that it has not asked for.
func TestHostileScarce(t *testing.T) {
	a := newArena(t, host.Options{})
	a.begin(nobody, "scarce", "/usr").end()
}

// TestHostileTrapped has a client with a seccomp filter that traps a call which the
// host makes its thread run. The client is not killed.
func TestHostileTrapped(t *testing.T) {
	a := newArena(t, host.Options{})
	a.begin(nobody, "trapped").end()
}

// TestHostileLandlock has a client open a card that Landlock forbids, while its
// other threads change what the thread sees.
func TestHostileLandlock(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h := newHost(t, class, host.Options{}) // which logs calls that were not run
	run(t, h, asUser(exec.Command(hostileClient(), "landlock", dir), nobody))
}

// TestHostileLog has a client write what is refused, many bytes at a time. What
// it makes the host log is short.
func TestHostileLog(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.DefaultConfig()).BusDriver())
	lines := new(longest)
	h := newHost(t, class, host.Options{Logger: slog.New(slog.NewTextHandler(lines, nil))})
	cmd := asUser(exec.Command(hostileClient(), "refused"), nobody)
	run(t, h, cmd)
	const most = 1024
	if n := lines.bytes.Load(); n == 0 || n > most {
		t.Errorf("the longest line of the log has %d bytes, want 1 to %d", n, most)
	}
}

// longest remembers the length of the longest line that is written to it.
type longest struct{ bytes atomic.Int64 }

func (l *longest) Write(line []byte) (int, error) {
	l.bytes.Store(max(l.bytes.Load(), int64(len(line)))) // a handler writes one line at a time
	return len(line), nil
}
