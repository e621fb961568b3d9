package host

import (
	"log/slog"

	"github.com/udrm/udrm/configfs"
	"github.com/udrm/udrm/seat/vt"
)

// Options configure a [Host]. The zero value changes nothing of the process
// around the host.
type Options struct {
	// HangUp makes an unplug deliver POLLHUP to the programs that poll the
	// device and end their blocked reads. A real kernel does neither.
	HangUp bool

	// Logger receives what the host reports. Errors and warnings say what
	// went wrong; Info tells of programs and devices, Debug of each open and
	// close. nil: nothing is logged.
	Logger *slog.Logger

	// Configfs is what programs see, and change, below /sys/kernel/config. nil:
	// what is really there.
	Configfs *configfs.FS

	// AdoptOrphans makes this process, from the first New on and for good, the
	// parent of processes that programs leave behind (PR_SET_CHILD_SUBREAPER),
	// and wait for them. Without it, such a process is a child of init: it
	// cannot be served if kernel.yama.ptrace_scope is 1 and this process lacks
	// CAP_SYS_PTRACE, [Leftovers] does not list it, and [Process.Done] may be
	// closed before its last files are released. Command udrm sets it. A child
	// that other code of this process starts, and that has seccomp filters of
	// its own, can be taken for an orphan: that code may not learn its status.
	AdoptOrphans bool

	// Files are further virtual files, by path, with what they show at each open.
	Files map[string]func() string

	// Terminals are what programs see as /dev/tty0, /dev/tty1 and so on, and as
	// /dev/console. nil: what is really there.
	Terminals *vt.Terminals

	// EveryRoot shows the devices also to programs whose /dev is not that of
	// this process, such as those in a chroot or a container. Without it they
	// see no devices, unless that /dev is a bind mount.
	EveryRoot bool

	// EveryUser lets programs of every user write the files of sysfs and use
	// debugfs. Without it, only programs of the user that runs this process
	// may, and those of root.
	EveryUser bool

	// Marker is a variable, NAME=value, that programs get in their
	// environment. With a cleaner its value must be random.
	Marker string

	// Cleaner is a command whose process calls [Clean]. The host starts it, in
	// a session of its own. If this process ends before [Host.Close], in
	// whatever way, the cleaner kills the programs and everything that they
	// have started, and removes the private directory of the host. It needs a
	// Marker. Command udrm starts itself as the cleaner.
	Cleaner []string

	// Launcher is the result of [Confine]: it starts the programs. When the
	// first one is started, this process gets a seccomp filter, for good, and
	// can start no processes itself. The files of programs must be [os.File]s.
	// nil: this process starts the programs and stays as it is.
	Launcher *Launcher

	// FileServer, if not nil, shows the virtual files in mounts of a namespace
	// of the programs, so that the kernel serves most calls on paths by itself.
	// It takes CAP_SYS_ADMIN and /dev/fuse. nil: the calls are handed over.
	FileServer FileServer

	// MountsOptional lets calls on paths be handed over if the virtual files cannot
	// be mounted. Without it, New fails then.
	MountsOptional bool

	// RaiseGOMAXPROCS raises GOMAXPROCS to a few more than there are CPUs,
	// unless the environment sets it. Threads that wait for requests hold
	// processors of the Go scheduler until it notices, so requests are served
	// with less delay when there are spare ones. Command udrm sets it.
	RaiseGOMAXPROCS bool

	// ReserveThreads makes threads before programs need them, and keeps them. The Go
	// runtime ends this process if it needs a thread when no process ID is left, and
	// a program can use up the process IDs. Where these are scarce, Start waits until
	// the threads are made. Command udrm sets it.
	ReserveThreads bool

	// RaiseDescriptorLimit raises RLIMIT_NOFILE of this process as far as it
	// may. Each buffer and each open file of a program takes a descriptor.
	// Programs are started with the original limit. Command udrm sets it.
	RaiseDescriptorLimit bool
}
