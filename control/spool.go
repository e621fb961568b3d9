package control

import (
	"fmt"
	"sync"
)

// maxSpool is how many bytes of a trace can wait for a slow client.
const maxSpool = 64 << 20

// A spool holds what is written until it is taken. Write never waits.
type spool struct {
	mu      sync.Mutex
	changed *sync.Cond
	data    []byte
	ended   bool
	err     error // the data did not fit
}

func newSpool() *spool {
	s := new(spool)
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Write adds data. After the first error it keeps nothing.
func (s *spool) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.changed.Broadcast()
	if s.err == nil && len(s.data)+len(data) > maxSpool {
		s.data, s.err = nil, fmt.Errorf("the client has not read %d bytes", maxSpool)
	}
	if s.err != nil {
		return 0, s.err
	}
	s.data = append(s.data, data...)
	return len(data), nil
}

// end says that no more will be written.
func (s *spool) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changed.Broadcast()
}

// take waits for data and returns it: nil at the end.
func (s *spool) take() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.data) == 0 && !s.ended && s.err == nil {
		s.changed.Wait()
	}
	data := s.data
	s.data = nil
	return data, s.err
}
