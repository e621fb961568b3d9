package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/fence/swsync"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// floods make one kind of call, or a few that belong together.
var floods = map[string]func(card *kmsclient.Card){
	"ioctl": func(card *kmsclient.Card) { _ = kmsclient.Ioctl(card, uapi.IoctlVersion, &uapi.Version{}) },
	"spin":  func(*kmsclient.Card) {}, // the reference: no call at all
	"stat":  func(*kmsclient.Card) { _ = unix.Stat("/dev/dri/card0", new(unix.Stat_t)) },
	"open": func(*kmsclient.Card) {
		if fd, err := open("/dev/dri/card0", unix.O_RDWR); err == nil {
			_ = unix.Close(fd)
		}
	},
	"map": func(card *kmsclient.Card) {
		dumb, err := card.CreateDumb(64, 64, 32)
		if err != nil {
			return
		}
		if offset, err := card.MapDumb(dumb.Handle); err == nil {
			if pixels, err := card.Mmap(offset, int(dumb.Size)); err == nil {
				_ = unix.Munmap(pixels)
			}
		}
		_ = card.DestroyDumb(dumb.Handle)
	},
	// The release of many objects at once.
	"close": func(*kmsclient.Card) {
		withCard(func(card *kmsclient.Card) {
			for range 9000 {
				if _, err := card.CreateDumb(16, 16, 32); err != nil {
					return
				}
			}
		})
	},
	"fbclose": func(*kmsclient.Card) {
		withCard(func(card *kmsclient.Card) {
			dumb, err := card.CreateDumb(16, 16, 32)
			for i := 0; i < 60_000 && err == nil; i++ {
				_, err = card.AddFB(&dumb, uapi.FormatXRGB8888)
			}
		})
	},
	// Memory that is written, and freed.
	"fill": func(card *kmsclient.Card) {
		b, err := card.NewBuffer(1024, 1024)
		if err != nil {
			return
		}
		fillPixels(b.Pixels, 1)
		_ = unix.Munmap(b.Pixels)
		_ = card.RemoveFB(b.FB)
		_ = card.DestroyDumb(b.Handle)
	},
	// Requests that look at many objects.
	"many": func(*kmsclient.Card) {
		withCard(func(card *kmsclient.Card) {
			dumb, err := card.CreateDumb(16, 16, 32)
			for i := 0; i < 5000 && err == nil; i++ {
				_, err = card.AddFB(&dumb, uapi.FormatXRGB8888)
			}
			for range 100 {
				_, _ = card.Resources()
			}
		})
	},
	// A path with many links on the way, real and virtual.
	"links": func(*kmsclient.Card) {
		path := "/sys/class/drm/" + strings.Repeat("card0/subsystem/", 19) + "card0/dev"
		_ = unix.Stat(path, new(unix.Stat_t))
	},
	"write": func(*kmsclient.Card) {
		fd, err := open("/sys/class/drm/card0-Virtual-1/status", unix.O_WRONLY)
		if err != nil {
			failf("%v", err)
		}
		for range 10 {
			_, _ = unix.Write(fd, []byte("detect"))
		}
		_ = unix.Close(fd)
	},
	// Dma-bufs that come and go.
	"export": func(card *kmsclient.Card) {
		dumb, err := card.CreateDumb(64, 64, 32)
		if err != nil {
			return
		}
		if fd, err := card.Export(dumb.Handle, uapi.Cloexec); err == nil {
			_, _ = card.Import(fd)
			_ = unix.Close(int(fd))
		}
		_ = card.DestroyDumb(dumb.Handle)
	},
	// Open cards that nobody has but a message.
	"pass": func(*kmsclient.Card) {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return
		}
		for range 50 {
			if fd, err := open("/dev/dri/card0", unix.O_RDWR); err == nil {
				_ = unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(fd), nil, unix.MSG_DONTWAIT)
				_ = unix.Close(fd)
			}
		}
		_, _ = unix.Close(pair[0]), unix.Close(pair[1])
	},
	"list":      func(*kmsclient.Card) { _, _ = os.ReadDir("/sys/class/drm") },
	"dev":       func(*kmsclient.Card) { _, _ = os.ReadDir("/dev") }, // real and virtual files
	"attribute": func(*kmsclient.Card) { _, _ = os.ReadFile("/sys/class/drm/card0/dev") },
	"database":  func(*kmsclient.Card) { _, _ = os.ReadFile("/run/udev/data/c226:0") },
	"exec":      func(*kmsclient.Card) { _ = exec.Command("true").Run() },
	"watch": func(*kmsclient.Card) {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
		if err != nil {
			return
		}
		for _, dir := range virtualDirs {
			_, _ = unix.InotifyAddWatch(fd, dir, unix.IN_ALL_EVENTS)
		}
		_ = unix.Close(fd)
	},
	"socket": func(*kmsclient.Card) {
		if s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_KOBJECT_UEVENT); err == nil {
			_ = unix.Close(s)
		}
	},
}

// morePoints returns a maker of points that are never signalled, on one timeline.
func morePoints() func(card *kmsclient.Card) error {
	var pending, timeline uapi.SyncobjCreate
	var point uint64
	return func(card *kmsclient.Card) error {
		if point++; point == 1 {
			check(kmsclient.Ioctl(card, uapi.IoctlSyncobjCreate, &pending))
			check(kmsclient.Ioctl(card, uapi.IoctlSyncobjCreate, &timeline))
			sync := must(open("/sys/kernel/debug/sync/sw_sync", unix.O_RDWR))
			create := swsync.CreateFence{Value: 1}
			check(kmsclient.Ioctl(kmsclient.FromFD(sync), swsync.IocCreateFence, &create))
			check(kmsclient.Ioctl(card, uapi.IoctlSyncobjFDToHandle, &uapi.SyncobjHandle{
				Handle: pending.Handle, FD: create.Fence, Flags: uapi.SyncobjFDToHandleFlagsImportSyncFile,
			}))
		}
		return kmsclient.Ioctl(card, uapi.IoctlSyncobjTransfer, &uapi.SyncobjTransfer{SrcHandle: pending.Handle, DstHandle: timeline.Handle, DstPoint: point})
	}
}

func withCard(f func(*kmsclient.Card)) {
	card, err := kmsclient.Open("/dev/dri/card0")
	if err != nil {
		return
	}
	f(card)
	_ = card.Close()
}

// flood makes one kind of call from several threads until it is killed.
func flood(args []string) {
	call := floods[args[0]]
	if call == nil {
		failf("no flood %q", args[0])
	}
	card := must(kmsclient.Open("/dev/dri/card0"))
	for range must(strconv.Atoi(args[1])) {
		go func() {
			for {
				call(card)
			}
		}()
	}
	hold()
}

// makers make one more of something that they keep.
var makers = map[string]func(card *kmsclient.Card) error{
	"dumb": func(card *kmsclient.Card) error {
		_, err := card.CreateDumb(16, 16, 32)
		return err
	},
	"dumbmap": func(card *kmsclient.Card) error {
		dumb, err := card.CreateDumb(16, 16, 32)
		if err != nil {
			return err
		}
		offset, err := card.MapDumb(dumb.Handle)
		if err != nil {
			return err
		}
		pixels, err := card.Mmap(offset, int(dumb.Size))
		if err != nil {
			return err
		}
		return unix.Munmap(pixels)
	},
	"fb": func(card *kmsclient.Card) error {
		dumb := uapi.ModeCreateDumb{Handle: 1, Width: 16, Height: 16, Pitch: 64} // the first, or the next fails
		_, err := card.AddFB(&dumb, uapi.FormatXRGB8888)
		if errors.Is(err, unix.ENOENT) {
			_, err = card.CreateDumb(16, 16, 32)
		}
		return err
	},
	"name": func(card *kmsclient.Card) error {
		dumb, err := card.CreateDumb(16, 16, 32)
		if err == nil {
			err = kmsclient.Ioctl(card, uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: dumb.Handle})
		}
		return err
	},
	"syncobj": func(card *kmsclient.Card) error {
		return kmsclient.Ioctl(card, uapi.IoctlSyncobjCreate, &uapi.SyncobjCreate{})
	},
	"snapshot": func(*kmsclient.Card) error {
		_, err := open("/sys/class/drm/card0/dev", unix.O_RDONLY)
		return err
	},
	"config": func() func(*kmsclient.Card) error {
		made := 0
		return func(*kmsclient.Card) error {
			made++
			return unix.Mkdir(fmt.Sprintf("/sys/kernel/config/shelf/%d-%d", os.Getpid(), made), 0o755)
		}
	}(),
	"xattr": func() func(*kmsclient.Card) error {
		made := 0
		return func(*kmsclient.Card) error {
			made++
			return unix.Setxattr("/dev/dri", fmt.Sprintf("user.%d-%d", os.Getpid(), made), make([]byte, 1000), 0)
		}
	}(),
	"timeline": morePoints(),
	"file": func(*kmsclient.Card) error {
		_, err := open("/dev/dri/card0", unix.O_RDWR)
		return err
	},
	"control": func(*kmsclient.Card) error {
		_, err := open("/sys/class/drm/card0-Virtual-1/status", unix.O_WRONLY)
		return err
	},
	"dmabuf": func(card *kmsclient.Card) error {
		dumb, err := card.CreateDumb(16, 16, 32)
		if err == nil {
			_, err = card.Export(dumb.Handle, uapi.Cloexec)
		}
		return err
	},
	"lease": func(card *kmsclient.Card) error {
		return kmsclient.Ioctl(card, uapi.IoctlModeCreateLease, &uapi.ModeCreateLease{})
	},
	"blob": func(card *kmsclient.Card) error {
		_, err := card.CreateBlob(make([]byte, 1024))
		return err
	},
}

// takeForEver goes on to make one kind of thing, also when none is left.
func takeForEver(args []string) {
	raiseOwnLimit()
	card := must(kmsclient.Open("/dev/dri/card0"))
	go func() {
		for {
			if err := makers[args[0]](card); errors.Is(err, unix.EACCES) {
				failf("%v", err)
			} else if err != nil {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	hold()
}

// raiseOwnLimit makes sure that this program's own limit is not what ends an
// attack.
func raiseOwnLimit() {
	// With the first timer, the Go runtime takes descriptors for its poller. It ends the
	// program if none is left.
	time.Sleep(time.Nanosecond)
	var limit unix.Rlimit
	check(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
}
