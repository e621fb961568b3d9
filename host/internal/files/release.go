package files

import (
	"slices"
	"time"

	"github.com/udrm/udrm/drm"
)

// The release of a file begins when the file is closed and has no requests in
// progress. It takes long for a file with very many objects, and when the last
// flip of the file is not shown yet. So no lock is held meanwhile. A call waits
// for it
//
//   - without limit for the files of its own process, as close(2) does in the
//     kernel;
//   - without limit for that of the master of a card, before it becomes the
//     master itself, and for that of a stream, before it opens one;
//   - for othersWait at most in all other cases. So a program that is told of
//     an exit nearly always finds that it has taken effect.

// othersWait is how long the releases of a process may delay other processes.
const othersWait = 5 * time.Millisecond

// An owner is a process that has files open or in release.
type owner struct {
	pid int

	// Guarded by Table.mu.
	program any
	open    map[*File]struct{}
	hungUp  map[*File]struct{} // of open, those whose write ends are closed: see sink.HangUp
	pending int                // releases that have not ended
	since   time.Time          // when pending was 0 for the last time
	idle    chan struct{}      // closed when pending becomes 0
	queue   []*release         // for runQueue
	running bool               // runQueue is
}

// A release is that of one file.
type release struct {
	file *File
	done chan struct{} // of the master of a device and of a stream; otherwise nil
}

func newRelease(f *File) *release {
	r := &release{file: f}
	if f.node == nil || f.node.IsMaster() {
		r.done = make(chan struct{})
	}
	return r
}

// ownerLocked returns the owner with the process id of o.
func (t *Table) ownerLocked(o *Opener) *owner {
	p := t.owners[o.PID]
	if p == nil {
		p = &owner{pid: o.PID, open: make(map[*File]struct{})}
		t.owners[o.PID] = p
	}
	p.program = o.Program
	return p
}

// claim takes a closed file out of the table, for its release. It returns nil
// if another goroutine has claimed the file, or if the last request in progress
// will release it.
func (t *Table) claim(f *File) *release {
	r, idle := newRelease(f), false
	t.mu.Lock()
	known := t.byInode[f.inode] == f
	if known {
		delete(t.byInode, f.inode)
		if f.hungUp {
			delete(f.owner.hungUp, f)
			t.numHungUp.Add(-1)
		}
		delete(f.owner.open, f)
		if f.watch >= 0 {
			delete(t.byWatch, f.watch)
			t.unwatchPipe(f.watch)
		}
		f.mu.Lock()
		f.released = true
		idle = f.users == 0
		f.mu.Unlock()
		if idle {
			t.beginLocked(r) // before the event goes: a call finds one or the other
		}
	}
	t.mu.Unlock()
	if known {
		f.sink.Forget(t.epoll)
	}
	if !idle {
		return nil
	}
	return r
}

func (t *Table) beginLocked(r *release) {
	p := r.file.owner
	if p.pending++; p.pending == 1 {
		p.since, p.idle = time.Now(), make(chan struct{})
		t.releasing[p] = struct{}{}
		t.busy.Add(1)
	}
	if r.done != nil {
		t.awaited = append(t.awaited, r)
	}
}

func (t *Table) end(r *release) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := r.file.owner
	if p.pending--; p.pending == 0 {
		close(p.idle)
		delete(t.releasing, p)
		t.busy.Add(-1)
		if len(p.open) == 0 && t.owners[p.pid] == p {
			delete(t.owners, p.pid)
		}
	}
	if r.done != nil {
		close(r.done)
		t.awaited = slices.DeleteFunc(t.awaited, func(other *release) bool { return other == r })
	}
}

// run releases the file.
func (t *Table) run(r *release) {
	defer t.end(r)
	r.file.end()
}

// later releases the file in the background, after others of the same process.
func (t *Table) later(r *release) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := r.file.owner
	p.queue = append(p.queue, r)
	if !p.running {
		p.running = true
		go t.runQueue(p)
	}
}

func (t *Table) runQueue(p *owner) {
	for {
		t.mu.Lock()
		queue := p.queue
		p.queue = nil
		p.running = len(queue) > 0
		t.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, r := range queue {
			t.run(r)
		}
	}
}

// A releasing is a process with releases in progress.
type releasing struct {
	*owner
	program any
	since   time.Time
	idle    <-chan struct{}
}

// inProgress returns the processes with releases in progress.
func (t *Table) inProgress() (list []releasing) {
	if t.busy.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.releasing {
		list = append(list, releasing{p, p.program, p.since, p.idle})
	}
	return list
}

// await waits for the releases in progress as long as c must.
func (t *Table) await(c Caller) {
	for _, p := range t.inProgress() {
		if c.Within(p.pid) {
			c.Wait(p.idle, 0)
		} else if limit := time.Until(p.since.Add(othersWait)); limit > 0 {
			c.Wait(p.idle, limit)
		}
	}
}

// AwaitMaster waits until no master of the device is being released.
func (t *Table) AwaitMaster(c Caller, d *drm.Device) {
	t.awaitThose(c, func(f *File) bool { return f.node != nil && f.node.Device() == d })
}

// AwaitStreams waits until no file is being released that is not a node.
func (t *Table) AwaitStreams(c Caller) {
	t.Drain(c)
	t.awaitThose(c, func(f *File) bool { return f.node == nil })
}

func (t *Table) awaitThose(c Caller, match func(*File) bool) {
	if t.busy.Load() == 0 {
		return
	}
	var done []<-chan struct{}
	t.mu.Lock()
	for _, r := range t.awaited {
		if match(r.file) {
			done = append(done, r.done)
		}
	}
	t.mu.Unlock()
	for _, done := range done {
		c.Wait(done, 0)
	}
}

// Await waits until the files of a program that are closed by now are released.
func (t *Table) Await(program any) {
	t.reapAll()
	for _, p := range t.inProgress() {
		if p.program == program {
			<-p.idle
		}
	}
}

// AwaitAll does that for the files of all programs, as long as c waits.
func (t *Table) AwaitAll(c Caller) {
	t.reapAll()
	for _, p := range t.inProgress() {
		c.Wait(p.idle, 0)
	}
}
