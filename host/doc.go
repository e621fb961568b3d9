// Package host runs unmodified programs and serves DRM devices to them.
//
// A program that is started with [Host.Start] finds the devices of a
// drm.Class in /dev/dri, /sys and udev's database, opens them, and does with
// them what it would do with a card: no module is loaded, nothing is
// preloaded, no privilege is needed, and static programs, threads, forks,
// execs and descriptors that are passed on are all the same to it. Command
// udrm, and tests of DRM programs, use it.
//
// # How it works
//
// A seccomp filter hands some system calls of the program over to us: those
// that take paths, those that ask what a descriptor is, ioctls of DRM's type,
// and mmaps at the offsets that package drm hands out (calls_amd64.go has the
// list). Everything else runs in the kernel as ever. The thread that made such
// a call waits; a worker of ours receives it, looks at the thread's
// descriptors and memory through /proc and process_vm_readv, and answers: with
// a result, an error, or "go on, kernel", which is the answer to most.
//
// A node that a program has open is, in the program, the read end of a pipe:
// a descriptor that the kernel knows how to poll, select, read, duplicate,
// inherit and pass over a socket, without asking us. We have the write end.
// Events are written to it; and when the last copy of the read end is closed,
// wherever it may have got to, the write end reports an error: that is the
// release. The inode of the pipe says which file a descriptor stands for.
//
// # The way of an ioctl
//
//	program    ioctl(fd, DRM_IOCTL_…, &arg)
//	kernel     the filter says "hand over"; the thread waits
//	server.go  a worker receives the notification; if no other worker is idle, one starts (workers.go)
//	call.go    the call's number leads to its server; a panic there is EIO for this call
//	ioctl.go   fd → inode → file; files closed by now are released first (file.go)
//	drm        File.Ioctl: guard, checks, copy in, handler, copy out (drm/dispatch.go)
//	ioctl.go   CopyFromUser and CopyToUser reach into the thread (internal/thread)
//	call.go    the answer; the thread goes on
//
// # The way of an mmap
//
// A pipe cannot be mapped, and an answer cannot change the arguments of a
// call. So the thread itself maps: it is traced for a moment, is given a
// descriptor of the buffer's memfd, and is made to call mmap again with that
// descriptor and the real offset (inject.go, internal/thread/inject.go). That
// is the only use of ptrace, it takes about 0.1 ms, and while a debugger or
// strace has the program, it cannot be done: the mmap fails with EPERM.
//
// # Dma-bufs
//
// A descriptor of a dma-buf must be polled, by poll, select and epoll, for the
// fences of the buffer: readable unless somebody writes it, writable unless
// anybody uses it. A memfd, which could be mapped, is always ready, and epoll
// refuses it; a pipe cannot be neither readable nor writable; of a socket we
// would have to hold the program's end to make it so, and would not hear of the
// last close. What has all these states, can be set from outside, and hangs up,
// is the pts of a pseudoterminal (package pollfd). So a dma-buf is
// one in the program, open for neither reading nor writing. It is known by its
// device and inode (dmabuf.go).
//
// Nobody else opens the terminal, as it is locked, nor changes its state, as we
// refuse the ioctls that do; and a descriptor of O_PATH, which anybody can make of
// it, is not one of the dma-buf.
//
// It cannot be mapped, nor tell its size. The filter cannot see what a
// descriptor is of, so it hands over every shared mapping of a file, and every
// lseek to the very end. Private mappings, which libraries and programs are,
// go on as ever. While no dma-buf exists the answer to both is "go on, kernel"
// without a look. That takes a shared mapping from 3 to 16 µs, such an lseek
// from 0.1 to 9. Few programs make many: a build of this module with go build
// has 272 of 2,600 mappings shared, a git status 1 of 26, a start of Python
// 39 in 34 processes, and none of a dozen programs has such an lseek. To rewind
// (SEEK_SET) is more usual: it is not handed over, and fails on a dma-buf.
//
// # Paths
//
// The virtual files stand in a tree (tree.go makes it from the objects of the
// class, internal/vfs walks it) that lies over the real files: a path is
// walked through both. What virtual files say is made when they are opened. A
// directory must be a real one, for programs to list: they are kept in a
// private directory (shadow.go), with the right names and types in them and
// nothing else. A descriptor of one is as good as a path: whatever a program
// resolves from there is resolved by us. Directories such as /sys/class list
// the union of what is real and what is virtual. A real /dev/dri is hidden,
// and so is a real dri in debugfs; where no debugfs is mounted, there seems to
// be one (debugfs.go).
//
// What a program writes to a virtual file arrives in a pipe of ours, and is
// done ahead of the next call that is handed over (control.go). Files that are
// streams, as CRCs are, are pipes like nodes (stream.go).
//
// # Uevents
//
// Programs hear of devices through libudev's monitors, which are netlink
// sockets. In answer to the call that makes one they get a datagram socket of
// ours, to which we send what the kernel and udev would multicast (uevent.go).
//
// Where a way leads out of a virtual directory to a real file, the kernel does
// not know the way, and we open that file for the program: with the program's
// credentials (internal/thread/credentials.go), as it may have given up
// privileges that we have.
//
// # Modules
//
// A driver can be unloaded and loaded again as a module (module.go): libkmod
// and modprobe see it in /sys/module, delete_module takes its devices from it
// unless a client has one open, or a buffer of it, or a mapping of one, and a
// file of modprobe.d says how to bind them again. /proc/modules does not list
// it, and there is no file of it to load.
//
// # What stays different from a real node
//
//   - A read of 8 bytes, from one of the descriptors 0 to 2, with readv, or of
//     256 bytes and more that are not a multiple of 32, can take a part of an
//     event; the kernel takes whole events only.
//   - write fails with EBADF (the kernel: EINVAL), lseek with ESPIPE (0).
//   - A write to a virtual file of sysfs or debugfs succeeds, also when what
//     is written is refused; that is reported to us.
//   - An ioctl of a type that is not handed over fails with ENOTTY also when the
//     device is gone (the kernel: ENODEV). FIONREAD answers.
//   - fcntl(F_GETFL) is right; /proc/PID/fdinfo says it is a pipe.
//   - A mapping of a buffer shows in /proc/PID/maps as a memfd, and an mmap can
//     fail with EMFILE when the program has no descriptor left.
//   - read and write of a dma-buf fail with EBADF (the kernel: EINVAL), a
//     private mapping with ENODEV (EINVAL), lseek but to the end with ESPIPE (0,
//     EINVAL). isatty says yes; ioctls that only ask a terminal something
//     are answered. /dev/pts lists dma-bufs.
//     Each takes a pseudoterminal, of which a machine has 4096 by default
//     (kernel.pty.max): with 3072 dma-bufs, exporting fails with ENOSPC. After we
//     have exited, poll says POLLHUP. A program that we do not serve can poll a
//     dma-buf that is passed to it, spoil what poll says with ioctls of terminals,
//     and nothing else.
//   - Signals: a thread that waits for our answer acts on a fatal signal at
//     once, on others when the answer is there; a request that waits itself
//     (WAIT_VBLANK, a read for less than an event) is ended with EINTR within some
//     milliseconds, and 2.5 ms more for each other one that waits; the kernel
//     goes on with the read after a handler with SA_RESTART. A signal
//     that arrives just before a call is received makes it fail with EINTR,
//     if its handler was installed without SA_RESTART. libdrm repeats.
//   - inotify on virtual paths fails; io_uring bypasses the filter; O_PATH
//     descriptors of virtual files are ordinary ones; mkdir, unlink and the
//     like in virtual directories reach the private copy. A path is
//     followed into the virtual tree by a real link at its end (/tmp/card →
//     /dev/dri/card0), outside of where packages put files, but not by a real link
//     to a directory on the way (/tmp/dri → /dev/dri).
//   - autosuspend_delay_ms reads as empty (the kernel: EIO). What a file of
//     sysfs says is fixed when it is opened.
//   - A socket for uevents is not a netlink socket: getsockname and options of
//     SOL_NETLINK tell. It carries our events only, not those of real devices.
//     libudev asks for a sender that is root or, in newer versions, the user of
//     the program: under a host that is neither, older ones hear nothing.
//   - A program that makes itself undumpable (PR_SET_DUMPABLE) is out of reach
//     of a host that is not root: it sees the machine as it is.
//   - 32-bit programs are not served: they see the machine as it is.
//   - no_new_privs is set: set-uid programs gain no privilege.
//   - Anybody whom we run may open the nodes: their mode says root and video.
//     chmod and chown change only what stat says. Files of sysfs and debugfs
//     are likewise open to anybody, who may write those that can be written.
//
// # Lock order
//
//	controls.storing → fileTable.reaping, drm's and bus's locks (doing what was written)
//	fileTable.reaping → drm's locks (closing a file)
//	drm's and bus's locks → Host.treeMu → shadow.mu (a device comes or goes)
//	drm's and bus's locks → uevents.mu
//	request.mu → watcher.mu (a wait begins or ends)
//	drm's locks → fileTable.mu (a hang-up) and the sinks' (an event)
//	fileTable.mu, file.reading → the sinks'
//
// controls.mu, file.mu, server.mu, watcher.mu, workerLimit.mu, uevents.mu and children.mu are
// leaves, but that children.mu is held while a program is started. No lock is held while a
// program's memory is read or written, as that may wait for the program, but file.reading:
// only those who read the same file wait for it.
//
// # Traps for who changes this
//
// Workers are OS threads with all signals blocked but those of faults, and
// never the main thread (server.go). Between fork and exec the child must make
// no call that is handed over: it holds up our scheduler (launch.go). Nobody may wait for children
// with wait4 without naming one: stops of traced threads would be taken from
// their tracer (reap.go). A listener hangs up before the last programs have
// closed what they had open (dying.go).
//
// Start reading at [Host], then server.go and ioctl.go.
package host
