package host

import (
	"errors"
	"slices"
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
	n, _ := v.host.tree.Load().Lookup(path)
	if n == nil || !isNode(n) {
		return false
	}
	b, ok := thread.ID(tid).Blocked()
	return ok && v.opening(thread.ID(tid), path, b)
}

// Attributes returns the status of the file at path, for which the kernel asks in a
// call of the thread tid. EINTR is not seen by the thread: see [VirtualFiles.Opening].
//
// In a file system of devices, the kernel asks this to check permissions, too, before
// it opens a device. A node is no device of the machine, which may have one of that
// number, so a thread that can be about to open it gets EACCES.
func (v *VirtualFiles) Attributes(tid int, path string) (unix.Statx_t, error) {
	n, _ := v.host.tree.Load().Lookup(path)
	if n != nil && path != debugfsRoot && inDebugfs(path) {
		if b, ok := thread.ID(tid).Blocked(); ok && asksPath(b) {
			if err := v.host.mayEnterDebugfs(thread.ID(tid)); err != nil {
				return unix.Statx_t{}, err
			}
		}
	}
	if n == nil || !isNode(n) || v.Announces(tid) {
		return v.Stat(path)
	}
	b, ok := thread.ID(tid).Blocked()
	if !ok {
		return unix.Statx_t{}, unix.EACCES
	}
	if v.opening(thread.ID(tid), path, b) {
		return unix.Statx_t{}, unix.EINTR
	}
	nr := b.NR
	if like := compatHandlers[uint32(b.MadeNR)]; b.Compat && like != nil {
		nr = int(like.like)
	}
	if !leavesClosed(nr) {
		return unix.Statx_t{}, unix.EACCES
	}
	st, err := v.Stat(path)
	if !asksStatus(nr) {
		st.Mode |= 0o666 // every program may open nodes
	}
	return st, err
}

// opening does what Opening does for a node and the call in which the thread sleeps.
func (v *VirtualFiles) opening(t thread.ID, path string, b thread.Blocked) bool {
	h := v.host
	if !isOpen(b.NR, b.Args) || isOpening(b.NR, b.Args) { // a second time: the kernel decides
		return false
	}
	stopped := make(chan bool)
	v.openings.traced <- struct{}{}
	thread.Borrow(func() {
		defer func() { <-v.openings.traced }()
		if err := v.openAgain(t, path, b, stopped); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, thread.ErrMoved) {
			h.log.Debug("host: a node is opened by its path alone", "path", path, "tid", t, "err", err)
		}
	})
	return <-stopped
}

// isOpen reports whether a call opens a file, rather than naming it with O_PATH. The
// flags of openat2 are in memory, so it is handed over again in any case.
func isOpen(nr int, args [6]uint64) bool {
	flags, ok := openFlags(nr, args)
	return ok && flags&unix.O_PATH == 0 || nr == unix.SYS_OPENAT2
}

// asksStatus reports whether a call only asks for the status of a file.
func asksStatus(nr int) bool {
	return nr == unix.SYS_FSTAT || nr == unix.SYS_NEWFSTATAT || nr == unix.SYS_STATX || slices.Contains(oldStats, nr)
}

// asksPath reports whether a call asks for the status of a file by its path.
func asksPath(b thread.Blocked) bool {
	switch b.NR {
	case unix.SYS_NEWFSTATAT:
		return b.Args[3]&unix.AT_EMPTY_PATH == 0
	case unix.SYS_STATX:
		return b.Args[2]&unix.AT_EMPTY_PATH == 0
	}
	return slices.Contains(oldStats, b.NR)
}

// leavesClosed reports whether a call is one on a path, or on a descriptor, that
// opens no file.
func leavesClosed(nr int) bool {
	_, onPath := pathRules[uint32(nr)]
	_, ownPath := ownPathRules[uint32(nr)]
	_, opens := openFlags(nr, [6]uint64{})
	switch {
	case opens, nr == unix.SYS_OPENAT2:
		return false
	case nr == unix.SYS_FSTAT, nr == unix.SYS_FANOTIFY_MARK:
		return true
	}
	return onPath || ownPath
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
