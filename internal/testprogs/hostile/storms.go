package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// use1 opens the card, maps a buffer in both ways and opens a file by a path
// through a virtual directory. What fails is not checked: others may disturb it.
func use1() {
	fd, err := open("/dev/dri/card0", unix.O_RDWR)
	if err != nil {
		return
	}
	card := kmsclient.FromFD(fd)
	if dumb, err := card.CreateDumb(64, 64, 32); err == nil {
		if offset, err := card.MapDumb(dumb.Handle); err == nil {
			if p, err := unix.Mmap(fd, int64(offset), int(dumb.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
				_ = unix.Munmap(p)
			}
		}
		if shared, err := card.Export(dumb.Handle, uapi.Cloexec); err == nil {
			if p, err := unix.Mmap(int(shared), 0, int(dumb.Size), unix.PROT_READ, unix.MAP_SHARED); err == nil {
				_ = unix.Munmap(p)
			}
			_ = unix.Close(int(shared))
		}
	}
	if file, err := open("/dev/dri/../../etc/passwd", unix.O_RDONLY); err == nil {
		_ = unix.Close(file)
	}
	_ = unix.Close(fd)
}

const stormUses = 60

// storm uses the card while something disturbs the process, until it has used
// the card stormUses times.
func storm(args []string) {
	switch args[0] {
	case "files": // other threads replace and close descriptors
		var stop atomic.Bool
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() {
				for !stop.Load() {
					for fd := 8; fd < 24; fd++ {
						_ = unix.Dup3(i, fd, unix.O_CLOEXEC)
						_ = unix.Close(fd)
					}
				}
			})
		}
		for range stormUses {
			use1()
		}
		stop.Store(true)
		all.Wait()
	case "stops": // another process stops and resumes it
		cmd := exec.Command("/proc/self/exe", "uses")
		check(cmd.Start())
		ended := make(chan error)
		go func() { ended <- cmd.Wait() }()
		for {
			select {
			case err := <-ended:
				check(err)
				return
			default:
			}
			for _, s := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
				if err := cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
					check(err)
				}
				runtime.Gosched()
			}
		}
	case "execs": // another thread replaces the program
		left := 20
		if len(args) > 1 {
			left = must(strconv.Atoi(args[1]))
		}
		if left == 0 {
			return
		}
		go func() {
			for {
				use1()
			}
		}()
		for range left { // each time after another while
			use1()
		}
		check(unix.Exec("/proc/self/exe", []string{"hostile", "storm", "execs", strconv.Itoa(left - 1)}, os.Environ()))
	}
}

// uses uses the card stormUses times.
func uses([]string) {
	for range stormUses {
		use1()
	}
}

// keep maps a buffer that was exported for reading, while other threads look for
// the descriptor that is given for it. With such a descriptor it tries to change
// the buffer, and what it can do with the file.
func keep([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	dumb := must(card.CreateDumb(64, 64, 32))
	shared := int(must(card.Export(dumb.Handle, uapi.Cloexec)))
	mapShared := func() []byte {
		return must(unix.Mmap(shared, 0, int(dumb.Size), unix.PROT_READ, unix.MAP_SHARED))
	}
	kept := make(chan int, 1)
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
			for fd := shared + 1; fd < shared+4; fd++ {
				dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 100)
				if err != nil {
					continue
				}
				if _, err := unix.FcntlInt(uintptr(dup), unix.F_GET_SEALS, 0); err == nil {
					kept <- dup
					return
				}
				_ = unix.Close(dup)
			}
		}
	}()
	const tries = 2000
	fd := -1
	for n := 0; n < tries && fd < 0; n++ {
		check(unix.Munmap(mapShared()))
		select {
		case fd = <-kept:
		default:
		}
	}
	stop.Store(true)
	if fd < 0 {
		return // this time the threads were too slow
	}
	for what, err := range map[string]error{
		"ftruncate": unix.Ftruncate(fd, 0),
		"seal":      second(unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)),
		"write":     second(unix.Write(fd, []byte("x"))),
		"chmod":     unix.Fchmod(fd, 0o666),
		"lease":     second(unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_WRLCK)),
		"reopen":    second(unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR|unix.O_CLOEXEC, 0)),
		"map":       second(unix.Mmap(fd, 0, int(dumb.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)),
	} {
		want(what+" of a kept descriptor", err, unix.EINVAL, unix.EPERM, unix.EACCES, unix.EBADF)
	}
	check(unix.Munmap(mapShared()))
}

func second[T any](_ T, err error) error { return err }
