package socket

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestConnLimit has the processes of one process group connect, each a few times,
// and then one of another group.
func TestConnLimit(t *testing.T) {
	start := func(group int) int {
		cmd := exec.Command("sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	first := start(0)
	pids := []int{first, start(first), start(first), start(first)}
	var limit connLimit
	var ended []func()
	for i := range MaxGroupConns {
		end, err := limit.add(pids[i%len(pids)])
		if err != nil {
			t.Fatalf("connection %d of the group: %v", i, err)
		}
		ended = append(ended, end)
	}
	for _, pid := range pids {
		if _, err := limit.add(pid); err == nil {
			t.Error("a process group has more connections than it may")
		}
	}
	if _, err := limit.add(os.Getpid()); err != nil {
		t.Errorf("another group: %v", err)
	}
	ended[0]()
	if _, err := limit.add(pids[1]); err != nil {
		t.Errorf("after a connection has ended: %v", err)
	}
}
