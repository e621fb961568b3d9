package host_test

import (
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/seat"
	"github.com/udrm/udrm/seat/vt"
)

// TestFirstDescriptor checks that a call on a descriptor is served, and not left
// to the kernel, when the descriptor is the first that the host has given, of each
// kind.
func TestFirstDescriptor(t *testing.T) {
	for _, kind := range []struct {
		name, path string
		flags      int
	}{
		{"node", "/dev/dri/card0", unix.O_RDWR},
		{"named-node", "/dev/dri/card0", unix.O_PATH},
		{"memory", "/dev/udmabuf", unix.O_RDWR},
		{"framebuffer", "/dev/fb0", unix.O_RDWR},
		{"terminal", "/dev/tty1", unix.O_RDWR | unix.O_NOCTTY},
		{"file", "/sys/class/drm/card0/dev", unix.O_RDONLY},
		{"written-file", "/sys/class/drm/card0/uevent", unix.O_WRONLY},
		{"directory", "/sys/class/drm", unix.O_RDONLY | unix.O_DIRECTORY},
		{"stream", "/sys/kernel/debug/sync/sw_sync", unix.O_RDWR},
	} {
		t.Run(kind.name, func(t *testing.T) {
			run(t, newConsoleHost(t), exec.Command(client, "firsts", kind.path, strconv.Itoa(kind.flags)))
		})
	}
	t.Run("dma-buf", func(t *testing.T) { run(t, newConsoleHost(t), exec.Command(client, "firstdmabuf")) })
}

// newConsoleHost returns a host with a card that has a console, and with virtual
// terminals.
func newConsoleHost(t *testing.T) *host.Host {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	config := vkms.ConfigOf(drm.Linux612)
	config.Console = true
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, config).BusDriver())
	terminals := vt.New(seat.New(nil, logger), logger)
	t.Cleanup(func() { _ = terminals.Close() })
	return newHost(t, class, host.Options{Terminals: terminals})
}
