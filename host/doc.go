// Package host runs unmodified programs and serves DRM devices to them.
//
// A program started with [Host.Start] finds the devices of a drm.Class in
// /dev/dri, in /sys and in udev's database. It opens them and uses them like
// real cards. No module is loaded, nothing is preloaded and no privilege is
// needed. Static programs, threads, forks, execs and descriptors passed to
// other processes all work. Command udrm and tests of DRM programs use it.
//
// # How it works
//
// A seccomp filter hands some system calls of the program to this process:
// those that take paths, those that ask what a descriptor is, ioctls of DRM's
// type, and mmaps at the offsets that package drm hands out (calls.go
// lists them). All other calls run in the kernel. The thread that made the call
// waits. A worker of this process receives the call, looks at the thread's
// descriptors and memory through /proc and process_vm_readv, and answers with a
// result, with an error, or by letting the kernel run the call. The last is the
// answer to most.
//
// In the program, an open node is the read end of a pipe: a descriptor that the
// kernel polls, reads, duplicates, inherits and passes over sockets without
// asking this process, which has the write end. Events are written to it. When
// the last copy of the read end is closed, in whatever process, the write end
// reports an error: that is the release. The inode of the pipe says which file
// a descriptor refers to. It is proved by an inotify watch, as the numbers of
// pipes wrap (internal/files/proof.go).
//
// # The path of an ioctl
//
//	program         ioctl(fd, DRM_IOCTL_…, &arg)
//	kernel          the filter hands the call over; the thread waits
//	server.go       a worker receives it; if no other worker is idle, one starts (workers.go)
//	looks.go        if the kernel is to run the call (native.go), it does, and that is all
//	turns.go        it waits for its turn, if its process group has used up its share
//	call.go         the number leads to the handler; a panic there is EIO for this call
//	ioctl.go        fd → inode → file; closed files are released first (internal/files)
//	drm             File.Ioctl: copy in, guard, checks, handler, copy out (drm/dispatch.go)
//	usermem.go      CopyFromUser and CopyToUser reach into the thread (internal/thread)
//	aside.go        the same inside the guard, where nothing may wait for the program
//	call.go         the answer; the thread goes on
//
// # The path of an mmap
//
// A pipe cannot be mapped, and an answer cannot change the arguments of a
// call. So the thread itself maps: it is traced for a moment, gets a descriptor
// of the buffer's memfd, and is made to call mmap again with that descriptor
// and the real offset (inject.go, internal/thread/inject.go). This takes about
// 0.1 ms. If a debugger or strace traces the program already, the debugger's own
// thread is traced instead, and made to send the requests to the program
// (internal/thread/relay.go). It notices none of it.
//
// # Dma-bufs
//
// A descriptor of a dma-buf can be polled, by poll, select and epoll, for the
// fences of the buffer: readable unless work writes it, writable unless work
// uses it. A memfd is always ready, and epoll refuses it. A pipe is always
// readable or writable. A socket could be made neither, but only by holding the
// program's end open, and then its last close goes unnoticed. The pts of a
// pseudoterminal can be in all these states, can be set from outside, and hangs
// up (package pollfd). So in the program a dma-buf is a pts, open for neither
// reading nor writing, and known by its device and inode (dmabuf.go).
//
// No other process can open the pts, which is locked. Ioctls that would change
// its state are refused. An O_PATH descriptor, which any user can make, does
// not count as one of the dma-buf.
//
// A pts cannot be mapped or report a size. The filter cannot see what a
// descriptor is, so it hands over every shared mapping of a file and every
// lseek to the end. Private mappings, such as those of programs and libraries,
// are not handed over. While no dma-buf exists, both calls go to the kernel at
// once. That costs a shared mapping 16 µs instead of 3, and such an lseek 9
// instead of 0.1. Few programs make many: in a go build of this module, 272 of
// 2,600 mappings are shared, in a git status 1 of 26, in a start of Python 39
// in 34 processes. None of a dozen programs makes such an lseek. Rewinding
// (SEEK_SET) is more common: it is not handed over, and fails on a dma-buf.
//
// # Paths
//
// The virtual files form a tree over the real files: tree.go makes it from the
// objects of the class, and internal/vfs walks a path through both. The content
// of a virtual file is made when it is opened. A descriptor of a directory must
// be that of a real one, for programs to list it. These are kept in a private
// file system (internal/shadow) and have the right names and types, and nothing
// else. It is mounted nowhere: calls that are not handed over, such as mkdirat,
// could otherwise leave the root of a program by "..". Paths that start at such a
// descriptor are resolved by this process.
// Directories such as /sys/class list real and virtual entries. A real /dev/dri
// is hidden, and so is a real dri in debugfs. If no debugfs is mounted, there
// seems to be one (debugfs.go).
//
// What a program writes to a virtual file arrives in a pipe and is stored
// before the next call that is handed over (internal/files). Files that are
// streams, such as those of CRCs, are pipes like nodes (stream.go).
//
// A path may lead out of a virtual directory to a real file. The kernel does
// not know that path, so the program's own thread is made to open the file by
// another one (withPath in inject.go). Its root, credentials, Landlock rules and
// seccomp filters thus apply. This process only looks at files of programs:
// links, types and names, in one place and confined to the program's root
// (internal/thread/root.go). What it makes itself, it knows by device and inode.
// Virtual files under Landlock are tested by the thread as well (landlock.go).
//
// With a [FileServer], the tree is mounted in a namespace of the programs, and the
// kernel walks the paths (mounts.go). Then only opens of nodes are handed over, and
// calls that may be on a descriptor.
//
// Programs see the devices if their /dev is that of this process. access.go says
// which users may do what.
//
// # Uevents
//
// Programs hear of devices through netlink sockets, mostly libudev's monitors.
// The call that makes one returns a netlink socket of a network namespace of
// this process, in which the kernel and udev seem to multicast the events of
// the virtual devices (uevent.go, internal/udev). Without the right to make the
// namespace, it returns a Unix socket that reads like a netlink socket.
//
// # Modules
//
// A driver can be unloaded and loaded again like a module (module.go). libkmod
// and modprobe find it in /sys/module. delete_module unbinds its devices,
// unless a client has one open, or a buffer of one, or a mapping of a buffer. A
// file of modprobe.d says how to bind them again. /proc/modules does not list
// it, and no file of the module exists.
//
// # What stays different from a real node
//
// docs/limitations.md lists what a program can notice. The reasons lie in the
// choices above: a pipe for a node, a pts for a dma-buf, a copy for a directory,
// a memfd for the content of a file, a socket of another namespace for a netlink socket,
// and a filter that sees arguments and no memory.
//
// # Rights
//
// A process that serves programs needs few rights, and programs inherit those of
// the process that starts them. So a command can let a launcher start the
// programs and give up its own rights (Confine, internal/launcher,
// internal/confine). docs/threat-model.md says what is kept.
//
// # Lock order
//
//	drm's and bus's locks → Host.events → Host.treeMu (a device comes or goes)
//	Host.treeMu → drm.Class.mu, bus.Bus.mu, mounted.mu, announcer.mu, perms.mu, those of internal/shadow
//	drm's and bus's locks → those of internal/udev (a uevent)
//	configItems.mu → drm's and bus's locks (a change of configfs makes a card or removes one)
//	request.mu → watcher.mu (a wait begins or ends)
//	server.mu, turns.mu → workerLimit.mu (another worker)
//	accounts.mu, slowCopies.mu, turns.mu → that of drm.Account
//	drm's locks → files.Table.mu (a hang-up) and those of pipes (an event)
//	files.Table.mu → files.File.mu
//	files.Table.mu, files.File.reading → those of pipes
//
// All others are leaves. That of internal/child is held while a program is
// started, and Host.treeMu and mounted.mu while the kernel asks the file
// server, which takes neither. No lock is held while a file is released or a
// write to sysfs is stored, or while a program's memory is read or written, as
// that may block on the program, except files.File.reading: only readers of the
// same file wait for it.
//
// # Traps for maintainers
//
// Workers are OS threads with all signals blocked except those of faults, and
// never the main thread (server.go). Between fork and exec the child must make
// no call that is handed over, because it holds up the Go scheduler
// (process.go). Nothing may wait for children with wait4 without naming one: it
// would take the stops of traced threads from their tracer (internal/child). A
// listener hangs up before the last programs have closed their files
// (internal/child/ending.go).
//
// Start reading at [Host], then server.go and ioctl.go.
package host
