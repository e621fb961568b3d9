package host_test

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestStorm maps from several threads under many signals while the program is
// stopped and continued, and kills it meanwhile.
func TestStorm(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			d := newDevice(t, class, "vkms")
			h := newHost(t, class, host.Options{})
			storm := func(duration string) *host.Process {
				p, err := h.Start(asUser(exec.Command(client, "mapstorm", duration), user.attr))
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			p := storm("500ms")
			for running := true; running; {
				_ = unix.Kill(p.PID(), unix.SIGSTOP)
				time.Sleep(time.Millisecond)
				_ = unix.Kill(p.PID(), unix.SIGCONT)
				select {
				case <-p.Exited():
					running = false
				case <-time.After(5 * time.Millisecond):
				}
			}
			if status, err := p.Wait(); status != 0 || err != nil {
				t.Errorf("stopped and continued: exit status %d, %v", status, err)
			}
			<-p.Done()
			for range 10 {
				p := storm("5m") // longer than it takes to be killed
				for !d.open() {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(10 * time.Millisecond) // at an arbitrary moment of a mapping
				_ = unix.Kill(p.PID(), unix.SIGKILL)
				if status, err := p.Wait(); status != 128+9 || err != nil {
					t.Errorf("killed: exit status %d, %v", status, err)
				}
				<-p.Done()
				d.waitClosed()
			}
		})
	}
}
