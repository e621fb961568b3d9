package host

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// Most memory of a program is present when a request copies it. A page may have
// to be fetched first, from a disk, or from the program itself: userfaultfd, or
// a file of a FUSE file system. The kernel then waits, for ever if the program
// wants it so, and cannot be interrupted. So copies of memory that a program may
// withhold are made by goroutines that the request does not wait for when its
// context ends. Of such memory the kernel has few kinds (thread.ID.NeverWithheld),
// so programs that have none never compete with others for these goroutines.
//
// A program that removes a page between the look and the copy makes the worker of
// that one call wait, which keeps its turn. Inside a guard that would hold up an
// unplug. There even a look may wait, for the lock of the program's memory. So a
// handler does neither: see copyAside.

// slowCopies limits the copies that wait, and with them the threads, by the
// quota. The zero value is ready.
type slowCopies struct {
	uncharged atomic.Int32 // see maxUncharged

	mu    sync.Mutex
	ended chan struct{} // closed when a copy ends; nil if none is awaited
}

// begin waits until a further copy may wait, or until ctx ends.
func (s *slowCopies) begin(ctx context.Context, account *drm.Account) error {
	for again := s.tryBegin(account); again != nil; again = s.tryBegin(account) {
		select {
		case <-again:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// tryBegin begins a copy that may wait, or returns a channel that is closed when it
// is worth to try again.
func (s *slowCopies) tryBegin(account *drm.Account) (again <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account.Charge(drm.Copies, 1, unix.EFAULT) == nil {
		return nil
	}
	if s.ended == nil {
		s.ended = make(chan struct{})
	}
	return s.ended
}

func (s *slowCopies) end(account *drm.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account.Refund(drm.Copies, 1)
	if s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
}

// atOnce is how long a slow copy may take before the request counts as one that
// waits.
const atOnce = 20 * time.Millisecond

// copySlowly runs copy, which may wait for the program, until ctx ends. It may
// still run then, so copy must use neither c nor memory of its caller.
func (c *call) copySlowly(ctx context.Context, copy func() error) error {
	c.worker.mayWait()
	slow, account := &c.host.slow, c.account
	if err := slow.begin(ctx, account); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer slow.end(account)
		done <- copy()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(atOnce):
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fresh is how long what was found out about a thread is worth a guess: which of its
// memory is present, and who it is charged to.
const fresh = time.Millisecond

// isFresh reports whether the call was received no longer than fresh ago.
func (c *call) isFresh() bool { return time.Since(c.received) < fresh }

// waits reports whether the thread still waits for the answer, so that its id is
// not that of another one. The kernel gives ids out in turn, but when few are free
// it gives the id of a killed thread to the next one.
func (c *call) waits() bool { return c.listener.Valid(c.n.ID) }

// present is [thread.FDs.Present]. Most requests write to where they have read, and
// the arrays of a request are often near to each other, so it remembers some pages.
func (c *call) present(addr, n uint64, write bool) bool {
	last := addr + max(n, 1) - 1
	if last >= addr && c.isFresh() {
		for _, m := range c.memory {
			if m.from <= addr && last < m.to {
				return true
			}
		}
	}
	if c.fds.Present(c.tid(), addr, n, true) {
		copy(c.memory[1:], c.memory[:])
		c.memory[0] = span{addr - addr%pageSize, last - last%pageSize + pageSize}
		return true
	}
	return !write && c.fds.Present(c.tid(), addr, n, false)
}

// A span is memory of the program.
type span struct{ from, to uint64 }

// readFrom copies memory of the program to p, until ctx ends.
func (c *call) readFrom(ctx context.Context, p []byte, addr uint64) error {
	if c.comesAtOnce(addr, uint64(len(p)), false) {
		return c.tid().Read(p, addr)
	}
	late, tid := make([]byte, len(p)), c.tid()
	err := c.copySlowly(ctx, func() error { return tid.Read(late, addr) })
	if err == nil {
		copy(p, late)
	}
	return err
}

// writeTo copies p to memory of the program, if that still waits, until ctx
// ends.
func (c *call) writeTo(ctx context.Context, addr uint64, p []byte) error {
	l, id, tid := c.listener, c.n.ID, c.tid()
	if !c.waits() {
		return unix.EFAULT // the thread id may belong to another process now
	}
	if c.comesAtOnce(addr, uint64(len(p)), true) {
		return tid.Write(addr, p)
	}
	late := slices.Clone(p)
	return c.copySlowly(ctx, func() error {
		if !l.Valid(id) {
			return unix.EFAULT
		}
		return tid.Write(addr, late)
	})
}

// staying returns a context for a call that keeps its worker when it waits. It
// must be ended.
func (c *call) staying() *request {
	r := c.request()
	r.stays = true
	return r
}

// comesAtOnce reports whether a copy of n bytes at addr waits for no program.
func (c *call) comesAtOnce(addr, n uint64, write bool) bool {
	return c.present(addr, n, write) || c.tid().NeverWithheld(addr, n, &c.host.faults)
}

// needs gives the handler up unless n bytes at addr can be copied at once: see later.
func (c *call) needs(addr, n uint64, write bool) {
	if n == 0 || c.comesAtOnce(addr, n, write) {
		return
	}
	l, id, tid := c.listener, c.n.ID, c.tid()
	panic(later{written: write, copy: func() error {
		same := make([]byte, n)
		err := tid.Read(same, addr)
		switch {
		case !write:
			return err
		case err != nil:
			return memoryError(err)
		case !l.Valid(id):
			return unix.EFAULT
		}
		return memoryError(tid.Write(addr, same))
	}})
}

// readMemory copies memory of the program to p. It may give the handler up.
func (c *call) readMemory(p []byte, addr uint64) error {
	c.needs(addr, uint64(len(p)), false)
	return c.tid().Read(p, addr)
}

// write copies p to memory of the program, if that still waits. It may give the
// handler up.
func (c *call) write(addr uint64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if !c.waits() {
		return unix.EFAULT // the thread id may belong to another process now
	}
	c.needs(addr, uint64(len(p)), true)
	return memoryError(c.tid().Write(addr, p))
}

// shortString is how much of the memory behind a string is looked at first.
const shortString = 256

// readString reads the string at addr into c.pathBuf. It may give the handler up.
func (c *call) readString(addr uint64) ([]byte, error) {
	for done, n := uint64(0), uint64(shortString); done < unix.PathMax; n = pageSize {
		// As far as the end of a page: nothing may be behind it.
		n = min(n, pageSize-(addr+done)%pageSize, unix.PathMax-done)
		if !c.comesAtOnce(addr+done, n, false) {
			tid := c.tid()
			panic(later{copy: func() error {
				_, err := tid.ReadString(make([]byte, unix.PathMax), addr)
				return err
			}})
		}
		part := c.pathBuf[done : done+n]
		if err := c.tid().Read(part, addr+done); err != nil {
			return nil, err
		}
		if i := bytes.IndexByte(part, 0); i >= 0 {
			return c.pathBuf[:done+uint64(i)], nil
		}
		done += n
	}
	return nil, unix.ENAMETOOLONG
}

// CopyFromUser implements drm.Memory.
func (r *request) CopyFromUser(dst []byte, addr uint64) error {
	err := r.call.readFrom(r, dst, addr)
	if err == nil && !r.call.waits() {
		err = unix.ESRCH
	}
	return requestMemoryError(r, err)
}

// CopyFromUserContext implements drm.ContextMemory.
func (r *request) CopyFromUserContext(ctx context.Context, dst []byte, addr uint64) error {
	err := r.readAside(ctx, dst, addr)
	if err == nil && !r.call.waits() {
		err = unix.ESRCH
	}
	return requestMemoryError(ctx, err)
}

// CopyToUser implements drm.Memory.
func (r *request) CopyToUser(addr uint64, src []byte) error {
	return requestMemoryError(r, r.call.writeTo(r, addr, src))
}

// CopyToUserContext implements drm.ContextMemory.
func (r *request) CopyToUserContext(ctx context.Context, addr uint64, src []byte) error {
	return requestMemoryError(ctx, r.writeAside(ctx, addr, src))
}

// FetchFromUser implements drm.ContextMemory.
func (r *request) FetchFromUser(dst []byte, addr uint64) bool {
	c := r.call
	return c.present(addr, uint64(len(dst)), false) && c.tid().Read(dst, addr) == nil && c.waits()
}

// DeliverToUser implements drm.ContextMemory.
func (r *request) DeliverToUser(ctx context.Context, addr uint64, src []byte) error {
	return requestMemoryError(ctx, r.call.writeTo(ctx, addr, src))
}

// requestMemoryError returns the error of a copy: the cause if ctx ended it.
func requestMemoryError(ctx context.Context, err error) error {
	if err != nil && err == context.Cause(ctx) {
		return err
	}
	return memoryError(err)
}
