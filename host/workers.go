package host

import (
	"log/slog"
	"sync"
)

// maxWorkers bounds the workers of all servers in the process, each of which is
// a thread. Requests that wait hold none (park.go), so few are busy at a time.
// There are more than the calls that are served at a time (maxServed), so that
// one is left to receive calls of groups that are below their share.
const maxWorkers = maxServed + 64

// A workerLimit bounds the workers of all servers together. A server always
// gets its first worker: without one its program could not even start. At the
// limit no further worker starts, and calls wait in the kernel. A worker that
// ends makes room for one of a server that was refused, so no server depends on
// its own workers alone.
type workerLimit struct {
	max    int
	warned sync.Once

	mu      sync.Mutex
	count   int
	refused map[*server]struct{} // had no idle worker when they asked
}

// processWorkers is global because threads are a resource of the process.
var processWorkers = newWorkerLimit(maxWorkers)

func newWorkerLimit(limit int) *workerLimit {
	return &workerLimit{max: limit, refused: make(map[*server]struct{})}
}

// startFirst starts the first worker of a server.
func (l *workerLimit) startFirst(s *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
	log.Debug("host: worker limit reached; further calls wait for a worker", "workers", l.max)
}

func (l *workerLimit) tryStart(s *server) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.stopping.Load() {
		return true
	}
	if l.count >= l.max {
		l.refused[s] = struct{}{}
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
	for s := range l.refused {
		if l.count >= l.max {
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
	s.stopping.Store(true)
	delete(l.refused, s)
}
