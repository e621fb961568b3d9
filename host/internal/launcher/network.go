package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/confine"
	"github.com/udrm/udrm/host/internal/udev"
)

// networkVariable tells a launcher's command that it is to serve a network
// namespace.
const networkVariable = "UDRM_NETWORK"

// startNetwork starts a process in new user and network namespaces, and returns
// its socket: see [udev.NewMonitors]. The process ends with the socket.
func startNetwork() (int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socketpair: %w", err)
	}
	stdin := os.NewFile(uintptr(fds[1]), "network")
	defer stdin.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), networkVariable+"=1")
	cmd.Dir = "/"
	cmd.Stdin = stdin
	// Without a user of the new namespace, only ambient capabilities outlive the
	// exec. This process cannot give it one: it is undumpable.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN}, Setpgid: true,
	}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("starting a process in a network namespace: %w", err)
	}
	go func() { _ = cmd.Wait() }()
	return fds[0], nil
}

// serveNetwork answers a request for such a process.
func serveNetwork(socket int) error {
	fd, err := startNetwork()
	if err != nil {
		return send(socket, newReply(err))
	}
	defer unix.Close(fd)
	return send(socket, reply{}, fd)
}

// runNetwork is that process.
func runNetwork() error {
	_ = os.WriteFile("/proc/self/comm", []byte("uevents"), 0)
	if err := confine.Hide(); err != nil {
		return err
	}
	return udev.ServeNamespace(0)
}

// StartNetwork has the launcher start such a process.
func (l *Launcher) StartNetwork() (socket int, err error) {
	fds, err := l.ask(request{Network: true}, new(reply))
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}
