package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// scarce makes calls that the host makes its thread run, while few descriptors are
// free: none may be left behind. Its argument is a directory.
func scarce(args []string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	dumb := must(card.CreateDumb(64, 64, 32))
	offset := must(card.MapDumb(dumb.Handle))
	inside := must(unix.Open(args[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	calls := map[string]func() error{
		"mmap": func() error {
			p, err := unix.Mmap(card.FD, int64(offset), int(dumb.Size), unix.PROT_READ, unix.MAP_SHARED)
			if err == nil {
				check(unix.Munmap(p))
			}
			return err
		},
		"chdir":         func() error { return unix.Chdir("/sys/class/drm") },
		"chdir, real":   func() error { return unix.Chdir("/dev/dri/../../etc") },
		"statfs, real":  func() error { return unix.Statfs("/dev/dri/../../etc", new(unix.Statfs_t)) },
		"stat, real":    func() error { return unix.Stat("/dev/dri/../../etc", new(unix.Stat_t)) },
		"open, real":    opens("/dev/dri/../../etc/passwd", unix.O_RDONLY),
		"open of a dir": opens("/dev/dri", unix.O_RDONLY|unix.O_DIRECTORY),
		"open":          opens("/dev/dri/card0", unix.O_RDWR),
	}
	tryAll := func(errnos ...unix.Errno) {
		for name, call := range calls {
			for free := range 4 {
				var limit unix.Rlimit
				check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
				var fds []bool
				for fd, left := 0, free; fd < maxScarce; fd++ {
					fds = append(fds, isOpen(fd))
					if !isOpen(fd) {
						if left == 0 {
							check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(fd), Max: limit.Max}))
							break
						}
						left--
					}
				}
				err := call()
				for fd, before := range fds {
					if isOpen(fd) != before {
						failf("%s with %d free descriptors (%v): descriptor %d is open: %v", name, free, err, fd, !before)
					}
				}
				want(name, err, errnos...)
				check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
			}
		}
	}
	tryAll(0, unix.EMFILE)
	restrictTo(inside)
	tryAll(0, unix.EMFILE, unix.EACCES)
	os.Exit(0)
}

// maxScarce is more than the descriptors that this program has.
const maxScarce = 256

func opens(path string, flags int) func() error {
	return func() error {
		fd, err := open(path, flags)
		if err == nil {
			check(unix.Close(fd))
		}
		return err
	}
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}
