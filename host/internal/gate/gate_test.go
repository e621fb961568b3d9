package gate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// open opens a gate and returns the program's end. stored receives what is
// written, opened our end. The error of a write is the one that refuse returns.
func open(t *testing.T, s *Set, read bool, refuse func(data string) error) (theirs *os.File, stored chan string, opened chan int, ended chan struct{}) {
	t.Helper()
	stored, opened, ended = make(chan string, 9), make(chan int, 1), make(chan struct{})
	fd, _, err := s.Open(File{
		PID: os.Getpid(), Read: read, Content: "content",
		Store:   func(data string) error { stored <- data; return refuse(data) },
		Refused: func(string, error) {},
		Opened:  func(fd int, stored string) { opened <- fd },
		Ended:   func() { close(ended) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "gate"), stored, opened, ended
}

// TestOpenGate checks that a gate is opened for a thread that waits in a call
// whose data cannot be read, and that all data comes out then.
func TestOpenGate(t *testing.T) {
	for _, read := range []bool{false, true} {
		s := NewSet()
		theirs, stored, opened, _ := open(t, s, read, func(string) error { return nil })
		wait := make(chan error)
		go func() { // it waits in poll(2)
			fds := []unix.PollFd{{Fd: int32(theirs.Fd()), Events: unix.POLLOUT}}
			if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
				wait <- err
			}
			close(wait)
		}()
		ours := <-opened
		if err := <-wait; err != nil {
			t.Error(err)
		}
		for _, data := range []string{"one", "two"} {
			if _, err := theirs.WriteString(data); err != nil {
				t.Error(err)
			}
			var buf [9]byte
			if n, err := unix.Read(ours, buf[:]); err != nil || string(buf[:n]) != data {
				t.Errorf("got %q, %v; want %q", buf[:max(n, 0)], err, data)
			}
		}
		theirs.Close()
		unix.Close(ours)
		if len(stored) > 0 {
			t.Errorf("%q was stored", <-stored)
		}
		s.Close()
	}
}

// writer returns a command that writes text. It is a shell that has a child do so:
// to wait for the writer itself would take away the stops of a traced thread.
func writer(text string, to *os.File) *exec.Cmd {
	cmd := exec.Command("sh", "-c", "(exec env printf "+text+") || exit 1")
	cmd.Stdout = to
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// TestSendfile checks that sendfile(2) is refused, and takes nothing of its input.
func TestSendfile(t *testing.T) {
	s := NewSet()
	defer s.Close()
	for _, read := range []bool{false, true} {
		theirs, stored, opened, ended := open(t, s, read, func(string) error { return nil })
		program := fmt.Sprintf(`$n = syscall(%d, fileno(STDOUT), fileno(STDIN), 0, 5); die "$n $!" if $n != -1 || $!+0 != %d; print <STDIN>`,
			unix.SYS_SENDFILE, unix.EINVAL)
		input := filepath.Join(t.TempDir(), "input")
		if err := os.WriteFile(input, []byte("words"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", `(exec perl -e "$0" < "$1") || exit 1`, program, input)
		cmd.Stdout, cmd.Stderr = theirs, os.Stderr
		if err := cmd.Run(); err != nil {
			t.Error(err)
		}
		theirs.Close()
		<-ended
		if len(opened) != 0 || len(stored) != 1 || <-stored != "words" {
			t.Errorf("the gate was opened, or other data stored")
		}
	}
}

// TestKilledWriter checks that a writer that is killed leaves the gate as it
// was.
func TestKilledWriter(t *testing.T) {
	s := NewSet()
	defer s.Close()
	entered, leave := make(chan struct{}), make(chan struct{})
	theirs, stored, _, ended := open(t, s, false, func(data string) error {
		if data == "first" {
			close(entered)
			<-leave
		}
		return unix.EBUSY
	})
	first := writer("first", theirs)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-entered
	if err := unix.Kill(-first.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	close(leave)
	if err := writer("second", theirs).Run(); err == nil {
		t.Error("the write after it succeeded; want an error")
	}
	theirs.Close()
	<-ended
	if a, b := <-stored, <-stored; a != "first" || b != "second" {
		t.Errorf("stored %q and %q", a, b)
	}
}
