package host_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestDebugger runs programs under debuggers: they map buffers, open real files
// by paths that begin at virtual ones, and the debuggers notice nothing of how
// that is done.
func TestDebugger(t *testing.T) {
	for _, user := range users {
		for _, mode := range []string{"gdb", "strace", "plain"} {
			for _, part := range []string{"basic", "map", "chdir", "mappings"} {
				t.Run(strings.Join([]string{user.name, mode, part}, "/"), func(t *testing.T) {
					class := drm.NewClass(drm.ClassOptions{})
					d := newDevice(t, class, "vkms")
					h := newHost(t, class, host.Options{})
					run(t, h, asUser(exec.Command(client, "debugger", mode, part), user.attr))
					d.waitClosed()
				})
			}
		}
	}
}
