package host

// SetMaxWorkers makes these hosts share a limit of their own. No program may
// have been started.
func SetMaxWorkers(limit int, hosts ...*Host) {
	l := newWorkerLimit(limit)
	for _, h := range hosts {
		h.workers = l
	}
}

// Watched returns the number of watched requests.
func (h *Host) Watched() int {
	h.watcher.mu.Lock()
	defer h.watcher.mu.Unlock()
	return h.watcher.requests.Len()
}
