package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// pulledPages is how many pages an array of pull has. The host looks for them all
// before it copies them.
const pulledPages = 31

// pull sends requests whose array has a last page that this process provides and
// takes away, over and over, until the host waits for it. It holds when so many
// requests wait as its argument says.
func pull(args []string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	size := pulledPages * os.Getpagesize()
	written := must(card.CreateBlob(make([]byte, size)))
	for i := range must(strconv.Atoi(args[0])) {
		faults, at, last := missingLast(pulledPages)
		request := func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeGetPropBlob, &uapi.ModeGetBlob{BlobID: written, Length: uint32(size), Data: uint64(at)})
		}
		if i%2 == 0 {
			request = func() error {
				blob := uapi.ModeCreateBlob{Data: uint64(at), Length: uint32(size)}
				if err := kmsclient.Ioctl(card, uapi.IoctlModeCreatePropBlob, &blob); err != nil {
					return err
				}
				return kmsclient.Ioctl(card, uapi.IoctlModeDestroyPropBlob, &uapi.ModeDestroyBlob{BlobID: blob.BlobID})
			}
		}
		go func() {
			for {
				if err := request(); errors.Is(err, unix.ENODEV) {
					return
				} else if err != nil {
					failf("request %d: %v, want %v", i, err, unix.ENODEV)
				}
			}
		}()
		for waits := false; !waits; {
			providePage(faults, last, nil)
			takePage(last)
			switch _, err := unix.Read(faults, make([]byte, 32)); { // struct uffd_msg
			case err == nil:
				waits = true
			case err != unix.EAGAIN:
				failf("reading a fault: %v", err)
			}
		}
	}
	hold()
	os.Exit(0)
}

// groups runs an attack in many process groups.
func groups(args []string) {
	var all []*exec.Cmd
	var stdins []io.Closer // until which they hold
	for range must(strconv.Atoi(args[0])) {
		cmd := exec.Command("/proc/self/exe", args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		stdins = append(stdins, must(cmd.StdinPipe()))
		holding := bufio.NewReader(must(cmd.StdoutPipe()))
		check(cmd.Start())
		must(holding.ReadString('\n'))
		all = append(all, cmd)
	}
	hold()
	for i, cmd := range all {
		check(stdins[i].Close())
		check(cmd.Wait())
	}
}

// withhold has so many threads as its first argument says send a request whose array
// lies in memory that this process alone could provide, and does not. It holds once the
// host waits for so many of them as the second one says.
func withhold(args []string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	faults, page := missingPage()
	for range must(strconv.Atoi(args[0])) {
		go func() {
			err := kmsclient.Ioctl(card, uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Data: uint64(page), Length: 4000})
			if !errors.Is(err, unix.ENODEV) {
				failf("%v, want %v", err, unix.ENODEV)
			}
		}()
	}
	for range must(strconv.Atoi(args[1])) {
		_, err := unix.Read(faults, make([]byte, 32)) // struct uffd_msg
		check(err)
	}
	hold()
	os.Exit(0)
}
