package conformance

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A tester runs one case on a target. Only the goroutine of the case may use
// it; the methods of files may be called concurrently.
type tester struct {
	*testing.T
	target  Target
	covered *coverage
	pin     runtime.Pinner
	gone    bool     // unplugged
	back    bool     // plugged in again by the case
	cleanup []func() // newest last

	// A case that may fail collects its failures instead of reporting them.
	collects bool
	failures []string
}

type coverage struct {
	mu sync.Mutex
	Coverage
}

// timeout is how long a case waits for an event before it fails.
const timeout = 10 * time.Second

func newTester(t *testing.T, target Target, covered Coverage) *tester {
	return &tester{T: t, target: target, covered: &coverage{Coverage: covered}}
}

// Cleanup registers f to be called at the end of the case, newest first.
func (t *tester) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }

// end cleans up after the case.
func (t *tester) end() {
	for len(t.cleanup) > 0 {
		last := len(t.cleanup) - 1
		f := t.cleanup[last]
		t.cleanup = t.cleanup[:last]
		f()
	}
	t.pin.Unpin()
	// All files of the old device are closed now, so that the new one gets the
	// names of its nodes.
	if t.back && !t.gone {
		t.Unplug()
	}
	if t.gone {
		t.Replug()
	}
}

// A caseEnd ends a case that collects its failures, as a panic.
type caseEnd struct{}

// Errorf fails the case.
func (t *tester) Errorf(format string, args ...any) {
	t.Helper()
	if t.collects {
		t.failures = append(t.failures, fmt.Sprintf(format, args...))
		return
	}
	t.T.Errorf(format, args...)
}

// Fatalf fails the case and ends it.
func (t *tester) Fatalf(format string, args ...any) {
	t.Helper()
	if t.collects {
		t.Errorf(format, args...)
		panic(caseEnd{})
	}
	t.T.Fatalf(format, args...)
}

// Fatal fails the case and ends it.
func (t *tester) Fatal(args ...any) {
	t.Helper()
	t.Fatalf("%s", fmt.Sprint(args...))
}

// expectFailures runs a case and returns its failures.
func (t *tester) expectFailures(run func(*tester)) (failures []string) {
	t.collects = true
	defer t.end()
	defer func() {
		t.collects, failures = false, t.failures
		switch end := recover().(type) {
		case nil, caseEnd:
		default:
			panic(end)
		}
	}()
	run(t)
	return nil // set above
}

// probe asks a question. The first failure meanwhile is the answer.
func (t *tester) probe(ask func(*tester) error) (err error) {
	failures := t.expectFailures(func(t *tester) { err = ask(t) })
	if len(failures) > 0 {
		err = errors.New(failures[0])
	}
	return err
}

// nodes returns the paths of the nodes of the device.
func (t *tester) nodes() (primary, render string) {
	t.Helper()
	primary, render, err := t.target.Nodes()
	if err != nil {
		t.Fatalf("the nodes of the device: %v", err)
	}
	return primary, render
}

// Open opens the primary node. Every file is closed at the end of the case.
func (t *tester) Open() *file {
	t.Helper()
	primary, _ := t.nodes()
	return t.OpenPath(primary, unix.O_RDWR|unix.O_NONBLOCK)
}

// OpenAuthenticated opens the primary node, and master authenticates the file.
func (t *tester) OpenAuthenticated(master *file) *file {
	t.Helper()
	f := t.Open()
	var magic uapi.Auth
	f.Must(uapi.IoctlGetMagic, &magic)
	master.Must(uapi.IoctlAuthMagic, &magic)
	return f
}

// OpenRender opens the render node.
func (t *tester) OpenRender() *file {
	t.Helper()
	_, render := t.nodes()
	return t.OpenPath(render, unix.O_RDWR|unix.O_NONBLOCK)
}

// OpenPath opens a node.
func (t *tester) OpenPath(path string, flags int) *file {
	t.Helper()
	fd, err := t.target.System.Open(path, flags)
	if err != nil {
		t.Fatalf("opening %s: %v", path, err)
	}
	return t.File(fd, path)
}

// File makes a file of a descriptor, which is closed at the end of the case.
func (t *tester) File(fd int, name string) *file {
	f := &file{t: t, fd: fd, name: name}
	f.Client = kmsclient.New(transport{f})
	t.Cleanup(func() { f.Close() })
	return f
}

// Unprivileged calls f while the client lacks CAP_SYS_ADMIN.
func (t *tester) Unprivileged(f func()) {
	t.Helper()
	if err := t.target.System.Unprivileged(f); err != nil {
		t.Fatalf("dropping CAP_SYS_ADMIN: %v", err)
	}
}

// Unplug unplugs the device until Replug or the end of the case.
func (t *tester) Unplug() {
	t.Helper()
	if err := t.target.Unplug(); err != nil {
		t.Fatalf("unplugging: %v", err)
	}
	t.gone = true
}

// Replug plugs the device in again.
func (t *tester) Replug() {
	t.Helper()
	t.gone, t.back = false, true
	if err := t.target.Plug(); err != nil {
		t.Fatalf("plugging the device in again: %v", err)
	}
}

// Want fails the case unless err is one of the errnos; none stand for success.
// It reports whether err is.
func (t *tester) Want(what string, err error, errnos ...unix.Errno) bool {
	t.Helper()
	if len(errnos) == 0 {
		errnos = []unix.Errno{0}
	}
	for _, errno := range errnos {
		if errno == 0 && err == nil || errno != 0 && errors.Is(err, errno) {
			return true
		}
	}
	t.Errorf("%s: %s, want %s", what, name(err), names(errnos))
	return false
}

// Must ends the case on an error.
func (t *tester) Must(what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %s", what, name(err))
	}
}

// equal fails the case unless got is want. It reports whether it is.
func equal[V comparable](t *tester, what string, got, want V) bool {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
		return false
	}
	return true
}

// name returns the errno of err by name, and the reason if err has one.
func name(err error) string {
	var errno unix.Errno
	switch {
	case err == nil:
		return "success"
	case !errors.As(err, &errno):
		return err.Error()
	case err == errno:
		return names([]unix.Errno{errno})
	}
	return fmt.Sprintf("%s (%v)", names([]unix.Errno{errno}), err)
}

func names(errnos []unix.Errno) string {
	var list []string
	for _, errno := range errnos {
		switch known := unix.ErrnoName(errno); {
		case errno == 0:
			list = append(list, "success")
		case errno == unix.EOPNOTSUPP: // Linux has two names for it
			list = append(list, "EOPNOTSUPP")
		case known != "":
			list = append(list, known)
		default:
			list = append(list, fmt.Sprintf("errno %d", errno))
		}
	}
	return strings.Join(list, " or ")
}
