// Command storm uses a card from several threads at once. Each opens the card,
// draws, flips, maps and queries it until it is unplugged, and opens it again
// as soon as it is back. A thread prints "working" each time it starts to use a
// card. At the end of standard input the command prints its counts as JSON. It
// exits with status 0 if every call succeeded or returned ENODEV.
//
//	storm /dev/dri/card0 4
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// counts are the counts of all threads, for the JSON on standard output.
type counts struct {
	Sessions, Calls, Gone atomic.Int64
	mu                    sync.Mutex
	unexpected            map[string]int
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: storm CARD THREADS")
		os.Exit(2)
	}
	threads, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(2)
	}
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	c := &counts{unexpected: make(map[string]int)}
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() { c.storm(os.Args[1], stop) })
	}
	wg.Wait()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"sessions": c.Sessions.Load(), "calls": c.Calls.Load(), "gone": c.Gone.Load(), "unexpected": c.unexpected,
	})
	if len(c.unexpected) != 0 {
		os.Exit(1)
	}
}

func (c *counts) storm(path string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		card, err := kmsclient.Open(path)
		if err != nil {
			if !errors.Is(err, unix.ENOENT) {
				c.note("open", err)
			}
			time.Sleep(time.Millisecond) // until it is plugged again
			continue
		}
		c.Sessions.Add(1)
		c.session(card, stop)
		card.Close()
	}
}

// session uses the card until it is unplugged.
func (c *counts) session(card *kmsclient.Card, stop <-chan struct{}) {
	display, err := card.Display()
	if !c.note("display", err) {
		return
	}
	var buffers [2]*kmsclient.Buffer
	for i := range buffers {
		if buffers[i], err = card.NewBuffer(64, 64); !c.note("buffer", err) {
			return
		}
		defer unix.Munmap(buffers[i].Pixels)
	}
	fmt.Println("working")
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		b := buffers[n%2]
		for i := 0; i < len(b.Pixels); i += 4096 {
			b.Pixels[i]++ // an unplug must not cause SIGBUS
		}
		what, err := c.work(card, display, b)
		if !c.note(what, err) {
			for i := range b.Pixels {
				b.Pixels[i]++
			}
			return
		}
	}
}

// work sends one request of some kind. Several threads share the card, so most
// of them are not its master (EACCES) and flips collide (EBUSY).
func (c *counts) work(card *kmsclient.Card, d *kmsclient.Display, b *kmsclient.Buffer) (string, error) {
	switch rand.IntN(6) {
	case 0:
		return "GETCRTC", kmsclient.Ioctl(card, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: d.CRTC})
	case 1:
		full, err := card.NewBuffer(int(d.Mode.HDisplay), int(d.Mode.VDisplay))
		if err != nil {
			return "buffer", err
		}
		defer unix.Munmap(full.Pixels)
		if err := allow(card.SetCRTC(d, full.FB, d.Mode), unix.EACCES); err != nil {
			return "SETCRTC", err
		}
		err = allow(card.PageFlip(d.CRTC, full.FB, 1), unix.EACCES, unix.EBUSY, unix.EINVAL)
		if err == nil {
			_, err = card.ReadEvents(0)
		}
		return "PAGE_FLIP", err
	case 2:
		return "WAIT_VBLANK", allow(kmsclient.Ioctl(card, uapi.IoctlWaitVblank,
			&uapi.WaitVblankRequest{Type: uapi.VblankRelative, Sequence: 1}), unix.EINVAL) // EINVAL: the CRTC is off
	case 3:
		pixels, err := card.Mmap(b.Offset, len(b.Pixels))
		if err == nil {
			unix.Munmap(pixels)
		}
		return "mmap", err
	case 4:
		_, err := card.CreateDumb(8, 8, 32)
		return "CREATE_DUMB", err
	}
	_, err := card.Display()
	return "display", err
}

func allow(err error, errnos ...unix.Errno) error {
	for _, errno := range errnos {
		if errors.Is(err, errno) {
			return nil
		}
	}
	return err
}

// note counts a call and reports whether it succeeded.
func (c *counts) note(what string, err error) bool {
	c.Calls.Add(1)
	switch {
	case err == nil:
		return true
	case errors.Is(err, unix.ENODEV):
		c.Gone.Add(1)
	default:
		c.mu.Lock()
		c.unexpected[fmt.Sprintf("%s: %v", what, err)]++
		c.mu.Unlock()
	}
	return false
}
