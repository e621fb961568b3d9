package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f in a new goroutine on an OS thread of its own, which ends with f.
// It is not the main thread: that one does not end, and the children of the
// process are its.
func Go(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // still locked: the thread ends
		}
		found := make(chan struct{})
		go func() { // cannot get the main thread while we hold it
			runtime.LockOSThread()
			close(found)
			f()
		}()
		<-found
		runtime.UnlockOSThread()
	}()
}
