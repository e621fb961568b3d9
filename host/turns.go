package host

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

// Turns decide which calls are served at once. Calls of one process group beyond
// its share are postponed until another one of the group is answered. So a group
// takes neither all workers nor all processors of the Go scheduler, and calls of
// other groups are served at once. The processes of a group take turns, and one
// process has maxOwnServed of them: one with thousands of threads delays the others
// by one call each time.
//
// A call that blocks does not count against the share, because the call that
// would end the wait may be one of the same group, for example that of a FUSE
// file system. The quota of threads bounds calls that block.
type turns struct {
	host  *Host
	share int // calls of a group that are served at a time and do not block

	count atomic.Int32 // postponed calls

	mu       sync.Mutex
	groups   map[*drm.Account]*group
	unused   *group   // of groups: kept for its next call, which may have begun
	waiting  []*group // those with postponed calls, next one first
	watching bool
	ended    sync.WaitGroup // of watch
}

// A group is a process group with calls that are served or postponed.
type group struct {
	account *drm.Account
	serving map[*worker]*turn
	blocked int                        // of serving
	queue   rotation[int, []postponed] // by process
}

// A turn is a call that is served.
type turn struct {
	group   *group // nil when the call is answered
	tid     thread.ID
	pid     int  // of the process; 0: not looked up yet
	asleep  bool // when watch looked last
	blocked bool
}

// A postponed is a call that waits for its turn.
type postponed struct {
	server *server
	n      seccomp.Notification
	tries  int // see call.tries
}

func newTurns(h *Host) *turns {
	// More would not be served faster, and the Go scheduler would make calls of
	// other groups wait.
	return &turns{host: h, share: max(2, runtime.NumCPU()), groups: make(map[*drm.Account]*group)}
}

// begin reports whether the worker is to serve the call now. Otherwise the call
// is postponed.
func (t *turns) begin(w *worker, account *drm.Account, n *seccomp.Notification) bool {
	if t.tryBegin(w, account, n) {
		return true
	}
	pid := processOf(thread.ID(n.PID))
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groupLocked(account)
	if g.queue.len() == 0 && t.admitLocked(g, w, n, pid) {
		return true
	}
	t.postponeLocked(g, pid, postponed{w.server, *n, 0})
	return false
}

// again postpones a call that was begun and is to be served anew.
func (t *turns) again(account *drm.Account, p postponed) {
	pid := processOf(thread.ID(p.n.PID))
	t.mu.Lock()
	t.postponeLocked(t.groupLocked(account), pid, p)
	t.mu.Unlock()
	t.resume()
}

func (t *turns) postponeLocked(g *group, pid int, p postponed) {
	if p.server.stopping.Load() {
		return // no thread waits for an answer
	}
	p.server.wg.Add(1) // keeps the listener open
	t.count.Add(1)
	if g.queue.len() == 0 {
		t.waiting = append(t.waiting, g)
	}
	queue := g.queue.at(pid)
	*queue = append(*queue, p)
	if !t.watching {
		t.watching = true
		t.ended.Go(t.watch)
	}
}

// tryBegin begins a turn if the group has no postponed calls and is far below its
// share.
func (t *turns) tryBegin(w *worker, account *drm.Account, n *seccomp.Notification) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groupLocked(account)
	return g.queue.len() == 0 && len(g.serving) < maxOwnServed && t.admitLocked(g, w, n, 0)
}

func (t *turns) groupLocked(account *drm.Account) *group {
	g := t.groups[account]
	if g == nil {
		g = &group{account: account, serving: make(map[*worker]*turn)}
		t.groups[account] = g
	}
	return g
}

// admitLocked begins a turn for a call of a process, if that may have one.
func (t *turns) admitLocked(g *group, w *worker, n *seccomp.Notification, pid int) bool {
	if !t.mayServe(g, pid) || g.account.Charge(drm.Threads, 1, unix.EAGAIN) != nil {
		return false
	}
	w.turn = &turn{group: g, tid: thread.ID(n.PID), pid: pid}
	g.serving[w] = w.turn
	return true
}

// mayServe reports whether a further call of a process may be served, if the quota
// allows it.
func (t *turns) mayServe(g *group, pid int) bool {
	if !t.hasShare(g) {
		return false
	}
	if len(g.serving) < maxOwnServed {
		return true
	}
	own := 0
	for _, turn := range g.serving {
		if turn.pid == 0 {
			turn.pid = processOf(turn.tid)
		}
		if turn.pid == pid {
			own++
		}
	}
	return own < maxOwnServed
}

// hasShare reports whether a further call of a group may be served, if its process
// and the quota allow it.
func (t *turns) hasShare(g *group) bool {
	return len(g.serving)-g.blocked < t.share && t.host.workers.allows(len(g.serving))
}

// nextOf returns the process of a group whose postponed call is to be served next,
// if the quota allows it. It passes over processes that have maxOwnServed calls, of
// which there are few.
func (t *turns) nextOf(g *group) (pid int, queue *[]postponed) {
	if !t.hasShare(g) {
		return 0, nil
	}
	for pid, queue := range g.queue.all {
		if t.mayServe(g, pid) {
			return pid, queue
		}
	}
	return 0, nil
}

// end ends the turn of a worker.
func (t *turns) end(w *worker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := w.turn.group
	delete(g.serving, w)
	if w.turn.blocked {
		g.blocked--
	}
	w.turn.group, w.turn = nil, nil
	g.account.Refund(drm.Threads, 1)
	if g.unused() && t.unused != g {
		if t.unused != nil && t.unused.unused() {
			t.forgetLocked(t.unused)
		}
		t.unused = g
	}
}

// unused reports whether a group has no calls.
func (g *group) unused() bool { return len(g.serving) == 0 && g.queue.len() == 0 }

func (t *turns) forgetLocked(g *group) {
	delete(t.groups, g.account)
	if t.unused == g {
		t.unused = nil
	}
}

// next begins the turn of a postponed call of the worker's server and returns
// the call. It reports false if none can be served now. Groups take turns.
func (t *turns) next(w *worker) (p postponed, ok bool) {
	if t.count.Load() == 0 {
		return p, false
	}
	if p, ok = t.nextOwn(w); !ok {
		t.resume() // of other servers
	}
	return p, ok
}

func (t *turns) nextOwn(w *worker) (p postponed, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, g := range t.waiting {
		pid, queue := t.nextOf(g)
		if queue == nil || (*queue)[0].server != w.server || !t.admitLocked(g, w, &(*queue)[0].n, pid) {
			continue
		}
		p, *queue = (*queue)[0], (*queue)[1:]
		if g.queue.rotate(pid); len(*queue) == 0 {
			g.queue.remove(pid)
		}
		t.count.Add(-1)
		t.waiting = slices.Delete(t.waiting, i, i+1)
		if g.queue.len() > 0 {
			t.waiting = append(t.waiting, g)
		}
		return p, true
	}
	return p, false
}

// resume starts a worker if a postponed call can be served.
func (t *turns) resume() {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	var s *server
	for _, g := range t.waiting {
		if _, queue := t.nextOf(g); queue != nil && g.account.Charge(drm.Threads, 1, unix.EAGAIN) == nil {
			g.account.Refund(drm.Threads, 1)
			s = (*queue)[0].server
			break
		}
	}
	t.mu.Unlock()
	if s != nil {
		t.host.workers.start(s)
	}
}

// drop forgets the postponed calls of a server that stops.
func (t *turns) drop(s *server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, g := range t.waiting {
		for pid, queue := range g.queue.all {
			*queue = slices.DeleteFunc(*queue, func(p postponed) bool {
				if p.server == s {
					t.count.Add(-1)
					s.wg.Done()
				}
				return p.server == s
			})
			if len(*queue) == 0 {
				g.queue.remove(pid)
			}
		}
		if g.unused() {
			t.forgetLocked(g)
		}
	}
	t.waiting = slices.DeleteFunc(t.waiting, func(g *group) bool { return g.queue.len() == 0 })
}

// A call counts as blocked when its worker sleeps at two looks in a row. Of the
// calls that count, some are looked at again each time.
const (
	lookInterval = 10 * time.Millisecond
	lookAgain    = 16
)

// watch looks for calls that block, as long as calls are postponed.
func (t *turns) watch() {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for range ticker.C {
		t.mu.Lock()
		if t.watching = len(t.waiting) > 0; !t.watching {
			t.mu.Unlock()
			return
		}
		look := make(map[*turn]int) // thread ids
		for _, g := range t.waiting {
			again := lookAgain
			for w, turn := range g.serving { // in random order
				if turn.blocked {
					again--
				}
				if !turn.blocked || again >= 0 {
					look[turn] = int(w.tid.Load())
				}
			}
		}
		t.mu.Unlock()
		for turn, tid := range look {
			t.note(turn, asleep(thread.ID(tid)))
		}
		t.resume()
	}
}

// note notes whether the worker of a turn sleeps.
func (t *turns) note(turn *turn, asleep bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn.group == nil {
		return
	}
	blocked := asleep && turn.asleep
	switch turn.asleep = asleep; {
	case blocked == turn.blocked:
	case blocked:
		turn.group.blocked++
	default:
		turn.group.blocked--
	}
	turn.blocked = blocked
}

// asleep reports whether a thread waits in the kernel.
func asleep(tid thread.ID) bool {
	state := tid.Status()["State"]
	return state != "" && state[0] != 'R'
}
