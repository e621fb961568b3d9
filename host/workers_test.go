package host_test

import (
	"bytes"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

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

// TestWaitingRequestsHoldNoWorkers has more requests wait at the same time than
// there may be workers, of two programs.
func TestWaitingRequestsHoldNoWorkers(t *testing.T) {
	const limit, waits = 3, 40
	var (
		devices [2]*device
		hosts   [2]*host.Host
		out     [2]bytes.Buffer
		started [2]*host.Process
	)
	for i := range hosts {
		class := drm.NewClass(drm.ClassOptions{})
		devices[i] = newDevice(t, class, "vkms")
		hosts[i] = newHost(t, class, host.Options{})
	}
	host.SetMaxWorkers(limit, hosts[:]...)
	for i := range hosts {
		started[i] = start(t, hosts[i], &out[i], "crowd", strconv.Itoa(waits))
		awaitWaiting(devices[i], waits)
	}
	for i := range hosts {
		for range waits {
			devices[i].let <- struct{}{}
		}
		finish(t, started[i], &out[i])
	}
}

// TestManyPrograms runs a program whose requests wait beside more idle programs than
// there may be workers, each with a server of its own.
func TestManyPrograms(t *testing.T) {
	const limit, programs, waits = 3, 6, 8
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	host.SetMaxWorkers(limit, h)
	for range programs {
		p, stdin := holding(t, h)
		defer func() {
			_ = stdin.Close()
			<-p.Done()
		}()
	}
	var out bytes.Buffer
	p := start(t, h, &out, "crowd", strconv.Itoa(waits))
	waitFor(t, "all requests wait", func() bool { return d.waiting.Load() == waits })
	for range waits {
		d.let <- struct{}{}
	}
	finish(t, p, &out)
}

// TestKilledWhileManyWait kills a program whose requests wait.
func TestKilledWhileManyWait(t *testing.T) {
	const waits = 40
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	h := newHost(t, class, host.Options{})
	host.SetMaxWorkers(3, h)
	var out bytes.Buffer
	p := start(t, h, &out, "crowd", strconv.Itoa(waits))
	awaitWaiting(d, waits)
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status, _ := p.Wait(); status != 128+9 {
		t.Errorf("exit status %d", status)
	}
	<-p.Done()
	d.waitClosed()
}

// TestManyWaiters interrupts many requests that wait, each by a signal of its
// own, and then nothing is watched any more.
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
