package host_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
)

// TestCompat runs testprogs/compat as a 64-bit and as a 32-bit program.
func TestCompat(t *testing.T) {
	for _, arch := range []string{runtime.GOARCH, "386"} {
		program := filepath.Join(filepath.Dir(client), "compat-"+arch)
		build := exec.Command("go", "build", "-o", program, "../internal/testprogs/compat")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building testprogs/compat: %v\n%s", err, out)
		}
		for _, user := range users {
			t.Run(arch+"/"+user.name, func(t *testing.T) {
				class := drm.NewClass(drm.ClassOptions{})
				dev := drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
				h := newHost(t, class, host.Options{})
				if exec.Command(program, "start").Run() != nil {
					// A kernel without 32-bit programs, with the host and without.
					if _, err := h.Start(exec.Command(program)); !errors.Is(err, unix.ENOEXEC) {
						t.Errorf("a program that the kernel does not run: %v", err)
					}
					return
				}
				cmd := asUser(exec.Command(program), user.attr)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				p, err := h.Start(cmd)
				if err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewReader(out)
				line, _ := lines.ReadString('\n')
				if line == "unplug\n" {
					if err := dev.Remove(context.Background()); err != nil {
						t.Error(err)
					}
					line = ""
				}
				rest, _ := io.ReadAll(lines)
				if status, err := p.Wait(); status != 0 || err != nil {
					t.Errorf("exit status %d, %v\n%s", status, err, strings.TrimSpace(line+string(rest)))
				}
				<-p.Done()
			})
		}
	}
}
