package child

import (
	"os"
	"os/exec"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoSignalOfStops checks that a child that stops sends no SIGCHLD, which the
// adopter would look into, and that one that ends does.
func TestNoSignalOfStops(t *testing.T) {
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGWINCH)
	defer signal.Stop(signals)
	cmd := exec.Command("sleep", "1000")
	if err := Start(func() (int, error) {
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	}); err != nil {
		t.Fatal(err)
	}
	defer Forget(cmd.Process.Pid)
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the child has not stopped: status %#x, %v", status, err)
	}
	if err := unix.Kill(os.Getpid(), unix.SIGWINCH); err != nil { // which comes after a SIGCHLD
		t.Fatal(err)
	}
	if s := <-signals; s != unix.SIGWINCH {
		t.Errorf("a stop sends %v", s)
		<-signals
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-signals
	_ = cmd.Wait()
}
