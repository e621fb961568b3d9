package host_test

import (
	"bytes"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// A warnings collects a logger's output. The first line closes seen.
type warnings struct {
	mu   sync.Mutex
	text bytes.Buffer
	seen chan struct{}
}

func newWarnings() *warnings { return &warnings{seen: make(chan struct{})} }

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() == 0 {
		close(w.seen)
	}
	return w.text.Write(p)
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *warnings) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func start(t *testing.T, h *host.Host, out *bytes.Buffer, args ...string) *host.Process {
	t.Helper()
	cmd := exec.Command(client, args...)
	cmd.Stdout, cmd.Stderr = out, out
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func finish(t *testing.T, p *host.Process, out *bytes.Buffer) {
	t.Helper()
	if status, err := p.Wait(); status != 0 || err != nil || out.String() != "went on\n" {
		t.Errorf("exit status %d, %v, output %q", status, err, out)
	}
	<-p.Done()
}

func awaitWaiting(d *device, n int32) {
	for d.waiting.Load() != n {
		time.Sleep(time.Millisecond)
	}
}

// TestMaxWorkers lets more requests wait than there may be workers. They are
// delayed, and all are answered.
func TestMaxWorkers(t *testing.T) {
	const limit, waits = 3, 6
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	log := newWarnings()
	h := newHost(t, class, host.Options{Logger: log.logger()})
	host.SetMaxWorkers(limit, h)
	var out bytes.Buffer
	p := start(t, h, &out, "crowd", "6")
	<-log.seen
	for range waits {
		if n := d.waiting.Load(); n > limit {
			t.Errorf("%d requests wait with %d workers", n, limit)
		}
		d.let <- struct{}{}
	}
	finish(t, p, &out)
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("want one warning, got %q", log)
	}
}

// TestMaxWorkersOfAll checks that programs share the workers: one that was
// refused a worker gets one when the other program ends one.
func TestMaxWorkersOfAll(t *testing.T) {
	var (
		devices [2]*device
		hosts   [2]*host.Host
		out     [2]bytes.Buffer
		logs    = [2]*warnings{newWarnings(), newWarnings()}
	)
	for i := range hosts {
		class := drm.NewClass(drm.ClassOptions{})
		devices[i] = newDevice(t, class, "vkms")
		hosts[i] = newHost(t, class, host.Options{Logger: logs[i].logger()})
	}
	host.SetMaxWorkers(3, hosts[:]...)
	first := start(t, hosts[0], &out[0], "crowd", "3")
	<-logs[0].seen
	second := start(t, hosts[1], &out[1], "crowd", "2") // with its first worker only
	for range 3 {
		devices[0].let <- struct{}{}
	}
	finish(t, first, &out[0])
	awaitWaiting(devices[1], 2)
	for range 2 {
		devices[1].let <- struct{}{}
	}
	finish(t, second, &out[1])
	if s := logs[1].String(); s != "" {
		t.Errorf("a second warning: %q", s)
	}
}

// TestMaxWorkersKilled checks that a program that holds all workers can be
// killed.
func TestMaxWorkersKilled(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	log := newWarnings()
	h := newHost(t, class, host.Options{Logger: log.logger()})
	host.SetMaxWorkers(3, h)
	var out bytes.Buffer
	p := start(t, h, &out, "crowd", "6")
	awaitWaiting(d, 3)
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status, _ := p.Wait(); status != 128+9 {
		t.Errorf("exit status %d", status)
	}
	<-p.Done()
	d.waitClosed()
}

// TestManyWaiters interrupts many waiting requests, each by a signal of its
// own. Afterwards no request is watched.
func TestManyWaiters(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	run(t, h, exec.Command(client, "signalled", "100"))
	d.waitClosed()
	if n := h.Watched(); n != 0 {
		t.Errorf("%d requests are watched after the end", n)
	}
}
