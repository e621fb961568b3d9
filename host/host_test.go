package host_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

func contextCause(ctx context.Context) error { return context.Cause(ctx) }

// client is the path of testprogs/host, built without cgo: a static program.
// TestAsNobody passes its path in clientVariable.
var client string

const clientVariable = "UDRM_TEST_CLIENT"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == cleanerArgument {
		if err := host.Clean(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "udrm-host-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // for programs of the user nobody
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := refuseCalls(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if client = os.Getenv(clientVariable); client != "" {
		return m.Run()
	}
	client = filepath.Join(dir, "host-client")
	build := exec.Command("go", "build", "-o", client, "../internal/testprogs/host")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building testprogs/host: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// testOptions completes opts for tests: programs that daemonize are served,
// those of nobody may do what root may, and reports go to standard error. With
// UDRM_FILES=mounts in the environment, the virtual files are mounted.
func testOptions(opts host.Options) host.Options {
	opts.AdoptOrphans = true
	opts.EveryUser = true
	if os.Getenv("UDRM_FILES") == "mounts" {
		opts.FileServer = fusefs.Serve
	}
	if opts.Logger == nil {
		opts.Logger = logger
	}
	return opts
}

// logger omits the stacks of handlers that panic on purpose.
var logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{
	Level: slog.LevelWarn,
	ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "stack" {
			return slog.Attr{}
		}
		return a
	},
}))

func newHost(t testing.TB, class *drm.Class, opts host.Options) *host.Host {
	t.Helper()
	h, err := host.New(class, testOptions(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// nobody runs a program as an ordinary user without capabilities.
var nobody = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}

// run runs cmd and everything that it starts under h to the end and returns the
// output. The exit status must be 0.
func run(t testing.TB, h *host.Host, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	status, err := p.Wait()
	if err != nil {
		t.Errorf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	<-p.Done()
	if status != 0 {
		t.Errorf("%s: exit status %d\n%s", strings.Join(cmd.Args, " "), status, out.String())
	}
	return out.String()
}

// users are the users that run the parts of testprogs/host.
var users = []struct {
	name string
	attr *syscall.SysProcAttr
}{
	{"same user", nil}, // as the host
	{"nobody", nobody},
}

func asUser(cmd *exec.Cmd, attr *syscall.SysProcAttr) *exec.Cmd {
	if attr != nil {
		own := *attr
		cmd.SysProcAttr = &own
	}
	return cmd
}

// TestClient runs the parts of testprogs/host that need nothing but a device.
func TestClient(t *testing.T) {
	for _, user := range users {
		for _, part := range []string{"basic", "events", "shortreads", "dup", "exec", "pass", "reopen", "map", "faults",
			"unplug", "wait", "closes", "closewait", "interrupted", "chdir", "opens 200", "mapstorm 300ms", "execstorm 6"} {
			t.Run(user.name+"/"+part, func(t *testing.T) {
				class := drm.NewClass(drm.ClassOptions{})
				d := newDevice(t, class, "vkms")
				h := newHost(t, class, host.Options{})
				run(t, h, asUser(exec.Command(client, strings.Fields(part)...), user.attr))
				d.waitClosed()
			})
		}
	}
}

func TestClientSeesPixels(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	run(t, h, exec.Command(client, "basic"))
	if got := d.contents(); !bytes.HasPrefix(got, []byte("written by a client")) {
		t.Errorf("the buffer holds %q", got[:32])
	}
	run(t, h, exec.Command(client, "exec"))
	if got := d.contents(); !bytes.HasPrefix(got, []byte("written by a child")) {
		t.Errorf("the buffer holds %q", got[:32])
	}
}

// TestAsNobody runs other tests in a process of an ordinary user without
// capabilities. Mounts take one.
func TestAsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can become nobody: run this test as root")
	}
	// Other users cannot read the go command's directory.
	self := filepath.Join(filepath.Dir(client), "tests")
	if out, err := exec.Command("cp", os.Args[0], self).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if err := os.Chmod(self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.v", "-test.run",
		"^(TestClient|TestTree|TestPrograms|TestUevents|TestDaemon|TestDoctor|TestStorm|TestExitStatus|TestReleaseOnDeath|TestHangUp|TestNothingIsLeft)$/^(same_user)?$")
	cmd.Env = append(os.Environ(), clientVariable+"="+client, "UDRM_FILES=calls")
	cmd.Dir = "/"
	out, err := asUser(cmd, nobody).CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) < 10 {
		t.Errorf("%v\n%s", err, out)
	}
}
