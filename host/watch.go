package host

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// The kernel offers no event for a request that must end early. With
// WAIT_KILLABLE_RECV only a fatal signal reaches a thread that waits for an
// answer, and only polling shows it. So a watcher polls watchBatch requests
// each watchInterval: at most 400 a second, however many wait. With n of them
// each is polled about every n/watchBatch intervals.
const (
	watchInterval = 5 * time.Millisecond
	watchBatch    = 2
)

// A watcher ends the contexts of waiting requests when their threads are
// interrupted or killed. The zero value is ready. It has a goroutine while
// there are requests to watch.
type watcher struct {
	mu       sync.Mutex
	requests list.List // of *request, next one first
	running  bool
}

// add watches the request until it is removed.
func (w *watcher) add(r *request) *list.Element {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		w.running = true
		go w.watch()
	}
	return w.requests.PushBack(r)
}

func (w *watcher) remove(e *list.Element) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests.Remove(e)
}

func (w *watcher) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for range ticker.C {
		// Requests that end do not count: they are not polled again. So the
		// threads of a killed process need not wait for their turns.
		for live := 0; live < watchBatch; {
			r := w.next()
			if r == nil {
				break
			}
			if !r.interrupted() {
				live++
			} else {
				r.cancel(unix.EINTR)
			}
		}
		if w.stop() {
			return
		}
	}
}

// next returns the next request, or nil.
func (w *watcher) next() *request {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.requests.Front()
	if e == nil {
		return nil
	}
	w.requests.MoveToBack(e)
	return e.Value.(*request)
}

func (w *watcher) stop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = w.requests.Len() > 0
	return !w.running
}

// hungUp ends all requests that arrived at a listener: no process is left to
// take an answer.
func (w *watcher) hungUp(l *seccomp.Listener) {
	var over []*request
	w.mu.Lock()
	for e := w.requests.Front(); e != nil; e = e.Next() {
		if r := e.Value.(*request); r.listener == l {
			over = append(over, r)
		}
	}
	w.mu.Unlock()
	for _, r := range over {
		r.cancel(unix.EINTR)
	}
}
