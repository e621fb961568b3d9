package fence

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A Context is a queue of work. Its fences are numbered in the order of their
// creation, and must be signalled in that order.
type Context struct {
	driver, timeline string
	id               uint64
	seqno            atomic.Uint64
}

// contextIDs holds the last context number; stubs have number 0. It is global,
// as in the kernel (dma_fence_context_alloc): fences of all devices meet in
// [Merge], which compares their contexts.
var contextIDs atomic.Uint64

// NewContext returns a context without fences. Clients see the names driver
// and timeline (struct sync_fence_info).
func NewContext(driver, timeline string) *Context {
	return &Context{driver: driver, timeline: timeline, id: contextIDs.Add(1)}
}

// New returns the next fence of the context. It is not signalled.
func (c *Context) New() *Fence { return c.At(c.seqno.Add(1)) }

// At returns a fence with the number seqno. It is not signalled. At and New
// must not be used on the same context.
func (c *Context) At(seqno uint64) *Fence {
	return &Fence{driver: c.driver, timeline: c.timeline, context: c.id, seqno: seqno}
}

// A Fence represents work that completes at some time: struct dma_fence. All
// methods may be called concurrently.
//
// Invariant: a signalled fence stays signalled, and its error and timestamp do
// not change. Why it holds: all three are set together, once, with mu held. For
// a composite fence they follow from its parts, so Status may report them
// before they are set.
type Fence struct {
	driver, timeline string
	context, seqno   uint64
	parts            []*Fence // of an array; see [Merge]
	link             *link    // of a chain; see [NewChain]

	mu       sync.Mutex
	armed    *watcher // of a composite fence: its watcher of a part; nil unless wanted
	signaled bool
	err      error
	at       time.Duration
	watchers list.List // of *watcher
	done     chan struct{}
}

// A watcher is notified when a fence is signalled. It is either a function or
// a composite fence that watches a part.
type watcher struct {
	call      func()
	whole, of *Fence        // a composite fence, and the part that it watches
	element   *list.Element // in the watched fence's list; guarded by that fence's mu
}

// Now returns the time of CLOCK_MONOTONIC, the clock of all fence timestamps.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("fence: CLOCK_MONOTONIC: %v", err))
	}
	return time.Duration(ts.Nano())
}

// Stub returns a fence that is already signalled, with the current time.
func Stub() *Fence { return stubAt(Now()) }

func stubAt(at time.Duration) *Fence {
	return &Fence{driver: "stub", timeline: "stub", signaled: true, at: at}
}

// Signal signals the fence with the current time. err says why the work
// failed; nil means success. Signal does nothing and returns false if the fence
// is signalled already.
func (f *Fence) Signal(err error) bool { return f.SignalAt(Now(), err) }

// SignalAt is like [Fence.Signal], for work that completed or failed at the
// given time of CLOCK_MONOTONIC.
func (f *Fence) SignalAt(at time.Duration, err error) bool {
	watchers, ok := f.finish(at, err)
	notify(watchers)
	return ok
}

// notify tells watchers that the fence they watch is signalled.
func notify(watchers []*watcher) {
	// This is a loop, not a recursion: a timeline may be a long chain.
	for len(watchers) > 0 {
		w := watchers[0]
		watchers = watchers[1:]
		if w.whole == nil {
			w.call()
			continue
		}
		watchers = append(watchers, w.whole.partSignaled(w)...)
	}
}

// finish marks the fence as signalled and returns the watchers to notify.
func (f *Fence) finish(at time.Duration, err error) (watchers []*watcher, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signaled {
		return nil, false
	}
	f.signaled, f.at, f.err = true, at, err
	if f.link != nil {
		f.link.prev = nil
	}
	for e := f.watchers.Front(); e != nil; e = e.Next() {
		w := e.Value.(*watcher)
		w.element = nil
		watchers = append(watchers, w)
	}
	f.watchers.Init()
	if f.done != nil {
		close(f.done)
	}
	return watchers, true
}

// watch adds w, or returns false if the fence is signalled. For a composite
// fence, the caller must call rearm afterwards.
func (f *Fence) watch(w *watcher) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signaled {
		return false
	}
	w.element = f.watchers.PushBack(w)
	return true
}

// unwatch removes w, unless it is being notified.
func (f *Fence) unwatch(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.element != nil {
		f.watchers.Remove(w.element)
		w.element = nil
	}
	if f.armed != nil && !f.wanted() {
		f.armed.of.unwatch(f.armed)
		f.armed = nil
	}
}

// wanted reports whether the fence is watched. The caller must hold mu.
func (f *Fence) wanted() bool { return f.watchers.Len() > 0 || f.done != nil }

// AddCallback arranges for call to run when the fence is signalled. If it is
// signalled already, call runs before AddCallback returns. remove cancels the
// callback, unless it is about to run or running.
func (f *Fence) AddCallback(call func()) (remove func()) {
	w := &watcher{call: call}
	if !f.watch(w) {
		call()
		return func() {}
	}
	if f.composite() {
		notify(f.rearm())
	}
	return func() { f.unwatch(w) }
}

// Done returns a channel that is closed when the fence is signalled.
func (f *Fence) Done() <-chan struct{} {
	f.mu.Lock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.signaled {
			close(f.done)
		}
	}
	done := f.done
	f.mu.Unlock()
	if f.composite() {
		notify(f.rearm())
	}
	return done
}

// Wait waits until the fence is signalled and returns nil, whatever the result
// of the work. If ctx ends first, Wait returns its cause.
func (f *Fence) Wait(ctx context.Context) error {
	done := make(chan struct{})
	defer f.AddCallback(func() { close(done) })()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Signaled reports whether the fence is signalled.
func (f *Fence) Signaled() bool {
	signaled, _, _ := f.Status()
	return signaled
}

// Status reports whether the fence is signalled and, if so, when and with
// which error.
func (f *Fence) Status() (signaled bool, at time.Duration, err error) {
	f.mu.Lock()
	signaled, at, err = f.signaled, f.at, f.err
	f.mu.Unlock()
	if signaled || !f.composite() || f.firstPending() != nil {
		return signaled, at, err
	}
	at, err = f.result()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signaled {
		return true, f.at, f.err
	}
	if !f.wanted() { // otherwise rearm, which notifies the watchers, signals it
		f.signaled, f.at, f.err = true, at, err
		if f.link != nil {
			f.link.prev = nil
		}
	}
	return true, at, err
}

// String returns the name of the fence in the form that sync files use.
func (f *Fence) String() string {
	return fmt.Sprintf("%s-%s%d-%d", f.driver, f.timeline, f.context, f.seqno)
}

// status returns the status that clients see: 1 for success, a negative errno
// for an error, 0 while the fence is pending.
func (f *Fence) status() (status int32, at time.Duration) {
	signaled, at, err := f.Status()
	switch {
	case !signaled:
		return 0, 0
	case err != nil:
		return -int32(drm.Errno(err)), at
	}
	return 1, at
}
