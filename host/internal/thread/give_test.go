package thread

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestGive stops a thread in another call than it is in. It must lose what it was
// given, and go on in its call.
func TestGive(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	id, _ := sleeper(t, null)
	b, ok := id.Blocked()
	if !ok {
		t.Fatal("it does not sleep")
	}
	result := make(chan error)
	Go(func() {
		var all unix.Sigset_t
		for i := range all.Val {
			all.Val[i] = ^uint64(0)
		}
		_ = unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil)
		x, err := id.Trace()
		if err == nil {
			x.Give(0)
			x.Give(1)
			err = x.Stop(unix.SYS_MMAP, b.IP, func(unix.Errno) error { return nil })
		}
		result <- err
	})
	if err := <-result; !errors.Is(err, ErrMoved) {
		t.Errorf("stopping it: %v, want %v", err, ErrMoved)
	}
	for fd := range 3 {
		_, err := id.FD(fd, make([]byte, 100))
		if given := fd < 2; given == (err == nil) {
			t.Errorf("descriptor %d: %v", fd, err)
		}
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		again, ok := id.Blocked()
		if ok && again.SP == b.SP && again.IP == b.IP {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("it sleeps in %+v (%v), before in %+v", again, ok, b)
		}
	}
	if mask := parseMask([]byte(id.Status()["SigBlk"])); mask != 0 {
		t.Errorf("it blocks signals %#x", mask)
	}
}
