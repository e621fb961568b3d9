package gem_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// Only this process opens the pts of a dma-buf. Without a descriptor, even root
// and its owner cannot.
func TestTerminalIsLocked(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	o := lookup(t, m, c, dumb.Handle)
	defer o.Put()
	path := fmt.Sprintf("/dev/pts/%d", unix.Minor(statOf(t, fd).Rdev))
	if err := unix.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	locked := func(when string) {
		t.Helper()
		for _, path := range []string{fmt.Sprintf("/proc/self/fd/%d", fd), path} {
			if got, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != unix.EIO {
				unix.Close(got)
				t.Errorf("%s: opening %s: %v, want EIO", when, path, err)
			}
		}
	}
	locked("exported")
	if err := drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}); err != nil {
		t.Fatal(err)
	}
	f := fence.NewContext("test", "test").New()
	if err := o.Reserve(f, true); err != nil {
		t.Fatal(err)
	}
	isPolled(t, "written", fd, false, false)
	locked("without handles")
	f.Signal(nil)
	isPolled(t, "idle", fd, true, true)
}

// A client that may hang up terminals spoils its own descriptor, and nothing
// else.
func TestHangUpByClient(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	o := lookup(t, m, c, dumb.Handle)
	if err := unix.IoctlSetInt(int(fd), unix.TIOCVHANGUP, 0); err != nil && err != unix.EPERM { // without CAP_SYS_ADMIN
		t.Fatal(err)
	}
	f := fence.NewContext("test", "test").New()
	if err := o.Reserve(f, true); err != nil {
		t.Fatal(err)
	}
	f.Signal(nil)
	o.Put()
	c.File.Close()
	if n := m.Objects(); n != 1 {
		t.Errorf("%d buffers while there is a descriptor", n)
	}
	if err := unix.Dup2(int(terminal(t)), int(fd)); err != nil {
		t.Fatal(err)
	}
	if n := m.Objects(); n != 0 || gem.DMABufs() != 0 {
		t.Errorf("%d buffers and %d dma-bufs are left", n, gem.DMABufs())
	}
}
