package host_test

import (
	_ "embed"
	"os/exec"
	"strings"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// resolveAnswers is what Linux 6.18 answered to "resolve /dev/net/tun
// /sys/class/mem/null/dev /tmp" of testprogs/host: a real node and a real file of
// sysfs. The columns are those of resolveFlags there.
//
//go:embed testdata/resolve.txt
var resolveAnswers string

// TestResolve opens paths of many forms with each RESOLVE flag of openat2.
func TestResolve(t *testing.T) {
	for _, user := range users {
		t.Run("calls/"+user.name, func(t *testing.T) {
			testResolve(t, nil, asUser(exec.Command(client), user.attr))
		})
	}
	t.Run("mounts", func(t *testing.T) {
		if host.CheckMounts() != nil {
			h, err := host.New(drm.NewClass(drm.ClassOptions{}), host.Options{FileServer: fusefs.Serve})
			if err == nil {
				_ = h.Close()
				t.Error("the files are mounted, though CheckMounts says that they cannot be")
			} else if !strings.Contains(err.Error(), "the virtual files cannot be mounted: ") {
				t.Error(err)
			}
			return
		}
		testResolve(t, fusefs.Serve, exec.Command(client))
	})
}

func testResolve(t *testing.T, server host.FileServer, cmd *exec.Cmd) {
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h, err := host.New(class, host.Options{Logger: logger, FileServer: server})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cmd.Args = []string{client, "resolve", "/dev/dri/card0", "/sys/class/drm/card0/dev", "/tmp"}
	got, want := strings.Split(run(t, h, cmd), "\n"), strings.Split(resolveAnswers, "\n")
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d", len(got), len(want))
	}
	for i := range want {
		form, answers, _ := strings.Cut(got[i], ": ")
		wantForm, wantAnswers, _ := strings.Cut(want[i], ": ")
		a, w := strings.Fields(answers), strings.Fields(wantAnswers)
		if form != wantForm || strings.Join(a, " ") != strings.Join(w, " ") {
			t.Errorf("%s\nwant %s: %s", got[i], wantForm, strings.Join(w, " "))
		}
	}
}
