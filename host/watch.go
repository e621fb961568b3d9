package host

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/seccomp"
)

// The kernel offers no event for a request that must end early. With
// WAIT_KILLABLE_RECV only a fatal signal reaches a thread that waits for an
// answer, and only polling shows it. So a watcher polls watchBatch requests
// each watchInterval: at most 400 a second, however many wait. Process groups take
// turns, and so do the processes of a group and the requests of a process. So a
// process whose requests are many delays only itself.
const (
	watchInterval = 5 * time.Millisecond
	watchBatch    = 2
)

// A watcher ends the contexts of waiting requests when their threads are
// interrupted or killed. The zero value is ready. It has a goroutine while
// there are requests to watch.
type watcher struct {
	mu       sync.Mutex
	requests rotation[*drm.Account, processes]
	count    int // of requests
	running  bool
	ended    sync.WaitGroup // of the goroutine
}

// processes are the watched requests of a process group, by process.
type processes = rotation[int, list.List] // of *request, next one first

// A watched says where the watcher keeps a request.
type watched struct {
	account *drm.Account
	pid     int
	element *list.Element
}

// add watches the request until it is removed.
func (w *watcher) add(r *request) *watched {
	pid := processOf(r.tid)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		w.running = true
		w.ended.Go(w.watch)
	}
	w.count++
	account := r.call.account
	return &watched{account, pid, w.requests.at(account).at(pid).PushBack(r)}
}

func (w *watcher) remove(at *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	group := w.requests.at(at.account)
	requests := group.at(at.pid)
	requests.Remove(at.element)
	w.count--
	if requests.Len() == 0 {
		group.remove(at.pid)
	}
	if group.len() == 0 {
		w.requests.remove(at.account)
	}
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
	if w.count == 0 {
		return nil
	}
	account, group := w.requests.front()
	pid, requests := group.front()
	e := requests.Front()
	requests.MoveToBack(e)
	group.rotate(pid)
	w.requests.rotate(account)
	return e.Value.(*request)
}

func (w *watcher) stop() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = w.count > 0
	return !w.running
}

// hungUp ends all requests that arrived at a listener: no process is left to
// take an answer.
func (w *watcher) hungUp(l *seccomp.Listener) {
	var over []*request
	w.mu.Lock()
	for _, group := range w.requests.all {
		for _, requests := range group.all {
			for e := requests.Front(); e != nil; e = e.Next() {
				if r := e.Value.(*request); r.listener == l {
					over = append(over, r)
				}
			}
		}
	}
	w.mu.Unlock()
	for _, r := range over {
		r.cancel(unix.EINTR)
	}
}
