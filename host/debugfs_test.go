package host_test

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// An echo has two files in debugfs. "echo/control" lists the writes to it, a
// line each; "echo/data" delivers them.
type echo struct {
	mu     sync.Mutex
	stored []string
	out    drm.EventSink // of the open data file
}

// DebugfsFiles implements drm.DebugfsPart.
func (d *device) DebugfsFiles(*drm.Device) []drm.DebugfsFile {
	return []drm.DebugfsFile{
		{Path: "echo/control", Show: d.echo.show, Store: d.echo.store},
		{Path: "echo/data", Open: d.echo.open},
	}
}

func (e *echo) show() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.stored, "")
}

func (e *echo) store(data string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch data {
	case "panic":
		panic("asked for")
	case "refuse":
		return unix.EINVAL
	}
	e.stored = append(e.stored, fmt.Sprintf("%q\n", data))
	if e.out != nil {
		return e.out.Deliver([]byte(data))
	}
	return nil
}

func (e *echo) open(sink drm.EventSink) (io.Closer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.out != nil {
		return nil, unix.EBUSY
	}
	e.out = sink
	return e, nil
}

func (e *echo) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.out = nil
	return nil
}

// TestDebugfs checks what programs see of debugfs, with or without a real one.
func TestDebugfs(t *testing.T) {
	for _, user := range users {
		run := newVKMS(t, user.attr)
		for _, c := range []struct{ command, want string }{
			{"cat /sys/kernel/debug/dri/0/name", `vkms dev=vkms unique=vkms\n`},
			{"ls -l /sys/kernel/debug/dri", `total 0\nlrwxrwxrwx 1 root root 0 .* 0 -> vkms\ndrwxr-xr-x \d+ root root 0 .* vkms\n`},
			{"cd /sys/kernel/debug/dri/0 && pwd -P && ls -d C* V* clients gem_names 2>/dev/null || true", `/sys/kernel/debug/dri/vkms\nVirtual-1\nclients\ngem_names\n`},
			{"stat -f -c %T /sys/kernel/debug/dri /sys/kernel/debug/dri/0/state", `debugfs\ndebugfs\n`},
			{"stat -c '%A %s' /sys/kernel/debug/dri/0/state", `-r--r--r-- 0\n`},
			{"test $(stat -c %d /sys/kernel/debug/dri/.) != $(stat -c %d /sys/kernel) && echo yes", `yes\n`},
			{"exec 5</dev/dri/card0; cat /sys/kernel/debug/dri/0/clients", ` +command +tgid dev master a +uid +magic\n +sh +\d+ +0   y    y +\d+ +0\n`},
			{"(echo x >/sys/kernel/debug/dri/0/name) 2>&1 || true", `.*Permission denied\n`},
			{"ls /sys/kernel | grep -cx -e debug -e mm", `2\n`},
		} {
			t.Run(user.name+"/"+c.command, func(t *testing.T) {
				got := run("sh", "-c", "export LC_ALL=C;"+c.command)
				if !regexp.MustCompile(`^(` + c.want + `)$`).MatchString(got) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
	}
}

// TestControls checks that writes of programs are stored one by one, before the
// program's next call, and that streams are read packet by packet.
func TestControls(t *testing.T) {
	for _, user := range users {
		t.Run(user.name, func(t *testing.T) {
			class := drm.NewClass(drm.ClassOptions{})
			d := newDevice(t, class, "vkms")
			h := newHost(t, class, host.Options{})
			run(t, h, asUser(exec.Command(client, "control"), user.attr))
			if got := d.echo.show(); !strings.HasSuffix(got, "\"last words\"\n") {
				t.Errorf("what was written right before the end is lost:\n%s", got)
			}
			got := run(t, h, asUser(exec.Command("sh", "-c", "cd /sys/kernel/debug/dri/0/echo && echo from a shell >control && tail -n 1 control"), user.attr))
			if got != `"from a shell\n"`+"\n" {
				t.Errorf("a shell wrote %q", got)
			}
		})
	}
}

// TestRenderNode checks how programs see a card with a render node.
func TestRenderNode(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	config := vkms.ConfigOf(drm.Linux612)
	config.Render = true
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, config).BusDriver())
	h := newHost(t, class, host.Options{})
	for command, want := range map[string]string{
		"ls /dev/dri /dev/dri/by-path":                                  "/dev/dri:\nby-path\ncard0\nrenderD128\n\n/dev/dri/by-path:\nplatform-vkms-card\nplatform-vkms-render\n",
		"ls /sys/class/drm/renderD128/device/drm":                       "card0\nrenderD128\n",
		"readlink /sys/kernel/debug/dri/0 /sys/kernel/debug/dri/128":    "vkms\nvkms\n",
		"exec 5<>/dev/dri/renderD128; stat -L -c %t:%T /proc/self/fd/5": "e2:80\n",
	} {
		if got := run(t, h, exec.Command("sh", "-c", "export LC_ALL=C; "+command)); got != want {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
}
