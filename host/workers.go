package host

import (
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/udrm/udrm/host/internal/thread"
)

// maxWorkers bounds the workers of all servers in the process, each of which is
// a thread. Requests that wait hold none (park.go), so few are busy at a time.
// There are more than the calls that are served at a time (maxServed), so that
// one is left to receive calls of groups that are below their share.
const maxWorkers = maxServed + 64

// With a reserve (see [Options].ReserveThreads), all workers have threads that were
// made before: first a few, and the others when those do not suffice and process IDs
// are plenty. Until then a process group has half of the workers at most.
const (
	fewWorkers   = 16
	roomInterval = 100 * time.Millisecond
)

// spareThreads returns how many threads everything else needs. Beside one for each
// processor of the Go scheduler, 20 were seen.
func spareThreads() int { return runtime.GOMAXPROCS(0) + 36 }

// A workerLimit bounds the workers of all servers together. A server always
// gets its first worker: without one its program could not even start. At the
// limit no further worker starts, and calls wait in the kernel. A worker that
// ends makes room for one of a server that was refused, so no server depends on
// its own workers alone.
//
// Each further server raises the limit by its idle workers. They do not end
// before their server has a call, so with many servers they would leave no room
// for the others.
type workerLimit struct {
	warned   sync.Once
	reserve  sync.Once
	reserved <-chan struct{}
	share    atomic.Int64 // of one process group; 0: no limit but the quota

	mu      sync.Mutex
	max     int
	full    int // what max becomes when there are more threads
	growing bool
	count   int
	servers int
	refused map[*server]struct{} // had no idle worker when they asked
}

// processWorkers is global because threads are a resource of the process.
var processWorkers = newWorkerLimit(maxWorkers)

func newWorkerLimit(limit int) *workerLimit {
	return &workerLimit{max: limit, full: limit, refused: make(map[*server]struct{})}
}

// reserveThreads makes the first threads soon, unless they were made before. Programs
// may start when the channel is closed.
func (l *workerLimit) reserveThreads() <-chan struct{} {
	l.reserve.Do(func() {
		l.reserved = thread.Soon(func(room int) {
			thread.Reserve(min(fewWorkers+spareThreads(), room/2))
			l.mu.Lock()
			defer l.mu.Unlock()
			l.max = min(l.max, fewWorkers)
			l.share.Store(fewWorkers / 2)
		})
	})
	return l.reserved
}

// allows reports whether a process group may have one call served more than n. If
// not, it may later.
func (l *workerLimit) allows(n int) bool {
	share := l.share.Load()
	if share == 0 || int64(n) < share {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.growLocked()
	return false
}

// growLocked begins to make the threads of all workers.
func (l *workerLimit) growLocked() {
	if l.max < l.full && !l.growing {
		l.growing = true
		go l.grow()
	}
}

// grow makes the threads of all workers. It tries again as long as process IDs are
// scarce and a server waits for a worker.
func (l *workerLimit) grow() {
	n := l.full + spareThreads()
	room := thread.Room() >= 2*n
	if room {
		thread.Reserve(n) // more by those that work
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.growing = false
	if room {
		l.max = l.full
		l.share.Store(0)
		l.startRefusedLocked()
	} else {
		l.growing = true
		time.AfterFunc(roomInterval, l.retry)
	}
}

// retry lets grow run again if it is wanted still.
func (l *workerLimit) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.growing = false
	if len(l.refused) > 0 {
		l.growLocked()
	}
}

// hasRoomLocked reports whether a further worker may start.
func (l *workerLimit) hasRoomLocked() bool {
	return l.count < l.max+maxIdle*max(l.servers-1, 0)
}

// startFirst starts the first worker of a server.
func (l *workerLimit) startFirst(s *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.servers++
	l.count++
	s.startWorker()
}

// start starts another worker of a server, now or when there is room.
func (l *workerLimit) start(s *server) {
	if !l.tryStart(s) {
		l.warned.Do(func() { l.warn(s.host.log) })
	}
}

func (l *workerLimit) warn(log *slog.Logger) {
	log.Debug("host: worker limit reached; further calls wait for a worker", "workers", l.full)
}

func (l *workerLimit) tryStart(s *server) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.stopping.Load() {
		return true
	}
	if !l.hasRoomLocked() {
		l.refused[s] = struct{}{}
		l.growLocked()
		return false
	}
	l.count++
	s.startWorker()
	return true
}

// ended notes that a worker has ended.
func (l *workerLimit) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count--
	l.startRefusedLocked()
}

// startRefusedLocked starts workers of servers that were refused, as far as there is
// room.
func (l *workerLimit) startRefusedLocked() {
	for s := range l.refused {
		if !l.hasRoomLocked() {
			return
		}
		delete(l.refused, s)
		if s.idle.Load() == 0 || s.host.turns.count.Load() > 0 { // otherwise it asks again
			l.count++
			s.startWorker()
		}
	}
}

// stop prevents new workers of a server.
func (l *workerLimit) stop(s *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.servers--
	s.stopping.Store(true)
	delete(l.refused, s)
}
