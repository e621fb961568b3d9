package drm

import "sync"

// IDs are small numbers, from 1, that devices of a class share. They may be used
// concurrently.
type IDs struct {
	mu   sync.Mutex
	used map[int]bool
}

// IDs returns the numbers of that name. Each name has numbers of its own.
func (c *Class) IDs(name string) *IDs {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids == nil {
		c.ids = make(map[string]*IDs)
	}
	if c.ids[name] == nil {
		c.ids[name] = &IDs{used: make(map[int]bool)}
	}
	return c.ids[name]
}

// Get takes the lowest free number.
func (s *IDs) Get() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := 1
	for s.used[id] {
		id++
	}
	s.used[id] = true
	return id
}

// Put frees a number.
func (s *IDs) Put(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, id)
}
