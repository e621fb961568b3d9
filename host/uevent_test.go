package host_test

import (
	"bufio"
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestUevents checks the events that udevadm monitor prints for a card that
// comes and goes.
func TestUevents(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			platform := bus.New("platform")
			h := newHost(t, class, host.Options{})
			// Mounts of other programs make devices of the subsystem bdi.
			cmd := asUser(exec.Command("udevadm", "monitor", "--kernel", "--udev", "--property",
				"--subsystem-match=drm", "--subsystem-match=platform"), user.attr)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			p, err := h.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			// udevadm prints a header when its monitors are bound.
			for lines.Scan() && lines.Text() != "" {
			}
			plugAndUnplug(t, class, platform)
			var got strings.Builder
			for blocks := 0; blocks < 2*len(ueventOrder) && lines.Scan(); {
				if lines.Text() == "" {
					blocks++
				}
				got.WriteString(lines.Text() + "\n")
			}
			_ = unix.Kill(p.PID(), unix.SIGTERM)
			_, _ = p.Wait()
			<-p.Done()
			checkUevents(t, got.String())
		})
	}
}

// TestForgedUevents checks that an ordinary user cannot send events to others.
func TestForgedUevents(t *testing.T) {
	h := newHost(t, drm.NewClass(drm.ClassOptions{}), host.Options{})
	run(t, h, asUser(exec.Command(client, "forge"), nobody))
}

// ueventOrder are the events of each monitor, in the order in which the
// kernel sends them.
var ueventOrder = []string{
	"add /devices/platform/vkms/drm/card0 (drm)",
	"add /devices/platform/vkms/drm/card0/card0-Virtual-1 (drm)",
	"add /devices/platform/vkms/drm/card0/card0-Writeback-1 (drm)",
	"bind /devices/platform/vkms (platform)",
	"remove /devices/platform/vkms/drm/card0/card0-Virtual-1 (drm)",
	"remove /devices/platform/vkms/drm/card0/card0-Writeback-1 (drm)",
	"remove /devices/platform/vkms/drm/card0 (drm)",
	"unbind /devices/platform/vkms (platform)",
	"remove /devices/platform/vkms (platform)",
}

func plugAndUnplug(t *testing.T, class *drm.Class, platform *bus.Bus) {
	t.Helper()
	dev, err := platform.Add("vkms")
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Bind(vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver()); err != nil {
		t.Fatal(err)
	}
	if err := dev.Remove(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func checkUevents(t *testing.T, got string) {
	t.Helper()
	head := regexp.MustCompile(`(?m)^(KERNEL|UDEV) *\[[0-9.]+\] (\w+) +(\S+) +(\(\w+\))$`)
	order := map[string][]string{}
	for _, m := range head.FindAllStringSubmatch(got, -1) {
		order[m[1]] = append(order[m[1]], m[2]+" "+m[3]+" "+m[4])
	}
	for _, monitor := range []string{"KERNEL", "UDEV"} {
		if diff := diff(strings.Join(order[monitor], "\n"), strings.Join(ueventOrder, "\n")); diff != "" ||
			strings.Join(order[monitor], "\n") != strings.Join(ueventOrder, "\n") {
			t.Errorf("%s: %s\norder: %q", monitor, diff, order[monitor])
		}
	}
	for block := range strings.SplitSeq(got, "\n\n") {
		if !strings.Contains(block, "ACTION=remove\nDEVPATH=/devices/platform/vkms/drm/card0\n") {
			continue
		}
		want := []string{"SUBSYSTEM=drm", "DEVNAME=/dev/dri/card0", "DEVTYPE=drm_minor", "MAJOR=226", "MINOR=0"}
		if strings.HasPrefix(block, "UDEV") {
			want = append(want, "ID_PATH=platform-vkms", "ID_PATH_TAG=platform-vkms", "ID_FOR_SEAT=drm-platform-vkms",
				"DEVLINKS=/dev/dri/by-path/platform-vkms-card")
		}
		for _, property := range want {
			if !strings.Contains(block+"\n", "\n"+property+"\n") {
				t.Errorf("%s is missing in:\n%s", property, block)
			}
		}
	}
}
