package host

import (
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/mounts"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// The kernel tells programs that watch a directory (inotify) of what is done to
// the directory by system calls. So an announcer makes and removes the names of
// files that have come and gone, through the mount: the file server answers that
// this is done. It has a thread of its own, as each call waits for the file
// server, and can wait for programs that use the directory.
type announcer struct {
	roots mounts.Roots
	wake  chan struct{}
	end   chan struct{} // closed by stop
	done  chan struct{} // closed when the thread has ended
	tid   atomic.Int32

	mu   sync.Mutex
	old  *vfs.Tree     // the last tree that was announced; nil: the present one
	next chan struct{} // closed when old is announced

	// What is announced at the moment; only changed by the thread, between calls.
	current atomic.Pointer[announcement]
}

// An announcement is a name that comes or goes.
type announcement struct {
	path string
	node *vfs.Node
	gone bool
}

func newAnnouncer(roots mounts.Roots) *announcer {
	return &announcer{roots: roots, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
}

func (a *announcer) start(h *Host) {
	thread.Go(func() {
		defer close(a.done)
		a.tid.Store(int32(unix.Gettid()))
		for {
			select {
			case <-a.end:
				return
			case <-a.wake:
			}
			a.mu.Lock()
			old, next := a.old, a.next
			a.old = nil
			a.mu.Unlock()
			if old != nil {
				differences(old, h.tree.Load(), a.announce)
				close(next)
			}
		}
	})
}

func (a *announcer) stop() {
	close(a.end)
	<-a.done
}

// announceWait bounds how long a hot-plug waits for its announcement. Programs
// hear of it in this order, unless a program holds up the announcer.
const announceWait = 50 * time.Millisecond

// changed announces that old is not the present tree any more.
func (a *announcer) changed(old *vfs.Tree) {
	a.mu.Lock()
	if a.old == nil {
		a.old, a.next = old, make(chan struct{})
	}
	next := a.next
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	files.Wait(next, announceWait, a.end)
}

// Announces reports whether the thread that makes a request is the announcer's.
func (v *VirtualFiles) Announces(tid int) bool {
	return int32(tid) == v.announcer.tid.Load()
}

// lookup answers the announcer's thread: what goes is still there, and what comes
// is not there yet. If the kernel knows the file that comes, a program was faster,
// and the name is not made again: that would take it away from the program.
func (a *announcer) lookup(v *VirtualFiles, path string, known bool) (unix.Statx_t, error) {
	now := a.current.Load()
	switch {
	case now == nil || now.path != path, known && !now.gone:
		return v.Stat(path)
	case now.gone:
		return v.host.statOf(path, now.node), nil
	}
	return unix.Statx_t{}, unix.ENOENT
}

func (a *announcer) announce(c announcement) {
	select {
	case <-a.end:
		return
	default:
	}
	a.current.Store(&c)
	defer a.current.Store(nil)
	root, at := a.roots.Of(c.path), strings.TrimPrefix(c.path, "/")
	// An error says that the name has come or gone meanwhile.
	switch isDir := c.node.Kind == vfs.Dir; {
	case c.gone && isDir:
		_ = unix.Unlinkat(root, at, unix.AT_REMOVEDIR)
	case c.gone:
		_ = unix.Unlinkat(root, at, 0)
	case isDir:
		_ = unix.Mkdirat(root, at, c.node.Perm)
	case c.node.Kind == vfs.Link:
		_ = unix.Symlinkat(c.node.Target, root, at)
	case c.node.Kind == vfs.Char:
		_ = unix.Mknodat(root, at, unix.S_IFCHR|c.node.Perm, 0) // 0:0 takes no CAP_MKNOD
	default:
		_ = unix.Mknodat(root, at, unix.S_IFREG|c.node.Perm, 0)
	}
}

// differences yields the names that differ between two trees, in directories that
// are in both.
func differences(old, tree *vfs.Tree, yield func(announcement)) {
	var compare func(dir string)
	compare = func(dir string) {
		for at, was := range children(old, dir) {
			is, _ := tree.Lookup(at)
			switch {
			case inConfigfs(at), at == udevDir: // what programs do there, the kernel has seen
			case is != nil && was.Kind == vfs.Dir && is.Kind == vfs.Dir:
				compare(at)
			case at == dri:
				compare(at)
				yield(announcement{at, was, true})
			case is == nil:
				yield(announcement{at, was, true})
			case was.Kind != is.Kind || was.Target != is.Target:
				yield(announcement{at, was, true})
				yield(announcement{at, is, false})
			}
		}
		for at, is := range children(tree, dir) {
			was, _ := old.Lookup(at)
			switch {
			case was != nil, inConfigfs(at):
			case at == dri:
				compare(at)
			default:
				yield(announcement{at, is, false})
			}
		}
	}
	compare("/")
}

// children yields the paths and nodes in a directory, if the tree has it.
func children(t *vfs.Tree, dir string) func(yield func(string, *vfs.Node) bool) {
	return func(yield func(string, *vfs.Node) bool) {
		n, _ := t.Lookup(dir)
		if n == nil {
			return
		}
		for _, e := range n.Entries() {
			at := path.Join(dir, e.Name)
			child, _ := t.Lookup(at)
			if !yield(at, child) {
				return
			}
		}
	}
}
