package host

import "time"

// SetBurstTime is how long calls may take that count as a burst. No program may
// have been started.
func (h *Host) SetBurstTime(d time.Duration) { h.burstTime = d }

// Resting reports whether a worker rests that serves the program.
func (p *Process) Resting() bool { return p.server.rest.taken.Load() }

// SetMaxWorkers makes these hosts share a limit of their own. No program may
// have been started.
func SetMaxWorkers(limit int, hosts ...*Host) {
	l := newWorkerLimit(limit)
	for _, h := range hosts {
		h.workers = l
	}
}

// Idle returns how many workers serve the program, and how many of them are counted
// as idle.
func (p *Process) Idle() (workers, idle int) {
	s := p.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.workers), int(s.idle.Load())
}

// Watched returns the number of watched requests.
func (h *Host) Watched() int {
	h.watcher.mu.Lock()
	defer h.watcher.mu.Unlock()
	return h.watcher.count
}

// Served returns the number of calls that are served, and of those that wait for
// their turn.
func (h *Host) Served() (serving, postponed int) {
	h.turns.mu.Lock()
	defer h.turns.mu.Unlock()
	for _, g := range h.turns.groups {
		serving += len(g.serving)
		for _, queue := range g.queue.all {
			postponed += len(*queue)
		}
	}
	return serving, postponed
}
