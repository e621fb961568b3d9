package thread

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReserve checks that the runtime has the threads, and uses them for goroutines
// that hold one each. The last ones may not be free yet.
func TestReserve(t *testing.T) {
	const n = 40
	Reserve(n)
	before := threads(t)
	release := make(chan struct{})
	done := make(chan struct{})
	for range n / 2 {
		held := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(held)
			<-release
			runtime.UnlockOSThread()
			done <- struct{}{}
		}()
		<-held
	}
	if after := threads(t); before < n || after >= before+n/2 {
		t.Errorf("%d threads, then %d", before, after)
	}
	close(release)
	for range n / 2 {
		<-done
	}
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// TestBorrow checks that a borrowed thread lives on with the signal mask that it had,
// and that a thread of Go, or one that has lost rights, ends.
func TestBorrow(t *testing.T) {
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	for _, tc := range []struct {
		name  string
		run   func(func())
		spoil bool
		lives bool
	}{
		{"Borrow", Borrow, false, true},
		{"Borrow, spoiled", Borrow, true, false},
		{"Go", Go, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before unix.Sigset_t
			tids := make(chan int)
			tc.run(func() {
				_ = unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before)
				if tc.spoil {
					spoiled.Store(ID(unix.Gettid()), struct{}{})
				}
				tids <- unix.Gettid()
			})
			tid := <-tids
			own := ID(os.Getpid())
			for {
				status := ID(tid).Status()
				ended := status == nil || status["Tgid"] != own.Status()["Tgid"]
				restored := !ended && parseMask([]byte(status["SigBlk"])) == before.Val[0]
				if ended && !tc.lives || restored && tc.lives {
					return
				}
				if ended {
					t.Fatal("the thread has ended")
				}
				runtime.Gosched()
			}
		})
	}
}

// TestRoom checks that a limit of this process's user counts.
func TestRoom(t *testing.T) {
	if Room() == 0 {
		t.Error("no room")
	}
	if n := threadsOfUser(os.Getuid()); n < threads(t) {
		t.Errorf("the user has %d threads, fewer than this process", n)
	}
	if n := threadsOfAll(); n < threads(t) {
		t.Errorf("the machine has %d threads, fewer than this process", n)
	}
}
