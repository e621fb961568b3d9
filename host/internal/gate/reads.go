package gate

import (
	"errors"
	"sync"
	"time"

	"github.com/udrm/udrm/host/internal/thread"
)

// A program can withhold the memory that a gate reads (userfaultfd, a file of a
// FUSE file system): the kernel then waits, and cannot be interrupted. So each
// read is made by a goroutine of its own, which the gate does not wait for
// longer than patience. The goroutines hold threads meanwhile, and the Go
// runtime ends a process with 10,000 threads. So their number is bounded.
const (
	patience    = time.Second
	maxReads    = 64 // of all gates
	maxOwnReads = 8  // from the memory of one process
)

// errWithheld reports that memory of a program could not be read in time.
var errWithheld = errors.New("gate: the program withholds its memory")

// reads are the reads in progress. The zero value is ready.
type reads struct {
	mu        sync.Mutex
	all       int
	byProcess map[int]int
	ended     chan struct{} // closed when a read ends; nil if none is awaited
}

// begin begins a read, or returns a channel that is closed when it is worth to try
// again.
func (r *reads) begin(pid int) (again <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all >= maxReads || r.byProcess[pid] >= maxOwnReads {
		if r.ended == nil {
			r.ended = make(chan struct{})
		}
		return r.ended
	}
	if r.byProcess == nil {
		r.byProcess = make(map[int]int)
	}
	r.all++
	r.byProcess[pid]++
	return nil
}

func (r *reads) end(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.byProcess[pid]--; r.byProcess[pid] == 0 {
		delete(r.byProcess, pid)
	}
	if r.ended != nil {
		close(r.ended)
		r.ended = nil
	}
}

// read returns what read reads from the memory of a thread. errWithheld when that
// takes long.
func (s *Set) read(id thread.ID, read func() ([]byte, error)) ([]byte, error) {
	pid, err := id.Process()
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for again := s.reads.begin(pid); again != nil; again = s.reads.begin(pid) {
		select {
		case <-again:
		case <-limit.C:
			return nil, errWithheld
		case <-s.closed:
			return nil, errWithheld
		}
	}
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer s.reads.end(pid)
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-limit.C:
	case <-s.closed:
	}
	return nil, errWithheld
}
