package host

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// Opening tells that the thread tid looks for the file at path, before the
// kernel has the answer. If the thread is about to open it, and the file is one
// that only this process can open, such as a node, Opening makes the thread make
// the call again, so that it is handed over. The result is true then: the answer
// must be EINTR, which the thread does not see.
func (v *VirtualFiles) Opening(tid int, path string) bool {
	h := v.host
	n, _ := h.tree.Load().Lookup(path)
	if n == nil || !isNode(n) {
		return false
	}
	t := thread.ID(tid)
	b, ok := t.Blocked()
	if !ok || !isOpen(b.NR, b.Args) || isOpening(b.NR, b.Args) { // a second time: the kernel decides
		return false
	}
	stopped := make(chan bool)
	v.openings.traced <- struct{}{}
	thread.Borrow(func() {
		defer func() { <-v.openings.traced }()
		if err := v.openAgain(t, path, b, stopped); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, thread.ErrMoved) {
			h.log.Debug("host: a node is opened by its path alone", "path", path, "tid", tid, "err", err)
		}
	})
	return <-stopped
}

// isOpen reports whether a call opens a file, rather than naming it with O_PATH.
func isOpen(nr int, args [6]uint64) bool {
	flags, ok := openFlags(nr, args)
	return ok && flags&unix.O_PATH == 0
}

// openAgain stops the thread in its open, and makes it open again. It sends
// whether the answer to the file system must be EINTR.
func (v *VirtualFiles) openAgain(t thread.ID, path string, b thread.Blocked, stopped chan<- bool) error {
	if err := blockSignals(nil); err != nil {
		stopped <- false
		return err
	}
	x, err := t.Trace()
	relayed := errors.Is(err, unix.EPERM)
	if relayed {
		x, err = t.TraceRelayed()
	}
	if err != nil {
		v.host.deny(DenialTrace, uint32(t), err)
		stopped <- false
		return err
	}
	sent := false
	release := func(unix.Errno) error {
		sent = true
		stopped <- true
		return nil
	}
	err = x.StopEnding(b.NR, b.IP, release)
	if !sent {
		stopped <- false
	}
	if err != nil {
		return err
	}
	v.openings.note(t, path)
	args := openingArgs(b.NR, b.Args)
	if !relayed {
		return x.RestartAs(b.NR, args)
	}
	// The debugger sees one call, with the arguments of the program.
	result, err := x.Syscall(b.NR, args)
	if err != nil {
		return err
	}
	return x.Return(result)
}

// openings are the threads that were seen to open a node, and its path. The zero
// value is ready.
type openings struct {
	mu     sync.Mutex
	byTID  map[thread.ID]string
	traced chan struct{} // has room for maxTraced
}

// maxTraced bounds the threads of this process that trace one.
const maxTraced = 16

// maxNoted bounds the threads that are noted: those that were killed stay.
const maxNoted = 1 << 14

func (o *openings) note(t thread.ID, path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byTID == nil || len(o.byTID) >= maxNoted {
		o.byTID = make(map[thread.ID]string)
	}
	o.byTID[t] = path
}

// take returns the path of the node that the thread was seen to open, once.
func (o *openings) take(t thread.ID) (path string, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	path, ok = o.byTID[t]
	delete(o.byTID, t)
	return path, ok
}
