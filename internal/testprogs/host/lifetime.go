package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

// storm maps and unmaps until stop is set, and counts.
func storm(fd int, stop *atomic.Bool, count *atomic.Int64) {
	runtime.LockOSThread()
	for !stop.Load() {
		m := must(mmap(fd, 65536, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))
		m[65535]++
		check(munmap(m))
		count.Add(1)
	}
}

// mapStorm maps from several threads while signals interrupt them.
func mapStorm(args []string) {
	duration := must(time.ParseDuration(args[0]))
	fd := openCard(unix.O_RDWR)
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, unix.SIGALRM, unix.SIGUSR1)
	go func() {
		for range signals {
		}
	}()
	interval := unix.Timeval{Usec: 150}
	_ = must(unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: interval, Value: interval}))
	var stop atomic.Bool
	var count atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { storm(fd, &stop, &count) })
	}
	wg.Go(func() {
		var sum [8]uint64
		for !stop.Load() {
			sum = [8]uint64{1, 1}
			if err := ioctlPtr(fd, reqSum, &sum); err != unix.EINTR {
				check(err)
				equal(sum[7], 2, "a sum in the storm")
			}
		}
	})
	time.Sleep(duration)
	stop.Store(true)
	wg.Wait()
	_ = must(unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{}))
	equal(openFiles(fd), 1, "open files")
	fmt.Println(count.Load())
}

// execStorm maps from several threads and calls exec meanwhile. args says how
// often.
func execStorm(args []string) {
	left := must(strconv.Atoi(args[0]))
	fd := openCard(unix.O_RDWR | unix.O_CLOEXEC)
	equal(openFiles(fd), 1, "open files after exec")
	if left == 0 {
		return
	}
	var stop atomic.Bool
	var count atomic.Int64
	for range 3 {
		go storm(fd, &stop, &count)
	}
	for count.Load() < 20 {
		runtime.Gosched()
	}
	// Every other time, a thread other than the first calls exec.
	execSelf := func() {
		check(syscall.Exec("/proc/self/exe", []string{os.Args[0], "execstorm", strconv.Itoa(left - 1)}, os.Environ()))
	}
	if left%2 == 0 {
		execSelf()
	}
	go func() {
		runtime.LockOSThread()
		execSelf()
	}()
	select {}
}

// faults passes bad pointers to all calls.
func faults([]string) {
	fd := openCard(unix.O_RDWR)
	page := must(mmap(-1, 2*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, 0))
	check(unix.Mprotect(page[4096:], unix.PROT_NONE))
	end := addrOf(page) + 4096
	for _, addr := range []uintptr{0, 1, end, end - 8, end - 4, 1 << 47, ^uintptr(0), ^uintptr(4095), 0xffff800000000000} {
		copy(page[4096-8:], "/dev/dri")
		want(rawOpenat(addr), unix.EFAULT, fmt.Sprintf("openat of %#x", addr))
		want(ioctl(fd, reqSum, addr), unix.EFAULT, fmt.Sprintf("ioctl with %#x", addr))
		for _, nr := range append([]uintptr{unix.SYS_STATFS, unix.SYS_CHDIR, unix.SYS_GETXATTR}, oldPathCalls...) {
			second := addr
			if isAccess(nr) {
				second = 0
			}
			_, _, errno := unix.Syscall6(nr, addr, second, 100, 0, 0, 0)
			want(errno, unix.EFAULT, fmt.Sprintf("call %d of %#x", nr, addr))
		}
		_, _, errno := unix.Syscall6(unix.SYS_OPENAT2, 0, addr, addr, 24, 0, 0)
		want(errno, unix.EFAULT, fmt.Sprintf("openat2 of %#x", addr))
		_, _, errno = unix.Syscall(unix.SYS_FSTAT, uintptr(fd), addr, 0)
		want(errno, unix.EFAULT, fmt.Sprintf("fstat to %#x", addr))
	}
	long := make([]byte, 3*4096)
	for i := range long {
		long[i] = 'x'
	}
	long[0] = '/'
	want(rawOpenat(addrOf(long)), unix.ENAMETOOLONG, "a path longer than PATH_MAX")

	// Random calls must not harm the host.
	calls := append([]uintptr{unix.SYS_IOCTL, unix.SYS_OPENAT, unix.SYS_OPENAT2,
		unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_STATX, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2,
		unix.SYS_READLINKAT, unix.SYS_STATFS, unix.SYS_FSTATFS, unix.SYS_GETCWD, unix.SYS_FCNTL, unix.SYS_MMAP}, oldPathCalls...)
	// The largest argument of an ioctl fits: the host may write to it.
	paths := must(mmap(-1, 65536, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, 0))
	out := must(mmap(-1, 65536, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, 0))
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"/dev/dri", "/card0", "/..", "/.", "/", "/sys/class/drm", "/proc/self/fd/3", "/by-path", "dri", "device/", "subsystem", "/run/udev/data/", "", "/proc/self/cwd"}
	for range 20000 {
		p := ""
		for range random.IntN(6) {
			p += pieces[random.IntN(len(pieces))]
		}
		clear(paths[:256])
		copy(paths, p)
		var args [6]uintptr
		for i := range args {
			switch random.IntN(6) {
			case 0:
				args[i] = uintptr(fd)
			case 1:
				args[i] = addrOf(paths)
			case 2:
				args[i] = addrOf(out)
			case 3:
				args[i] = uintptr(random.Uint64())
			case 4:
				args[i] = uintptr(random.IntN(5000))
			case 5:
				args[i] = ^uintptr(99) // AT_FDCWD
			}
		}
		nr := calls[random.IntN(len(calls))]
		switch nr {
		case unix.SYS_IOCTL:
			args[0], args[1] = uintptr(fd), uintptr(random.Uint32()&^0xff00|'d'<<8)
			if uint32(args[1])&0xff == reqWait&0xff || uint32(args[1])&0xff == reqUnplug&0xff {
				continue
			}
		case unix.SYS_MMAP: // not over memory in use
			args[0], args[3], args[4], args[5] = 0, args[3]&^unix.MAP_FIXED, uintptr(fd), mapOffset+args[5]&0xfff000
		case unix.SYS_OPENAT:
			args[2] &^= unix.O_CREAT | unix.O_TRUNC
		case unix.SYS_OPENAT2, unix.SYS_FCNTL:
			args[1] = unix.F_GETFL
		}
		r, _, errno := unix.Syscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
		if errno == 0 && nr == unix.SYS_OPENAT {
			check(unix.Close(int(r)))
		}
	}
	check(ioctl(fd, reqNothing, 0))
	equal(openFiles(fd), 1, "open files")
}

// unplug checks what a program sees when its device is unplugged.
func unplug([]string) {
	fd := openCard(unix.O_RDWR | unix.O_NONBLOCK)
	dri := must(unix.Open("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY, 0))
	m := must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))
	m[0] = 1
	check(sendEvent(fd, 3))
	check(ioctl(fd, reqUnplug, 0)) // begins it
	for {
		if _, err := os.Stat("/dev/dri"); err != nil { // it goes after the node
			break
		}
	}
	var st unix.Stat_t
	want(unix.Stat(card, &st), unix.ENOENT, "stat of the node")
	_, err := unix.Open(card, unix.O_RDWR, 0)
	want(err, unix.ENOENT, "open of the node")
	want(unix.Stat("/dev/dri", &st), unix.ENOENT, "stat of /dev/dri")
	_, err = unix.Openat(dri, "card0", unix.O_RDWR, 0)
	want(err, unix.ENOENT, "open of the node by an old directory")
	_, err = os.ReadDir("/sys/class/drm/card0")
	if !os.IsNotExist(err) {
		failf("the directory in sysfs: %v", err)
	}
	_, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
	want(err, unix.ENODEV, "open of the descriptor's link")
	equal(fdLink(fd), card+" (deleted)", "the descriptor's link")
	checkNode(must(fstat(fd)))
	for _, req := range []uint32{reqNothing, reqSum, reqEvent, uapi.IoctlVersion, 0x645f, 0x6200} {
		want(ioctl(fd, req, 8), unix.ENODEV, fmt.Sprintf("ioctl %#x", req))
	}
	_, err = mmap(fd, mapSize, unix.PROT_READ, unix.MAP_SHARED, mapOffset)
	want(err, unix.ENODEV, "mmap")
	for i := range m { // the rest of it for the first time
		m[i]++
	}
	equal(m[0], 2, "the old mapping")
	buf := make([]byte, 1024)
	equal(must(unix.Read(fd, buf)), 32, "the event sent before")
	_, err = unix.Read(fd, buf)
	want(err, unix.EAGAIN, "a read without events")
	equal(pollIn(fd, 0), 0, "poll")
	check(unix.Close(fd))
	equal(m[1], 1, "the mapping after the close")
}

// hangup is unplug under a host that delivers hang-ups.
func hangup([]string) {
	fd := openCard(unix.O_RDWR)
	check(sendEvent(fd, 3))
	check(ioctl(fd, reqUnplug, 0))
	for pollIn(fd, -1)&unix.POLLHUP == 0 {
	}
	buf := make([]byte, 1024)
	equal(must(unix.Read(fd, buf)), 32, "the event sent before")
	equal(must(unix.Read(fd, buf)), 0, "a read at the end")
	want(ioctl(fd, reqNothing, 0), unix.ENODEV, "ioctl")
	check(unix.Close(fd))
	fmt.Println("closed")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// wait waits in several threads while another sends requests. An unplug wakes
// them.
func wait([]string) {
	fd := openCard(unix.O_RDWR)
	const waiters = 5
	var waiting atomic.Int32
	done := make(chan error, waiters)
	for range waiters {
		go func() {
			runtime.LockOSThread()
			waiting.Add(1)
			done <- ioctl(fd, reqWait, 0)
		}()
	}
	for range 1000 {
		check(ioctl(fd, reqNothing, 0))
	}
	for waiting.Load() < waiters {
		runtime.Gosched()
	}
	check(ioctl(fd, reqUnplug, 0))
	for range waiters {
		if err := <-done; err != unix.ENODEV { // ENODEV: it had not started to wait
			check(err)
		}
	}
}

// crowd waits in as many threads as args says while another sends requests. It
// ends when all have their answers.
func crowd(args []string) {
	fd := openCard(unix.O_RDWR)
	var wg sync.WaitGroup
	for range must(strconv.Atoi(args[0])) {
		wg.Go(func() {
			runtime.LockOSThread()
			check(again(fd, reqWait))
		})
	}
	for range 100 {
		check(again(fd, reqNothing))
	}
	wg.Wait()
	equal(waiters(fd), 0, "waiters at the end")
	fmt.Println("went on")
}

// again repeats a request that a signal of the Go runtime interrupted.
func again(fd int, req uint32) error {
	for {
		if err := ioctl(fd, req, 0); err != unix.EINTR {
			return err
		}
	}
}

// signalled waits in as many threads as args says until each has received a
// signal.
func signalled(args []string) {
	fd := openCard(unix.O_RDWR)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGUSR1)
	n := must(strconv.Atoi(args[0]))
	tids := make(chan int, n)
	var sent atomic.Bool
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			runtime.LockOSThread()
			tids <- unix.Gettid()
			for more := true; more; more = !sent.Load() { // the Go runtime sends signals, too
				want(ioctl(fd, reqWait, 0), unix.EINTR, "a wait")
			}
		})
	}
	for waiters(fd) < uint64(n) {
		runtime.Gosched()
	}
	sent.Store(true)
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	all := make([]int, n)
	for i := range all {
		all[i] = <-tids
	}
	for { // repeated: a signal may arrive just before the next wait starts
		for _, tid := range all {
			if err := unix.Tgkill(unix.Getpid(), tid, unix.SIGUSR1); err != unix.ESRCH {
				check(err)
			}
		}
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
	}
}

// interrupted checks that a signal ends a wait.
func interrupted([]string) {
	fd := openCard(unix.O_RDWR)
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, unix.SIGUSR1)
	pid, tid := unix.Getpid(), unix.Gettid()
	var over atomic.Bool
	go func() {
		runtime.LockOSThread()
		for !over.Load() {
			check(unix.Tgkill(pid, tid, unix.SIGUSR1))
			time.Sleep(10 * time.Millisecond)
		}
	}()
	want(ioctl(fd, reqWait, 0), unix.EINTR, "a wait")
	_, err := unix.Read(fd, make([]byte, 4))
	want(err, unix.EINTR, "a short read that waits")
	over.Store(true)
}

// opens opens and closes the node. Each time it must be the only open file.
func opens(args []string) {
	for range must(strconv.Atoi(args[0])) {
		fd := openCard(unix.O_RDWR)
		equal(openFiles(fd), 1, "open files")
		check(unix.Close(fd))
	}
}

// hold keeps a file open until its standard input ends.
func hold([]string) {
	fd := openCard(unix.O_RDWR)
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = unix.Close(fd)
}

// holdOpen exits, or is killed, with files open.
func holdOpen(args []string) {
	var pages []byte
	for range 20 {
		fd := openCard(unix.O_RDWR)
		pages = must(mmap(fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, mapOffset))
	}
	ballast := make([]byte, 16<<20) // takes the kernel time to free
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = pages[0]
	}
	switch args[0] {
	case "exit":
		os.Exit(0)
	case "kill":
		check(unix.Kill(unix.Getpid(), unix.SIGKILL))
	}
	select {}
}

func exit(args []string) { os.Exit(must(strconv.Atoi(args[0]))) }

func kill(args []string) {
	check(unix.Kill(unix.Getpid(), unix.Signal(must(strconv.Atoi(args[0])))))
	select {}
}

// waitKill is killed while it waits in a request.
func waitKill([]string) {
	fd := openCard(unix.O_RDWR)
	go func() {
		time.Sleep(20 * time.Millisecond)
		check(unix.Kill(unix.Getpid(), unix.SIGKILL))
	}()
	check(ioctl(fd, reqWait, 0))
}

// daemon leaves a grandchild behind. It opens the node after its parents have
// ended, and prints a line.
func daemon(args []string) {
	switch args[0] {
	case "start":
		cmd := run("daemon", "middle")
		cmd.Stdin = os.Stdin
		check(cmd.Run())
	case "middle":
		cmd := run("daemon", "end")
		cmd.Stdin = os.Stdin
		check(cmd.Start())
	case "end":
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
		fd := openCard(unix.O_RDWR)
		equal(must(driverName(fd)), "drmtest", "the driver's name")
		check(munmap(must(mmap(fd, 4096, unix.PROT_READ, unix.MAP_SHARED, mapOffset))))
		fmt.Println("served")
	}
}
