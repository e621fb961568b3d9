package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A kind of system call.
type kind int

const (
	ioctls kind = iota
	opens
	paths
	closes
	dups
	maps
	reads
	sockets
	signals
	processes

	kinds
)

var kindNames = [kinds]string{"ioctl", "open", "path", "close", "dup", "map", "read", "socket", "signal", "process"}

const (
	pageSize  = 4096
	arenaSize = 256 * pageSize
)

// A worker makes calls from one thread.
type worker struct {
	counts  *counts
	random  *rand.Rand
	arena   []byte
	child   bool // it starts no processes
	mode    []byte
	seeded  bool
	fds     pool // open descriptors, and some that were closed
	cards   pool // those of cards
	handles pool
	fbs     pool
	ids     pool
	offsets pool
	regions []region
}

// A region is memory that a call mapped.
type region struct{ addr, size uintptr }

// steps is how many calls a worker makes.
const steps = 3000

var requests = slices.Collect(uapi.Requests())

// countsFile is the shared file of the counts. It is never closed.
var countsFile = os.NewFile(countsFD, "counts")

// work makes the calls of one process, from two threads. A child has inherited
// that many descriptors; -1 is for others.
func work(seed uint64, inherited int) {
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR1, unix.SIGPIPE, unix.SIGHUP)
	if _, _, err := os.Pipe(); err != nil { // the runtime's own descriptors come first
		check(err)
	}
	c := mapCounts(countsFD)
	done := make(chan struct{})
	for i := range uint64(2) {
		go func() {
			defer func() { done <- struct{}{} }()
			runtime.LockOSThread()
			w := &worker{counts: c, random: rand.New(rand.NewPCG(seed, i)), arena: newArena(), child: inherited >= 0}
			for fd := range max(inherited, 0) {
				w.keep(&w.fds, countsFD+1+uint64(fd))
			}
			for len(w.cards) == 0 && w.random.IntN(1000) != 0 {
				w.open()
			}
			for range steps {
				w.step()
			}
		}()
	}
	<-done
	<-done
}

func (w *worker) step() {
	switch n := w.random.IntN(100); {
	case n < 62:
		w.ioctl()
	case n < 68:
		w.open()
	case n < 75:
		w.path()
	case n < 79:
		w.close()
	case n < 83:
		w.dup()
	case n < 91:
		w.mmap()
	case n < 96:
		w.read()
	case n < 97:
		w.socket()
	case n < 99:
		w.signal()
	default:
		w.process()
	}
}

// seed fills the pools with the objects of a card, as a compositor would find
// and make them.
func (w *worker) seed(fd int) {
	card := kmsclient.FromFD(fd)
	if _, err := card.Resources(); err != nil {
		return // no card, or one that is gone
	}
	w.keep(&w.cards, uint64(fd))
	if dumb, err := card.CreateDumb(64, 64, 32); err == nil {
		w.keep(&w.handles, uint64(dumb.Handle))
		if offset, err := card.MapDumb(dumb.Handle); err == nil {
			w.keep(&w.offsets, offset)
		}
		if fb, err := card.AddFB(&dumb, uapi.FormatXRGB8888); err == nil {
			w.keep(&w.fbs, uint64(fb))
		}
	}
	if w.seeded && w.random.IntN(8) != 0 {
		return
	}
	display, err := card.Display()
	if err != nil {
		return
	}
	w.seeded = true
	w.mode = slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&display.Mode)), unsafe.Sizeof(display.Mode)))
	for _, id := range []uint32{display.ID, display.Encoder, display.CRTC} {
		w.keep(&w.ids, uint64(id))
	}
	for id := range uint64(48) { // planes and properties are numbered from 1
		w.keep(&w.ids, id)
	}
}

func (w *worker) ioctl() {
	request := requests[w.random.IntN(len(requests))]
	if w.random.IntN(4) == 0 {
		w.spread()
	}
	arg := w.arena[w.random.IntN(arenaSize/2/8)*8:][:1<<14]
	if request.In != nil {
		w.fill(request.In, arg)
	} else {
		put(arg[:8], w.from([]pool{w.fbs, w.ids}[w.random.IntN(2)]))
	}
	address := uint64(addressOf(arg))
	if w.random.IntN(40) == 0 {
		address = w.address()
	}
	cmd := request.Cmd
	if w.random.IntN(40) == 0 { // another size
		cmd ^= uint32(w.random.IntN(256)) << 16
	}
	_, errno := w.call(ioctls, unix.SYS_IOCTL, uintptr(w.target()), uintptr(cmd), uintptr(address))
	if errno != 0 || request.Out == nil {
		return
	}
	w.harvest(request.Out, arg)
	switch request.Cmd { // those that return a descriptor
	case uapi.IoctlPrimeHandleToFD:
		w.keep(&w.fds, get(arg[8:12]))
	case uapi.IoctlSyncobjHandleToFD:
		w.keep(&w.fds, get(arg[8:12]))
	case uapi.IoctlModeCreateLease:
		w.keep(&w.fds, get(arg[20:24]))
	}
}

var files = []string{
	"/dev/dri/card0", "/dev/dri/card2", "/dev/dri/card3", "/dev/dri/renderD128", "/dev/dri", "/dev/dri/by-path",
	"/dev/dri/by-path/platform-vkms-card", "/dev/dri/../dri/card0", "/dev/dri/../../etc/passwd", "/dev", "/sys/class/drm",
	"/sys/class/drm/card0/dev", "/sys/class/drm/card0/uevent", "/sys/class/drm/card0-Virtual-1/status",
	"/sys/class/drm/card0-Virtual-1/edid", "/sys/class/drm/card0-Virtual-1/modes", "/sys/class/drm/card0/device/driver/unbind",
	"/sys/bus/platform/devices", "/sys/dev/char/226:0", "/sys/kernel/debug/dri/0/name", "/sys/kernel/debug/sync/sw_sync",
	"/proc/self/fd/5", "/proc/self/fd", "/run/udev/data/c226:0", "/dev/dri/card0/x", "/dev/dri/nothing", "/dev/shm", "", "/",
}

// place writes a path to the arena and returns its address and a directory for
// it.
func (w *worker) place() (dir, address uintptr) {
	path := files[w.random.IntN(len(files))]
	dir = ^uintptr(99) // AT_FDCWD
	if w.random.IntN(4) == 0 {
		dir, path = uintptr(w.from(w.fds)), []string{"card0", ".", "..", "../..", "card0/dev", "../dri/card0", ""}[w.random.IntN(7)]
	}
	at := w.arena[w.random.IntN(arenaSize/2/8)*8:]
	copy(at, path+"\x00")
	return dir, addressOf(at)
}

func (w *worker) open() {
	dir, path := w.place()
	flags := uintptr(unix.O_NONBLOCK | []int{unix.O_RDWR, unix.O_RDWR, unix.O_RDONLY, unix.O_WRONLY, unix.O_PATH, unix.O_RDONLY | unix.O_DIRECTORY}[w.random.IntN(6)])
	if w.random.IntN(2) == 0 {
		flags |= unix.O_CLOEXEC
	}
	fd, errno := w.call(opens, unix.SYS_OPENAT, dir, path, flags)
	if errno == 0 {
		w.keep(&w.fds, uint64(fd))
		w.seed(int(fd))
	}
}

// target returns a descriptor for a request, mostly of a card.
func (w *worker) target() uint64 {
	if w.random.IntN(6) == 0 {
		return w.from(w.fds)
	}
	return w.from(w.cards)
}

func (w *worker) path() {
	dir, path := w.place()
	out := addressOf(w.arena[arenaSize-pageSize:])
	switch w.random.IntN(7) {
	case 0:
		w.call(paths, unix.SYS_NEWFSTATAT, dir, path, out, uintptr([]int{0, unix.AT_EMPTY_PATH, unix.AT_SYMLINK_NOFOLLOW}[w.random.IntN(3)]))
	case 1:
		w.call(paths, unix.SYS_STATX, dir, path, 0, unix.STATX_BASIC_STATS, out)
	case 2:
		w.call(paths, unix.SYS_READLINKAT, dir, path, out, uintptr(w.random.IntN(pageSize)))
	case 3:
		w.call(paths, unix.SYS_FACCESSAT2, dir, path, uintptr(w.random.IntN(8)), 0)
	case 4:
		w.call(paths, unix.SYS_STATFS, path, out)
	case 5:
		w.call(paths, unix.SYS_CHDIR, path)
	case 6:
		w.call(paths, unix.SYS_FSTAT, uintptr(w.from(w.fds)), out)
	}
}

// own reports whether a descriptor may be closed: not those of the Go runtime,
// nor the counts.
func own(fd uint64) bool { return fd > countsFD+5 && fd < 1<<16 }

func (w *worker) close() {
	if fd := w.from(w.fds); own(fd) {
		w.call(closes, unix.SYS_CLOSE, uintptr(fd))
		if w.random.IntN(8) != 0 { // otherwise it is used after the close
			closed := func(v uint64) bool { return v == fd }
			w.fds, w.cards = slices.DeleteFunc(w.fds, closed), slices.DeleteFunc(w.cards, closed)
		}
	}
}

func (w *worker) dup() {
	fd := uintptr(w.from(w.fds))
	to := uintptr(100 + w.random.IntN(20))
	switch w.random.IntN(4) {
	case 0:
		got, errno := w.call(dups, unix.SYS_DUP, fd)
		if errno == 0 {
			w.keep(&w.fds, uint64(got))
		}
	case 1:
		if _, errno := w.call(dups, dup2, fd, to, 0); errno == 0 {
			w.keep(&w.fds, uint64(to))
		}
	case 2:
		w.call(dups, unix.SYS_DUP3, fd, to, unix.O_CLOEXEC)
	case 3:
		w.call(dups, unix.SYS_FCNTL, fd, uintptr([]int{unix.F_GETFL, unix.F_GETFD, unix.F_SETFD, unix.F_GETSIG}[w.random.IntN(4)]), uintptr(w.random.IntN(2)))
	}
}

func (w *worker) mmap() {
	if len(w.regions) > 0 && w.random.IntN(2) == 0 {
		i := w.random.IntN(len(w.regions))
		r := w.regions[i]
		switch w.random.IntN(3) {
		case 0:
			w.call(maps, unix.SYS_MPROTECT, r.addr, r.size, uintptr(w.random.IntN(4)))
		case 1:
			w.call(maps, unix.SYS_MADVISE, r.addr, r.size, unix.MADV_DONTNEED)
		case 2:
			w.call(maps, unix.SYS_MUNMAP, r.addr, r.size)
			w.regions = slices.Delete(w.regions, i, i+1)
		}
		return
	}
	size := uintptr(pageSize * (1 + w.random.IntN(4)))
	flags := []uintptr{unix.MAP_SHARED, unix.MAP_SHARED, unix.MAP_PRIVATE, unix.MAP_SHARED_VALIDATE}[w.random.IntN(4)]
	offset := w.from(w.offsets)
	if w.random.IntN(4) == 0 {
		offset = 0 // of a dma-buf
	}
	addr, errno := w.call(maps, unix.SYS_MMAP, 0, size, uintptr(w.random.IntN(4)), flags, uintptr(w.target()), uintptr(offset))
	if errno == 0 {
		w.regions = append(w.regions, region{addr, size})
	}
}

func (w *worker) read() {
	fd := uintptr(w.from(w.fds))
	out := w.arena[arenaSize-pageSize:]
	switch w.random.IntN(4) {
	case 0: // as much as the terminals and pipes behind the files give at once
		flags, errno := w.call(reads, unix.SYS_FCNTL, fd, unix.F_GETFL)
		if errno == 0 && flags&unix.O_NONBLOCK != 0 {
			w.call(reads, unix.SYS_READ, fd, addressOf(out), uintptr(w.random.IntN(100)))
		}
	case 1:
		put(out[:8], uint64(uint32(fd))|unix.POLLIN<<32)
		w.call(reads, poll, addressOf(out), 1, noTimeout)
	case 2:
		w.call(reads, unix.SYS_LSEEK, fd, 0, uintptr(w.random.IntN(3)))
	case 3:
		w.call(reads, unix.SYS_GETDENTS64, fd, addressOf(out), pageSize)
	}
}

func (w *worker) socket() {
	fd, errno := w.call(sockets, unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT)
	if errno != 0 {
		return
	}
	w.keep(&w.fds, uint64(fd))
	at := w.arena[:unix.SizeofSockaddrNetlink]
	clear(at)
	put(at[:2], unix.AF_NETLINK)
	put(at[8:12], uint64(w.random.IntN(4)))
	w.call(sockets, unix.SYS_BIND, fd, addressOf(at), unix.SizeofSockaddrNetlink)
}

// signal interrupts the other thread.
func (w *worker) signal() {
	pid := uintptr(os.Getpid())
	w.call(signals, unix.SYS_TGKILL, pid, pid+uintptr(w.random.IntN(6)), uintptr([]unix.Signal{unix.SIGUSR1, unix.SIGURG}[w.random.IntN(2)]))
}

// process starts a worker with some of the descriptors, and does not wait for
// it. The child ends with the thread.
func (w *worker) process() {
	if w.child || w.random.IntN(10) != 0 {
		return
	}
	files := []*os.File{countsFile}
	for _, fd := range w.fds {
		if len(files) == 6 || !own(fd) {
			continue
		}
		if dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			f := os.NewFile(uintptr(dup), "inherited")
			defer f.Close()
			files = append(files, f)
		}
	}
	cmd := exec.Command("/proc/self/exe", strconv.FormatUint(w.random.Uint64(), 10), "child", strconv.Itoa(len(files)-1))
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err := cmd.Start()
	w.counts.add(processes, kmsclient.Errno(err))
	if err == nil {
		go func() { _ = cmd.Wait() }()
	}
}
