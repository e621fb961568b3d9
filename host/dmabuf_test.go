package host_test

import (
	"bufio"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host"
)

// newVGEMHost returns a host with a vgem device. end closes it and checks that
// no buffer is left.
func newVGEMHost(t *testing.T) (h *host.Host, end func()) {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	driver := vgem.NewDriver(class)
	drmtest.Bind(t, bus.New("platform"), "vgem", driver.BusDriver())
	h, err := host.New(class, testOptions(host.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return h, func() {
		t.Helper()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if n := driver.Buffers().Objects(); n != 0 || gem.DMABufs() != 0 {
			t.Errorf("%d buffers and %d dma-bufs are left", n, gem.DMABufs())
		}
	}
}

// TestDMABuf runs several programs that use dma-bufs in all ways at once, and
// checks that nothing is left.
func TestDMABuf(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			h, end := newVGEMHost(t)
			var programs sync.WaitGroup
			for range 4 {
				programs.Go(func() { run(t, h, asUser(exec.Command(client, "dmabuf"), user.attr)) })
			}
			programs.Wait()
			end()
		})
	}
}

// TestDMABufsOfTheKilled kills programs at arbitrary moments, with fences
// pending.
func TestDMABufsOfTheKilled(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			h, end := newVGEMHost(t)
			for i := range 10 {
				cmd := asUser(exec.Command(client, "dmabufstorm"), user.attr)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				p, err := h.Start(cmd)
				if err != nil {
					t.Fatal(err)
				}
				if line, err := bufio.NewReader(out).ReadString('\n'); line != "at work\n" {
					t.Errorf("it says %q, %v", line, err)
				}
				time.Sleep(time.Duration(i) * time.Millisecond) // anywhere in the round
				_ = unix.Kill(p.PID(), unix.SIGKILL)
				if status, err := p.Wait(); status != 128+9 || err != nil {
					t.Errorf("killed: exit status %d, %v", status, err)
				}
				<-p.Done()
			}
			end()
		})
	}
}
