package host

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// The kernel offers nothing to wait for when a request that waits is to end
// early: with WAIT_KILLABLE_RECV only a fatal signal reaches a thread that
// waits for us, and it is seen only by asking. So a watcher asks, for
// watchBatch requests each watchInterval: 400 times a second at most, however
// many wait. With n of them each is asked about every n/watchBatch intervals.
const (
	watchInterval = 5 * time.Millisecond
	watchBatch    = 2
)

// A watcher ends the contexts of requests that wait when their threads are
// interrupted or killed. The zero value is ready. It has a goroutine while
// there is something to watch.
type watcher struct {
	mu       sync.Mutex
	requests list.List // of *request: that whose turn is next first
	running  bool
}

// add has the request watched until it is removed.
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
		// Those that end are not counted: they are asked about no more. So the
		// threads of a process that was killed do not wait for their turns.
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

// next returns the request whose turn it is, nil when there is none.
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

// hungUp ends all requests that arrived at a listener: nobody is left who
// could take an answer.
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
