package thread

import (
	"runtime"
	"sync"
	"time"
)

// Reserve makes the Go runtime have n threads with nothing to do. It keeps them for
// goroutines that need a thread, for good.
//
// The runtime makes a thread whenever a goroutine needs one and none is left, and
// ends the whole process if the kernel has no process ID for it. A program under
// supervision can use up the process IDs of its user, its cgroup or the machine. So a
// process that must go on then makes its threads before.
func Reserve(n int) {
	var used sync.WaitGroup
	release := make(chan struct{})
	for range n { // one after another, so that few goroutines are ready at a time
		held := make(chan struct{})
		used.Go(func() {
			runtime.LockOSThread()
			close(held)
			<-release // the thread stays with this goroutine
			runtime.UnlockOSThread()
		})
		<-held
	}
	close(release)
	used.Wait()
}

// Reserving many threads takes longer than the start of a small program. So if it
// takes a program long enough to use up the process IDs, Soon waits this long first.
const (
	soon   = 50 * time.Millisecond
	scarce = 1024
)

// Soon calls reserve, with how many threads the kernel would make (see [Room]), and
// returns a channel that is closed when nothing depends on it any more: after the
// call if process IDs are scarce, and at once if they are not.
func Soon(reserve func(room int)) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		if room := Room(); room < scarce {
			reserve(room)
			close(done)
			return
		}
		close(done)
		time.Sleep(soon)
		reserve(Room())
	}()
	return done
}

// Scarce reports whether process IDs are so scarce that [Soon] calls reserve at once.
func Scarce() bool { return Room() < scarce }

// ReserveFew is Reserve, soon, for a helper process, which does little at a time.
func ReserveFew() {
	const threads = 6
	runtime.GOMAXPROCS(2) // each takes a thread, for the garbage collector too
	<-Soon(func(room int) { Reserve(min(threads, room/2)) })
}
