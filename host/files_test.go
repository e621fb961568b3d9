package host_test

import (
	"bufio"
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestFileCalls checks the calls on extended attributes, handles, times and
// sizes of virtual files.
func TestFileCalls(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h := newHost(t, class, host.Options{})
	run(t, h, exec.Command(client, "filecalls", filepath.Join(t.TempDir(), "real")))
}

// TestWatchNodes checks that inotify tells a program of a node that goes.
func TestWatchNodes(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			dev := drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
			h := newHost(t, class, host.Options{})
			cmd := asUser(exec.Command(client, "watchnodes"), user.attr)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			p, err := h.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			line, _ := bufio.NewReader(stdout).ReadString('\n')
			if line != "watching\n" {
				t.Errorf("the client said %q", line)
			}
			if err := dev.Remove(context.Background()); err != nil {
				t.Fatal(err)
			}
			if status, err := p.Wait(); err != nil || status != 0 {
				t.Errorf("the client ended with %v, %v", status, err)
			}
			<-p.Done()
		})
	}
}

// TestWrittenUevent checks that a program gets the event that it writes to a
// file uevent, with the keys that it gives.
func TestWrittenUevent(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h := newHost(t, class, host.Options{})
	cmd := exec.Command("sh", "-c", `
		udevadm monitor --kernel --property |
		while read line; do
			case $line in
			"KERNEL - the kernel uevent")
				echo "change 12345678-1234-1234-1234-123456789abc A=1" > /sys/class/drm/card0/uevent ;;
			SYNTH_ARG_A=1) echo found; exit 0 ;;
			esac
		done`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if line != "found\n" {
		t.Errorf("the program said %q, want found", line)
	}
	_ = unix.Kill(-p.PID(), unix.SIGKILL)
	_, _ = p.Wait()
	<-p.Done()
}
