package host

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Options are the choices that a [Host] leaves to its maker.
type Options struct {
	// HangUp makes the host do what a device should do when it is unplugged:
	// wake every sleeper with POLLHUP and end reads. Without it a program
	// meets what the kernel does: it is not woken.
	HangUp bool

	// Logger takes what goes wrong without being the program's fault. nil:
	// slog.Default().
	Logger *slog.Logger
}

// A Host serves the devices of a class to programs that it starts. All
// methods may be called concurrently.
type Host struct {
	class  *drm.Class
	log    *slog.Logger
	hangUp bool

	files  *fileTable
	shadow *shadow
	tree   atomic.Pointer[vfs.Tree]
	seen   sync.Map // *drm.Kobject → when it was seen first

	treeMu      sync.Mutex // making a new tree
	unsubscribe func()

	denials [denialKinds]denial
}

// New returns a host for the devices of class: those that are registered now,
// and those that come and go later.
//
// Unless the environment sets GOMAXPROCS, it is raised: workers that wait in
// the kernel hold processors of the scheduler until it notices.
func New(class *drm.Class, opts Options) (*Host, error) {
	raiseProcs()
	h := &Host{class: class, log: opts.Logger, hangUp: opts.HangUp}
	if h.log == nil {
		h.log = slog.Default()
	}
	var err error
	if h.files, err = newFileTable(); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	if h.shadow, err = newShadow(); err != nil {
		h.files.close()
		return nil, fmt.Errorf("host: %w", err)
	}
	h.unsubscribe = class.Subscribe(func(drm.Uevent) { h.renew() })
	h.renew()
	return h, nil
}

// Close ends the host. Every [Process] that it started must be done: wait for
// [Process.Done] first.
func (h *Host) Close() error {
	h.unsubscribe()
	h.files.close()
	return h.shadow.close()
}

// renew makes the tree of virtual files anew, after a device came, went or
// changed.
func (h *Host) renew() {
	h.treeMu.Lock()
	defer h.treeMu.Unlock()
	tree := h.makeTree()
	h.tree.Store(tree)
	h.shadow.prune(tree)
}

// spareProcs is how many goroutines more may run at the same time than there
// are processors.
const spareProcs = 4

var raiseProcs = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+spareProcs))
	}
})
