package thread

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Go runs f in a new goroutine on an OS thread of its own, which ends with f: f may
// change the thread for good. It is never the main thread, which cannot end and for
// which children of the process are waited.
func Go(f func()) {
	onThread(func() (keep bool) {
		f()
		return false
	})
}

// Borrow is Go for an f that changes the signal mask of the thread and nothing else.
// The thread goes back to the Go runtime. Use it for what programs can cause at will:
// in place of a thread that ends the runtime needs a new one, and programs can use up
// the process IDs (see [Reserve]).
func Borrow(f func()) {
	onThread(func() (keep bool) {
		var mask unix.Sigset_t
		err := unix.PthreadSigmask(unix.SIG_SETMASK, nil, &mask)
		f()
		_, isSpoiled := spoiled.LoadAndDelete(ID(unix.Gettid()))
		return err == nil && !isSpoiled && !hasTracees() && unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil) == nil
	})
}

// spoiled has the threads that could not take their credentials back.
var spoiled sync.Map // ID → struct{}

// onThread runs f in a new goroutine on an OS thread other than the main one. The
// thread ends unless f returns true.
func onThread(f func() (keep bool)) {
	run := func() {
		if f() {
			runtime.UnlockOSThread()
		}
	}
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			run()
			return
		}
		found := make(chan struct{})
		go func() { // cannot run on the main thread, which is locked
			runtime.LockOSThread()
			close(found)
			run()
		}()
		<-found
		runtime.UnlockOSThread()
	}()
}
