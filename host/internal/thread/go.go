package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Go runs f in a new goroutine on an OS thread of its own, which ends with f.
// It is never the main thread, which cannot end and for which children of the
// process are waited.
func Go(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // still locked: the thread ends
		}
		found := make(chan struct{})
		go func() { // cannot run on the main thread, which is locked
			runtime.LockOSThread()
			close(found)
			f()
		}()
		<-found
		runtime.UnlockOSThread()
	}()
}
