package host

import (
	"testing"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/thread"
)

// TestWatchedInTurn has one process wait in a thousand threads. The requests of
// others, of the same process group and of another one, are polled as often as
// if it waited in one.
func TestWatchedInTurn(t *testing.T) {
	quota := drm.NewQuota(nil)
	crowd, other := quota.NewAccount(), quota.NewAccount()
	w := watcher{running: true} // no goroutine polls
	add := func(account *drm.Account, pid int) *request {
		// Above all ids of the kernel: the id of the thread stands for its process.
		r := &request{call: &call{account: account}, tid: thread.ID(pid)}
		r.watched = w.add(r)
		return r
	}
	const first = 1 << 23
	var many []*request
	for range 1000 {
		many = append(many, add(crowd, first))
	}
	neighbour, honest := add(crowd, first+1), add(other, first+2)
	polled := make(map[*request]int)
	for range 40 {
		polled[w.next()]++
	}
	if polled[honest] != 20 || polled[neighbour] != 10 {
		t.Errorf("of 40 polls, %d are of another group and %d of another process of the group, want 20 and 10", polled[honest], polled[neighbour])
	}
	for _, r := range append(many, neighbour, honest) {
		w.remove(r.watched)
	}
	if w.next() != nil || w.requests.len() != 0 {
		t.Error("requests are watched that have ended")
	}
}

// TestCloseEndsWatches closes a host right after the last request has ended. The
// goroutines that watched it have ended then.
func TestCloseEndsWatches(t *testing.T) {
	h, err := New(drm.NewClass(drm.ClassOptions{}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	account, stopped := drm.NewQuota(nil).NewAccount(), new(server)
	h.watcher.remove(h.watcher.add(&request{call: &call{account: account}, tid: 1 << 23}))
	h.turns.mu.Lock()
	h.turns.postponeLocked(h.turns.groupLocked(account), 1<<23, postponed{server: stopped})
	h.turns.mu.Unlock()
	h.turns.drop(stopped)
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if h.watcher.running || h.turns.watching {
		t.Errorf("goroutines go on: that of requests %v, that of turns %v", h.watcher.running, h.turns.watching)
	}
}
