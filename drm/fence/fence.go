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

// A Context is a line of work: the fences made on it are numbered, and are to
// be signalled in this order.
type Context struct {
	driver, timeline string
	id               uint64
	seqno            atomic.Uint64
}

// contextIDs counts the contexts of this process; 0 is that of the stubs.
var contextIDs atomic.Uint64

// NewContext returns a context without fences. driver and timeline name it for
// clients (struct sync_fence_info).
func NewContext(driver, timeline string) *Context {
	return &Context{driver: driver, timeline: timeline, id: contextIDs.Add(1)}
}

// New returns the next fence, not signalled.
func (c *Context) New() *Fence { return c.At(c.seqno.Add(1)) }

// At returns a fence with a number of the caller's choice, not signalled. Who
// uses it does not use New.
func (c *Context) At(seqno uint64) *Fence {
	return &Fence{driver: c.driver, timeline: c.timeline, context: c.id, seqno: seqno}
}

// A Fence is a piece of work that will be done at some time: struct dma_fence.
// All methods may be called concurrently.
//
// Invariant: signalled is for ever, and error and timestamp do not change any
// more. Why it holds: they are set together, with mu held, and only once. Of a
// composite fence they follow from its parts, so that it may be known to be
// signalled ahead of that: see Status.
type Fence struct {
	driver, timeline string
	context, seqno   uint64
	parts            []*Fence // of an array; see [Merge]
	link             *link    // of a chain; see [NewChain]

	mu       sync.Mutex
	armed    *watcher // of a composite fence, with a part; nil while nobody wants to know
	signaled bool
	err      error
	at       time.Duration
	watchers list.List // of watcher
	done     chan struct{}
}

// A watcher is who wants to know: a function, or a composite fence.
type watcher struct {
	call      func()
	whole, of *Fence        // a composite fence, and the part that it watches
	element   *list.Element // in the list of who is watched; guarded by its mu
}

// Now returns the time of CLOCK_MONOTONIC, which the timestamps of fences are
// of.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("fence: CLOCK_MONOTONIC: %v", err))
	}
	return time.Duration(ts.Nano())
}

// Stub returns a fence that is signalled already, now.
func Stub() *Fence { return stubAt(Now()) }

func stubAt(at time.Duration) *Fence {
	return &Fence{driver: "stub", timeline: "stub", signaled: true, at: at}
}

// Signal signals the fence as of now; err is why the work was not done, nil
// when it was. It reports whether the fence was not signalled before.
func (f *Fence) Signal(err error) bool { return f.SignalAt(Now(), err) }

// SignalAt is [Fence.Signal] for work that was done, or failed, at the given
// time of CLOCK_MONOTONIC.
func (f *Fence) SignalAt(at time.Duration, err error) bool {
	watchers, ok := f.finish(at, err)
	tell(watchers)
	return ok
}

// tell tells watchers that what they watched is signalled.
func tell(watchers []*watcher) {
	// A loop: a timeline may be a long chain of fences.
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

// finish signals the fence itself and returns who is to be told.
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

// watch adds w, unless the fence is signalled. Who watches a composite fence
// has it rearmed as well.
func (f *Fence) watch(w *watcher) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.signaled {
		return false
	}
	w.element = f.watchers.PushBack(w)
	return true
}

// unwatch takes w back, unless it is being told.
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

// wanted reports whether anybody wants to know of the signal. The caller holds
// mu.
func (f *Fence) wanted() bool { return f.watchers.Len() > 0 || f.done != nil }

// AddCallback has call called when the fence is signalled: before AddCallback
// returns, when it is already. remove makes it not be called, unless it is
// under way.
func (f *Fence) AddCallback(call func()) (remove func()) {
	w := &watcher{call: call}
	if !f.watch(w) {
		call()
		return func() {}
	}
	if f.composite() {
		tell(f.rearm())
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
		tell(f.rearm())
	}
	return done
}

// Wait waits until the fence is signalled, and returns nil whatever the result
// of the work is, or until the end of ctx, and returns its cause.
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

// Status returns whether the fence is signalled and, if so, since when and
// with which error.
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
	if !f.wanted() { // else who is about to tell signals it
		f.signaled, f.at, f.err = true, at, err
		if f.link != nil {
			f.link.prev = nil
		}
	}
	return true, at, err
}

// String names the fence as sync files do.
func (f *Fence) String() string {
	return fmt.Sprintf("%s-%s%d-%d", f.driver, f.timeline, f.context, f.seqno)
}

// status is what clients get: 1 for success, a negative errno for an error, 0
// when it is not signalled.
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
