package host

// SetMaxWorkers bounds the workers of these hosts together, in place of those
// of the whole process. No program may have been started.
func SetMaxWorkers(limit int, hosts ...*Host) {
	l := newWorkerLimit(limit)
	for _, h := range hosts {
		h.workers = l
	}
}

// Watched returns how many requests are watched.
func (h *Host) Watched() int {
	h.watcher.mu.Lock()
	defer h.watcher.mu.Unlock()
	return h.watcher.requests.Len()
}
