package host

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
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

	files    *fileTable
	controls *controls
	modes    *modes
	shadow   *shadow
	uevents  *uevents
	tree     atomic.Pointer[vfs.Tree]
	seen     sync.Map // *drm.Kobject, *bus.Device → when it was seen first, a time.Duration

	workers *workerLimit
	watcher watcher

	treeMu sync.Mutex // making a new tree
	buses  map[*bus.Bus]struct{}

	unsubscribe []func()

	denials [denialKinds]denial
}

// New returns a host for the devices of class: those that are registered now,
// and those that come and go later.
//
// Unless the environment sets GOMAXPROCS, it is raised: workers that wait in
// the kernel hold processors of the scheduler until it notices.
func New(class *drm.Class, opts Options) (*Host, error) {
	raiseProcs()
	h := &Host{
		class:  class,
		log:    opts.Logger,
		hangUp: opts.HangUp,
		modes:  newModes(),
		buses:  make(map[*bus.Bus]struct{}),

		workers: processWorkers,
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	var err error
	if h.files, err = newFileTable(); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	h.controls = newControls(h.log, h.files)
	if h.shadow, err = newShadow(); err != nil {
		h.files.close()
		return nil, fmt.Errorf("host: %w", err)
	}
	if h.uevents, err = newUevents(); err != nil {
		h.files.close()
		return nil, errors.Join(fmt.Errorf("host: %w", err), h.shadow.close())
	}
	unsubscribe := class.Subscribe(func(e drm.Uevent) {
		h.renew()
		h.classEvent(e)
		if e.Action == "remove" {
			h.seen.Delete(e.Kobject)
		}
	})
	h.renew()
	h.treeMu.Lock()
	defer h.treeMu.Unlock()
	h.unsubscribe = append(h.unsubscribe, unsubscribe)
	return h, nil
}

// Close ends the host. Every [Process] that it started must be done: wait for
// [Process.Done] first.
func (h *Host) Close() error {
	h.treeMu.Lock()
	unsubscribe := h.unsubscribe
	h.treeMu.Unlock()
	for _, f := range unsubscribe {
		f()
	}
	h.controls.close()
	h.uevents.close()
	h.files.close()
	return h.shadow.close()
}

// renew makes the tree of virtual files anew, after a device came, went or
// changed.
func (h *Host) renew() {
	h.treeMu.Lock()
	defer h.treeMu.Unlock()
	kobjects := h.class.Kobjects()
	for _, k := range kobjects {
		b := k.Parent.Bus()
		if _, known := h.buses[b]; !known {
			h.buses[b] = struct{}{}
			h.unsubscribe = append(h.unsubscribe, b.Subscribe(h.busEvent))
		}
	}
	tree := h.makeTree(kobjects)
	h.tree.Store(tree)
	h.shadow.prune(tree)
	h.modes.prune(tree)
}

// firstSeen returns when an object was seen first, since the machine started.
func (h *Host) firstSeen(object any) time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at, _ := h.seen.LoadOrStore(object, time.Duration(now.Nano()))
	return at.(time.Duration)
}

// spareProcs is how many goroutines more may run at the same time than there
// are processors.
const spareProcs = 4

var raiseProcs = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), runtime.NumCPU()+spareProcs))
	}
})
