package udev

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// namespaceVariable makes the test binary the process of a processNamespace.
const namespaceVariable = "UDRM_TEST_NAMESPACE"

func TestMain(m *testing.M) {
	if os.Getenv(namespaceVariable) != "" {
		if ServeNamespace(0) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// transports returns each transport: a thread in a namespace wants CAP_SYS_ADMIN.
func transports(t *testing.T) map[string]transport {
	t.Helper()
	n, err := newThreadNetlink()
	if err != nil {
		t.Fatalf("this test needs CAP_SYS_ADMIN, to make a network namespace: %v", err)
	}
	return map[string]transport{
		"netlink": n, "substitute": newSubstitute(),
		"process": &late{start: func() (int, error) { return startNamespace(t) }, log: slog.New(slog.DiscardHandler)},
	}
}

// startNamespace starts a process in a network namespace and returns its socket.
func startNamespace(t *testing.T) (int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	stdin := os.NewFile(uintptr(fds[1]), "namespace")
	defer stdin.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), namespaceVariable+"=1")
	cmd.Stdin = stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN}}
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process in the namespace: %v", err)
		}
	})
	return fds[0], nil
}

// TestWithoutNetAdmin checks that a namespace in which this process may send no events
// as udevd is not used: containers such as those of systemd-nspawn have CAP_SYS_ADMIN
// and no CAP_NET_ADMIN.
func TestWithoutNetAdmin(t *testing.T) {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the capabilities are those of the thread
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
		if err == nil {
			err = unix.Capset(&header, &data[0])
		}
		if err != nil {
			result <- err
			return
		}
		n, err := newThreadNetlink()
		if err == nil {
			n.Close()
		}
		result <- err
	}()
	if err := <-result; !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("a namespace without CAP_NET_ADMIN: %v, want EPERM that names it", err)
	}
}

// TestProcessNamespace checks that the sockets of a process in a namespace are
// netlink's, in a table of their own, and what happens without the process.
func TestProcessNamespace(t *testing.T) {
	socket, err := startNamespace(t)
	if err != nil {
		t.Fatalf("a process in a user namespace: %v", err)
	}
	n, err := newProcessNetlink(socket)
	if err != nil {
		t.Fatal(err)
	}
	s := listen(t, n, groupKernel)
	defer unix.Close(s)
	if protocol, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || protocol != unix.NETLINK_KOBJECT_UEVENT {
		t.Errorf("the protocol is %d, %v", protocol, err)
	}
	if table := n.Table(); strings.Count(table, "\n") != 1 {
		t.Errorf("the table of one socket:\n%s", table)
	}
	if _, err := n.Open(nil, 1<<30); err != unix.EINVAL {
		t.Errorf("a socket of no type: %v, want EINVAL", err)
	}
	n.Close()
	if _, err := n.Open(nil, unix.SOCK_RAW); err != unix.ENOBUFS {
		t.Errorf("a socket after the end: %v, want ENOBUFS", err)
	}

	// A process that answers nonsense, and one that ends.
	for _, answer := range [][]byte{{1}, {0, 0, 0, 0}, nil} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if answer != nil {
			if err := unix.Send(fds[1], answer, 0); err != nil {
				t.Fatal(err)
			}
		} else {
			_ = unix.Close(fds[1])
		}
		if _, err := newProcessNetlink(fds[0]); err == nil {
			t.Errorf("the answer %v is taken for a socket", answer)
		}
		if answer != nil {
			_ = unix.Close(fds[1])
		}
	}
}

// listen returns the socket of a program that listens to the groups.
func listen(t *testing.T, tr transport, groups uint32) int {
	t.Helper()
	s, err := tr.Open(nil, unix.SOCK_RAW|unix.SOCK_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(s, &st); err != nil {
		t.Fatal(err)
	}
	if !tr.Bind(st.Ino, groups) {
		err = unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// receive returns the next message of an event of /devices/x. Events of the machine
// come, too, such as those of mounts.
func receive(t *testing.T, s int) []byte {
	t.Helper()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(s), Events: unix.POLLIN}}, -1)
		if err == unix.EINTR { // of a signal by which the runtime preempts
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 8192)
		n, err := unix.Read(s, buf)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(buf[:n], []byte("DEVPATH=/devices/x\x00")) {
			return buf[:n]
		}
	}
}

// TestOrder checks that every listener hears all events of its groups in the
// order in which they were sent, the kernel's message before udevd's.
func TestOrder(t *testing.T) {
	for name, tr := range transports(t) {
		t.Run(name, func(t *testing.T) {
			defer tr.Close()
			kernel, udevd, both := listen(t, tr, groupKernel), listen(t, tr, groupUdev), listen(t, tr, groupKernel|groupUdev)
			var last uint64
			for i := range 20 {
				if err := tr.Send(&Event{Action: "change", DevPath: "/devices/x", Subsystem: "drm", Env: []string{"MINOR=0"}}); err != nil {
					t.Fatal(err)
				}
				first := receive(t, both)
				if !bytes.HasPrefix(first, []byte("change@/devices/x\x00ACTION=change\x00")) {
					t.Fatalf("event %d: first message %q", i, first)
				}
				seqnum, ok := seqnumOf(first)
				if !ok || seqnum <= last {
					t.Fatalf("event %d: sequence number %d, after %d: %q", i, seqnum, last, first)
				}
				last = seqnum
				if second := receive(t, both); !bytes.HasPrefix(second, []byte("libudev\x00")) || !bytes.Contains(second, []byte(seqnumField(seqnum)+"\x00")) {
					t.Fatalf("event %d: second message %q", i, second)
				}
				if got := receive(t, kernel); !bytes.Equal(got, first) {
					t.Fatalf("event %d: the kernel's group hears %q", i, got)
				}
				if got := receive(t, udevd); !bytes.HasPrefix(got, []byte("libudev\x00")) {
					t.Fatalf("event %d: udevd's group hears %q", i, got)
				}
			}
			for _, s := range []int{kernel, udevd, both} {
				_ = unix.Close(s)
			}
		})
	}
}

// TestKernelFirst checks that a program with a socket for each group finds the
// message of the kernel when it finds that of udevd.
func TestKernelFirst(t *testing.T) {
	for name, tr := range transports(t) {
		t.Run(name, func(t *testing.T) {
			defer tr.Close()
			kernel, udevd := listen(t, tr, groupKernel), listen(t, tr, groupUdev)
			defer unix.Close(kernel)
			defer unix.Close(udevd)
			for i := range 200 {
				sent := make(chan error, 1)
				go func() { sent <- tr.Send(&Event{Action: "change", DevPath: "/devices/x", Subsystem: "drm"}) }()
				receive(t, udevd)
				if _, err := unix.Read(kernel, make([]byte, 8192)); err != nil {
					t.Fatalf("event %d: udevd's message is there, but not the kernel's: %v", i, err)
				}
				if err := <-sent; err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestUnread sends more events than a listener holds that does not read. The
// sender does not wait for it, and other listeners lose nothing.
func TestUnread(t *testing.T) {
	for name, tr := range transports(t) {
		t.Run(name, func(t *testing.T) {
			defer tr.Close()
			idle, busy := listen(t, tr, groupKernel), listen(t, tr, groupKernel)
			for i := range 5000 {
				err := tr.Send(&Event{Action: "change", DevPath: "/devices/x", Subsystem: "drm"})
				if err != nil && !errors.Is(err, unix.ENOBUFS) {
					t.Fatal(err)
				}
				if got := receive(t, busy); !bytes.HasPrefix(got, []byte("change@")) {
					t.Fatalf("event %d: %q", i, got)
				}
			}
			_, _ = unix.Close(idle), unix.Close(busy)
		})
	}
}

// TestMachineEvents sends an event after so many of the machine that the host lost
// some, and one more. Listeners hear both.
func TestMachineEvents(t *testing.T) {
	n, err := newThreadNetlink()
	if err != nil {
		t.Fatalf("this test needs CAP_SYS_ADMIN, to make a network namespace: %v", err)
	}
	defer n.Close()
	machine, err := n.Open(nil, unix.SOCK_RAW)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(machine)
	event := append([]byte("add@/devices/of-the-machine\x00"), make([]byte, 1000)...)
	for range 1000 { // the socket of the host holds some 200 KiB
		if err := unix.Sendto(machine, event, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groupKernel}); err != nil {
			t.Fatal(err)
		}
	}
	kernel, udevd := listen(t, n, groupKernel), listen(t, n, groupUdev)
	defer unix.Close(kernel)
	defer unix.Close(udevd)
	var last uint64
	for range 2 {
		if err := n.Send(&Event{Action: "change", DevPath: "/devices/x", Subsystem: "drm"}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, kernel); !bytes.HasPrefix(got, []byte("change@/devices/x\x00")) {
			t.Errorf("the kernel's group hears %q", got)
		}
		got := receive(t, udevd)
		seqnum, ok := seqnumOf(got)
		if !bytes.HasPrefix(got, []byte("libudev\x00")) || !ok || seqnum <= last {
			t.Errorf("udevd's group hears %q, after number %d", got, last)
		}
		last = seqnum
	}
}

// TestSubstituteQuota opens sockets until the quota refuses one. A client that closes
// its sockets may open as many again.
func TestSubstituteQuota(t *testing.T) {
	s := newSubstitute()
	defer s.Close()
	account := drm.NewQuota(map[drm.Resource]int64{drm.Descriptors: 12}).NewAccount()
	for range 2 {
		var open []int
		for {
			fd, err := s.Open(account, unix.SOCK_RAW)
			if err != nil {
				if !errors.Is(err, unix.EMFILE) {
					t.Error(err)
				}
				break
			}
			open = append(open, fd)
		}
		if len(open) != 8 { // two thirds
			t.Errorf("%d sockets are open, want 8", len(open))
		}
		for _, fd := range open {
			_ = unix.Close(fd)
		}
		s.wg.Wait() // each monitor ends by itself
	}
}

// TestClosed checks that a substitute forgets the sockets that programs have
// closed.
func TestClosed(t *testing.T) {
	s := newSubstitute()
	for range 100 {
		_ = unix.Close(listen(t, s, groupKernel))
	}
	s.wg.Wait() // each monitor ends by itself
	if n := len(s.monitors); n != 0 {
		t.Errorf("%d monitors are left", n)
	}
	s.Close()
}
