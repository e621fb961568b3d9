package host_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestAccess checks who may use sysfs and debugfs: the user of the host as root
// on a machine, other users as users there.
func TestAccess(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	opts := testOptions(host.Options{})
	opts.EveryUser = false
	h, err := host.New(class, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	const (
		denied = "Permission denied"
		driver = "/sys/class/drm/card0/device/driver"
	)
	for _, tc := range []struct {
		command      string
		nobody, root string // the output
	}{
		{"exec 5<>/dev/dri/card0 && echo opened", "opened\n", "opened\n"},
		{"cat /sys/class/drm/card0/dev", "226:0\n", "226:0\n"},
		{": >/sys/class/drm/card0-Virtual-1/status && echo opened", denied, "opened\n"},
		{": >" + driver + "/unbind && echo opened", denied, "opened\n"},
		{": >/sys/bus/platform/rescan && echo opened", denied, "opened\n"},
		{"test -w " + driver + "/unbind && echo writable || echo Permission denied", denied, "writable\n"},
		{`perl -e 'truncate "/sys/class/drm/card0/dev", 0 or die $!; print "done\n"'`, denied, "done\n"},
		{`perl -MFcntl -e 'sysopen F, "/sys/class/drm/card0/dev", O_RDONLY|O_TRUNC or die $!; print "done\n"'`, denied, "done\n"},
		{`perl -MFcntl -e 'sysopen F, "/sys/class/drm/card0-Virtual-1/status", O_WRONLY|O_TRUNC or die $!; print "done\n"'`, denied, "done\n"},
		{`perl -e 'truncate "/sys/kernel/debug/dri/0/name", 0 or die $!; print "done\n"'`, denied, "done\n"},
		{"cat /sys/kernel/debug/dri/0/name", denied, "vkms dev=vkms unique=vkms\n"},
		{"cd /sys/kernel/debug/dri && echo entered || echo Permission denied", denied, "entered\n"},
		{"exec 5<>/sys/kernel/debug/sync/sw_sync && echo opened", denied, "opened\n"},
		{"ls /sys/kernel/debug/dri >/dev/null && echo listed", denied, "listed\n"},
		{"stat -c %a /sys/kernel/debug/dri/0/name", denied, "444\n"},
		{"ls /sys/kernel/debug >/dev/null && echo listed", denied, "listed\n"},
	} {
		for _, user := range users {
			want := tc.root
			if user.attr != nil {
				want = tc.nobody
			}
			cmd := asUser(exec.Command("sh", "-c", "exec 2>&1; export LC_ALL=C; "+tc.command), user.attr)
			if got := output(t, h, cmd); got != want && (want != denied || !strings.Contains(got, denied)) {
				t.Errorf("%s: %s: got %q, want %q", user.name, tc.command, got, want)
			}
		}
	}
}

// output runs cmd under h to its end and returns what it printed.
func output(t *testing.T, h *host.Host, cmd *exec.Cmd) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
	<-p.Done()
	return out.String()
}
