package host

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host/internal/child"
	"github.com/udrm/udrm/host/internal/cleaner"
	"github.com/udrm/udrm/host/internal/confine"
	"github.com/udrm/udrm/host/internal/files"
	"github.com/udrm/udrm/host/internal/launcher"
	"github.com/udrm/udrm/host/internal/shadow"
	"github.com/udrm/udrm/host/internal/snapshot"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/udev"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
	"github.com/udrm/udrm/seat/vt"
)

// Clean is the whole main function of a cleaner: see [Options].Cleaner.
func Clean() error { return cleaner.Run() }

// A Launcher is a process that starts programs.
type Launcher = launcher.Launcher

// Confine takes rights away from this process, which is to serve programs. It
// starts a launcher that keeps all rights, so that the programs lose none. Its
// command must call [Launch]. Then Confine replaces this process by itself, with
// fewer capabilities and no_new_privs: the main function runs again, with the
// same arguments, and the second call of Confine returns the launcher. From
// there on this process is undumpable. docs/threat-model.md lists what is kept.
//
// Call Confine first in a main function, on the main thread (see
// [runtime.LockOSThread]), and never in a test or a library. If it fails, exit:
// some rights may be gone.
func Confine(command []string) (*Launcher, error) {
	l, err := launcher.Confine(command)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return l, nil
}

// Launch is the whole main function of a launcher: see [Confine].
func Launch() error { return launcher.Run() }

// A Host serves the devices of a class to the programs that it starts. All
// methods may be called concurrently.
type Host struct {
	class *drm.Class
	log   *slog.Logger

	files      *files.Table
	attributes *files.Attributes
	perms      *perms
	xattrs     xattrs
	shadow     *shadow.Dirs
	snapshots  *snapshot.Set
	chardevs   chardevs
	monitors   *udev.Monitors
	tree       atomic.Pointer[vfs.Tree]
	seen       sync.Map // *drm.Kobject, *bus.Device → when it was first seen, a time.Duration

	dev       pollfd.ID // of /dev
	everyRoot bool
	everyUser bool
	landlock  landlock

	memory    *gem.Memory
	accounts  *accounts
	burstTime time.Duration // see burst
	slow      slowCopies
	faults    thread.Faults
	workers   *workerLimit
	reserved  <-chan struct{} // closed when programs may start; nil: at once
	turns     *turns
	watcher   watcher
	busy      atomic.Int64 // calls that are being answered and do not wait

	marker  string
	cleaner *cleaner.Cleaner // nil: none
	callers *cleaner.Callers // the cleaner's; nil: none

	ready    sync.Once // see awaitCleaner
	readyErr error

	launcher *launcher.Launcher // nil: none
	confined sync.Once

	mounts    *mounted // nil: calls on paths are handed over
	isMounted bool     // mounts is set, or will be before a program starts

	events sync.RWMutex // held while an event is handled
	closed bool         // guarded by events

	treeMu sync.Mutex // held while a new tree is made
	buses  map[*bus.Bus]struct{}

	udevGone atomic.Bool // a program has removed the virtual files of udev

	foreignUdevs []uint32 // sockets of udevds that ran before; set before udevGone

	core        *coreParameters
	configfs    *configfs.FS // nil: none
	configItems configItems
	extra       map[string]func() string
	terminals   *vt.Terminals // nil: none

	unsubscribe []func()

	closing  sync.Once
	closeErr error

	denials [denialKinds]denial
}

// New returns a host for the devices of class, including those that are
// registered later. The caller closes it.
func New(class *drm.Class, opts Options) (*Host, error) {
	h := &Host{
		class: class,
		log:   opts.Logger,
		core:  newCoreParameters(),
		perms: newPerms(),
		buses: make(map[*bus.Bus]struct{}),

		configfs:  opts.Configfs,
		extra:     opts.Files,
		terminals: opts.Terminals,
		everyRoot: opts.EveryRoot,
		everyUser: opts.EveryUser,
		marker:    opts.Marker,
		launcher:  opts.Launcher,

		snapshots: snapshot.New(),

		configItems: configItems{accounts: make(map[string]*drm.Account)},

		memory:  gem.NewMemory(),
		workers: processWorkers,
	}
	var st unix.Stat_t
	if err := unix.Stat("/dev", &st); err != nil {
		return nil, fmt.Errorf("host: %w", &fs.PathError{Op: "stat", Path: "/dev", Err: err})
	}
	h.dev = pollfd.IDOf(&st)
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.prepareProcess(opts)
	h.landlock.init(h.log)
	h.accounts, h.burstTime = newAccounts(), burstTime
	h.turns = newTurns(h)
	if err := h.openTables(opts.HangUp); err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	h.startCleaner(opts)
	if err := h.tryMounts(opts); err != nil {
		return nil, errors.Join(fmt.Errorf("host: the virtual files cannot be mounted: %w", err), h.close())
	}
	h.subscribe()
	return h, nil
}

// prepareProcess changes what is the process's, as far as opts allow it.
func (h *Host) prepareProcess(opts Options) {
	if opts.RaiseDescriptorLimit {
		if err := raiseDescriptorLimit(); err != nil {
			h.log.Warn("host: the limit of open files stays low", "err", err)
		}
	}
	if opts.RaiseGOMAXPROCS {
		raiseGOMAXPROCS()
	}
	if opts.ReserveThreads {
		h.reserved = h.workers.reserveThreads() // while this goroutine goes on
	}
	if opts.AdoptOrphans {
		if err := child.Adopt(); err != nil {
			h.log.Warn("host: daemons that programs leave behind may not be served", "err", err)
		}
	}
}

// openTables makes the tables of files and monitors. After an error there are
// none.
func (h *Host) openTables(hangUp bool) (err error) {
	if h.files, err = files.NewTable(h.log, hangUp); err != nil {
		return err
	}
	if h.attributes, err = files.NewAttributes(h.log, h.files); err != nil {
		h.files.Close()
		return err
	}
	if h.shadow, err = shadow.New(); err == nil {
		var network func() (int, error)
		if h.launcher != nil {
			network = h.launcher.StartNetwork
		}
		if h.monitors, err = udev.NewMonitors(h.log, network); err == nil {
			return nil
		}
		err = errors.Join(err, h.shadow.Close())
	}
	h.attributes.Close()
	h.files.Close()
	return err
}

// startCleaner starts the process that ends the programs if this one is killed.
func (h *Host) startCleaner(opts Options) {
	if len(opts.Cleaner) == 0 {
		return
	}
	var err error
	if h.cleaner, err = cleaner.Start(opts.Cleaner, opts.Marker, h.shadow.Root()); err != nil {
		h.log.Warn("host: programs may outlive this process if it is killed", "err", err)
		return
	}
	h.callers = h.cleaner.Callers
}

// subscribe makes the tree of files follow the devices of the class.
func (h *Host) subscribe() {
	unsubscribe := h.class.Subscribe(func(e drm.Uevent) {
		h.unlessClosed(func() {
			if !slices.Contains(e.Env, "LEASE=1") { // which changes no file, and which a client can cause at will
				h.renew()
			}
			h.classEvent(e)
			if e.Action == "remove" {
				h.seen.Delete(e.Kobject)
				h.chardevs.forget(e.Kobject.Chardev)
			}
		})
	})
	h.renew()
	h.treeMu.Lock()
	defer h.treeMu.Unlock()
	h.unsubscribe = append(h.unsubscribe, unsubscribe)
}

// Close ends the host. Every [Process] that it started must be done: wait for
// [Process.Done] first. Closing again returns the result of the first call.
func (h *Host) Close() error {
	h.closing.Do(func() { h.closeErr = h.close() })
	return h.closeErr
}

func (h *Host) close() error {
	h.events.Lock() // waits for an event that is being handled
	h.closed = true
	h.events.Unlock()
	h.treeMu.Lock()
	unsubscribe := h.unsubscribe
	h.treeMu.Unlock()
	for _, f := range unsubscribe {
		f()
	}
	var err error
	if h.mounts != nil {
		err = h.mounts.close()
	}
	h.turns.ended.Wait()
	h.watcher.ended.Wait()
	h.attributes.Close()
	h.landlock.freeTexts()
	h.monitors.Close()
	h.files.Close()
	err = errors.Join(err, h.shadow.Close())
	if h.cleaner != nil {
		h.cleaner.Stop()
	}
	return err
}

// unlessClosed calls handle, for an event, before the host is closed. The sender
// of an event may still call a subscriber that was removed.
func (h *Host) unlessClosed(handle func()) {
	h.events.RLock()
	defer h.events.RUnlock()
	if !h.closed {
		handle()
	}
}

// Abandon makes the cleaner let the programs live when this process ends. They
// lose their devices then.
func (h *Host) Abandon() error {
	if h.cleaner == nil {
		return nil
	}
	return h.cleaner.Keep()
}

// RemoveIfKilled makes the cleaner remove a directory or a socket of this process
// when that was killed. The directory must have a random name.
func (h *Host) RemoveIfKilled(path string) {
	if h.cleaner == nil {
		return
	}
	if err := h.cleaner.Remove(path); err != nil {
		h.log.Warn("host: a file will stay if this process is killed", "path", path, "err", err)
	}
}

// confine puts a filter on this process if there is a launcher. The cleaner has
// started by then.
func (h *Host) confine() {
	if h.launcher == nil {
		return
	}
	h.confined.Do(func() {
		if err := confine.Filter(); err != nil {
			h.log.Warn("host: this process keeps system calls that it does not need", "err", err)
		}
	})
}

// renew makes a new tree of virtual files after a device has changed.
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
	h.mounts.keepUnions(tree)
	old := h.tree.Swap(tree)
	h.remount(old, tree)
	h.shadow.Prune(tree)
	h.perms.prune(tree)
	h.xattrs.prune(tree)
}

// firstSeen returns when an object was first seen, as the time since boot.
func (h *Host) firstSeen(object any) time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	at, _ := h.seen.LoadOrStore(object, time.Duration(now.Nano()))
	return at.(time.Duration)
}

// spareProcs is the difference between the raised GOMAXPROCS and the number of
// CPUs.
const spareProcs = 10

// raiseGOMAXPROCS does nothing if it is raised already. It can be lower again after
// an earlier host: package testing sets it for each benchmark.
func raiseGOMAXPROCS() {
	if n := runtime.NumCPU() + spareProcs; os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < n {
		runtime.GOMAXPROCS(n)
	}
}
