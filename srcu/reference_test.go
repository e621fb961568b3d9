package srcu

import (
	"context"
	"sync"
)

// domain is what the tests use of a Domain. The reference is one too.
type domain interface {
	Open()
	Enter() (exiter, bool)
	Synchronize(context.Context) error
	Close()
	Drain(context.Context) error
	Closed() bool
	Sections() int
}

type exiter interface{ Exit() }

// real makes a Domain a domain.
type real struct{ *Domain }

func (r real) Enter() (exiter, bool) { return r.Domain.Enter() }

// reference is a domain that is slow and obviously correct: one mutex, and a
// set of the sections that are open.
type reference struct {
	mu      sync.Mutex
	changed *sync.Cond
	shut    bool
	closed  bool
	open    map[*refSection]bool
}

type refSection struct{ r *reference }

func newReference() *reference {
	r := &reference{shut: true, open: map[*refSection]bool{}}
	r.changed = sync.NewCond(&r.mu)
	return r
}

func (r *reference) Open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = false
}

func (r *reference) Enter() (exiter, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut || r.closed {
		return nil, false
	}
	s := &refSection{r}
	r.open[s] = true
	return s, true
}

func (s *refSection) Exit() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if !s.r.open[s] {
		panic("not open")
	}
	delete(s.r.open, s)
	s.r.changed.Broadcast()
}

// wait waits until none of the sections that are open now is open any more.
func (r *reference) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	var now []*refSection
	for s := range r.open {
		now = append(now, s)
	}
	for {
		ended := true
		for _, s := range now {
			ended = ended && !r.open[s]
		}
		if ended {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.changed.Wait()
	}
}

func (r *reference) Synchronize(ctx context.Context) error { return r.wait(ctx) }

func (r *reference) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

func (r *reference) Drain(ctx context.Context) error {
	if !r.Closed() {
		return errNotClosed
	}
	return r.wait(ctx)
}

func (r *reference) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

func (r *reference) Sections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}
