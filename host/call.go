package host

import (
	"errors"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
)

const (
	fakeOffsetMin = drm.FakeOffsetMin
	fakeOffsetMax = drm.FakeOffsetMax
)

// A sysCall is a system call that is handed over: its number, the conditions,
// and the method that answers it.
type sysCall struct {
	nr     uint32
	name   string
	conds  []seccomp.Cond
	handle func(*call)
}

// The filters and handlers are sysCalls as the kernel and as a worker use them.
var (
	filterCalls  = sync.OnceValue(func() *seccomp.Filter { return makeFilter(sysCalls) }) // all calls on paths are handed over
	filterMounts = sync.OnceValue(func() *seccomp.Filter { return makeFilter(mountedCalls()) })
	handlers     [512]*sysCall
)

func init() { // a handler can start a worker, which looks here
	for i := range sysCalls {
		handlers[sysCalls[i].nr] = &sysCalls[i]
	}
}

func makeFilter(sysCalls []sysCall) *seccomp.Filter {
	f := &seccomp.Filter{Arch: seccomp.NativeArch, Limit: seccomp.NativeLimit}
	for _, s := range sysCalls {
		f.Traps = append(f.Traps, seccomp.Trap{NR: s.nr, Conds: s.conds})
	}
	f.CompatArch, f.CompatTraps = seccomp.CompatArch, compatTraps(sysCalls)
	for _, nr := range refusedCalls {
		refused := seccomp.Trap{NR: nr, Errno: unix.EPERM}
		f.Traps = append(f.Traps, refused)
		f.CompatTraps = append(f.CompatTraps, refused)
	}
	for _, conds := range terminalRequests {
		f.Traps = append(f.Traps, seccomp.Trap{NR: unix.SYS_IOCTL, Conds: conds})
		f.CompatTraps = append(f.CompatTraps, seccomp.Trap{NR: compatIoctl, Conds: conds})
	}
	return f
}

// A call is a system call of a program that waits for an answer. A worker has
// one and reuses it. Each call is answered exactly once, with one of the
// methods below.
type call struct {
	host     *Host
	server   *server // whose programs make the call
	listener *seccomp.Listener
	worker   *worker
	account  *drm.Account
	n        seccomp.Notification
	received time.Time // zero: too long ago
	name     string    // of the system call
	answered bool
	noMagic  unix.Errno // if not 0: openat2 refuses links of /proc to open files
	fromOurs bool       // the last walk began in a directory that this process made
	plain    plainDir
	noIoctl  bool // Landlock refuses requests to the file that is opened
	tries    int  // how often a handler was given up before: see later

	compat *compatCall // nil for a call of a 64-bit program
	made   [6]uint64   // its arguments, as the program made it

	original seccomp.Data // the call, as the program made it

	behind []*sideCopy // see awaitBehind
	memory [3]span     // can be read and written at once: see present
	proofs [256]proof

	fds      thread.FDs
	*buffers // nil when the worker has parked
}

// buffers hold the path and the links of a call while it is looked at.
type buffers struct {
	pathBuf [unix.PathMax]byte
	linkBuf [unix.PathMax]byte
}

// answer answers the call. Nothing that a program sends may end this process: a
// panic becomes the EIO of this one call and is logged.
func (c *call) answer() {
	c.answered, c.noIoctl, c.name, c.compat = false, false, "?", nil
	c.memory = [3]span{}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case later:
			c.later(p)
		default:
			c.host.log.Error("host: panic in a handler; its client gets EIO",
				"call", c.name, "tid", c.n.PID, "panic", p, "stack", string(debug.Stack()))
		}
		if !c.answered {
			c.fail(unix.EIO)
		}
	}()
	if c.n.PID == 0 {
		c.proceed() // out of reach: in none of our pid namespaces
		return
	}
	if c.n.Data.Arch == seccomp.CompatArch {
		c.answerCompat()
		return
	}
	if nr := c.n.Data.NR; nr >= 0 && int(nr) < len(handlers) && handlers[nr] != nil {
		c.name = handlers[nr].name
		handlers[nr].handle(c)
		return
	}
	c.proceed()
}

func (c *call) tid() thread.ID { return thread.ID(c.n.PID) }

func (c *call) arg(i int) uint64 { return c.n.Data.Args[i] }

// fd returns an argument that is a descriptor, or AT_FDCWD.
func (c *call) fd(i int) int32 { return int32(c.n.Data.Args[i]) }

func (c *call) ret(val int64) {
	c.worker.answering()
	c.sent(c.listener.Return(c.n.ID, val))
}

// proceed lets the kernel run the call.
func (c *call) proceed() {
	c.worker.answering()
	c.sent(c.listener.Continue(c.n.ID))
}

func (c *call) fail(err error) {
	c.worker.answering()
	c.sent(c.listener.Fail(c.n.ID, errnoOf(err)))
}

// finish answers with 0 or the error.
func (c *call) finish(err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.ret(0)
}

// retFD answers with a new descriptor of the file behind fd, and closes fd.
//
// The order matters: once the program runs on, it may close its descriptor, and
// that close must be the last one.
func (c *call) retFD(fd int, cloexec bool) {
	given, err := c.listener.AddFD(c.n.ID, fd, cloexec)
	_ = unix.Close(fd)
	if err != nil {
		c.fail(err) // EMFILE
		return
	}
	c.ret(int64(given))
}

func (c *call) sent(err error) {
	c.answered = true
	if err != nil && err != unix.ENOENT { // ENOENT: killed meanwhile
		c.host.log.Error("host: answering a call", "call", c.name, "tid", c.n.PID, "err", err)
	}
}

func memoryError(err error) error {
	if err == nil {
		return nil
	}
	// ESRCH, EPERM: the thread has ended or is out of reach. No program sees
	// the difference.
	return unix.EFAULT
}

// client returns the process that makes the call.
func (c *call) client() drm.Client {
	client := clientOf(c.tid())
	client.Account = c.account
	return client
}

// clientOf looks up the process of a thread. What it cannot find out stays
// zero, which gives no privilege.
func clientOf(tid thread.ID) drm.Client {
	status := tid.Status()
	client := drm.Client{PID: int(tid), Comm: status["Name"]}
	if pid, err := strconv.Atoi(status["Tgid"]); err == nil {
		client.PID = pid
	}
	uid, _, _ := strings.Cut(status["Uid"], "\t") // real, effective, ...
	client.UID, _ = strconv.Atoi(uid)
	client.Admin = hasCapability(tid, status, unix.CAP_SYS_ADMIN)
	return client
}

// capable reports whether the program has a capability in our user namespace.
func (c *call) capable(capability uint) bool {
	return hasCapability(c.tid(), c.tid().Status(), capability)
}

func hasCapability(tid thread.ID, status map[string]string, capability uint) bool {
	effective, err := strconv.ParseUint(status["CapEff"], 16, 64)
	return err == nil && effective&(1<<capability) != 0 && tid.InOurUserNamespace()
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
