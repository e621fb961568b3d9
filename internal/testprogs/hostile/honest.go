package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// honest does what a program must always be able to do: it opens files of its
// own and the second card, shows a picture and flips, the given number of times.
// The attacks are masters of the first card. The second argument names another
// card.
func honest(args []string) {
	n := must(strconv.Atoi(args[0]))
	card := "/dev/dri/card1"
	if len(args) > 1 {
		card = args[1]
	}
	displayOn(card, func(flipped int) bool { return flipped < n })
	if file := must(os.ReadFile("/etc/passwd")); len(file) == 0 {
		failf("/etc/passwd is empty")
	}
}

// flips flips until its standard input ends and prints how often.
func flips([]string) {
	var end atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end.Store(true)
	}()
	fmt.Println("holding")
	fmt.Println(display(func(int) bool { return !end.Load() }))
}

// measure flips for the given time, opens a file ten times a second, and prints
// the flips per second, and in microseconds the 99th percentile of the time
// between two flips and the median time of an open.
func measure(args []string) {
	duration := must(time.ParseDuration(args[0]))
	var intervals, opens []time.Duration
	start := time.Now()
	last, lastOpen := start, start
	flipped := display(func(n int) bool {
		now := time.Now()
		if n == 0 {
			start = now // the display is lit
		} else {
			intervals = append(intervals, now.Sub(last))
		}
		if now.Sub(lastOpen) > time.Second/10 {
			lastOpen = now
			fd := must(open("/etc/passwd", unix.O_RDONLY))
			opens = append(opens, time.Since(now))
			check(unix.Close(fd))
		}
		last = time.Now()
		return now.Sub(start) < duration
	})
	slices.Sort(intervals)
	slices.Sort(opens)
	fmt.Println(float64(flipped)/last.Sub(start).Seconds(),
		float64(intervals[len(intervals)*99/100])/1e3, float64(opens[len(opens)/2])/1e3)
}

// display flips on the second card as long as goOn says, and returns how often
// it did.
func display(goOn func(flipped int) bool) (flipped int) {
	return displayOn("/dev/dri/card1", goOn)
}

func displayOn(path string, goOn func(flipped int) bool) (flipped int) {
	card := must(kmsclient.Open(path))
	defer card.Close()
	d := must(card.Display())
	var buffers [2]*kmsclient.Buffer
	for i := range buffers {
		buffers[i] = must(card.NewBuffer(int(d.Mode.HDisplay), int(d.Mode.VDisplay)))
		defer unix.Munmap(buffers[i].Pixels)
	}
	check(card.SetCRTC(d, buffers[0].FB, d.Mode))
	for goOn(flipped) {
		check(card.PageFlip(d.CRTC, buffers[flipped%2].FB, uint64(flipped)))
		events := must(card.ReadEvents(time.Minute))
		if len(events) != 1 || events[0].UserData != uint64(flipped) {
			failf("flip %d: the events are %+v", flipped, events)
		}
		flipped++
	}
	return flipped
}

// The size of the pictures of cycles, and a mode for it.
const cycleWidth, cycleHeight = 32, 16

var cycleMode = uapi.ModeInfo{
	Clock: 1000, HDisplay: cycleWidth, HSyncStart: 40, HSyncEnd: 48, HTotal: 64,
	VDisplay: cycleHeight, VSyncStart: 18, VSyncEnd: 20, VTotal: 24,
}

// cycles flips on a card until the card is unplugged, once for each line of its
// standard input, and prints a line when it has closed the card. The argument
// is the card.
func cycles(args []string) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		card := must(kmsclient.Open(args[0]))
		flipUntilGone(card)
		check(card.Close())
		fmt.Println("closed")
	}
}

func flipUntilGone(card *kmsclient.Card) {
	gone := func(what string, err error) bool {
		if err != nil && err != io.EOF && !errors.Is(err, unix.ENODEV) {
			failf("%s: %v", what, err)
		}
		return err != nil
	}
	d := must(card.Display())
	var buffers [2]*kmsclient.Buffer
	for i := range buffers {
		buffers[i] = must(card.NewBuffer(cycleWidth, cycleHeight))
		fillPixels(buffers[i].Pixels, byte(0x40+i))
		defer func() {
			fillPixels(buffers[i].Pixels, 0xff) // an unplug must not cause SIGBUS
			check(unix.Munmap(buffers[i].Pixels))
		}()
	}
	check(card.SetCRTC(d, buffers[0].FB, cycleMode))
	for n := uint64(1); ; n++ {
		if gone("a flip", card.PageFlip(d.CRTC, buffers[n%2].FB, n)) {
			break
		}
		events, err := card.ReadEvents(time.Minute)
		if gone("reading an event", err) {
			failf("flip %d was accepted and has no event: %v", n, err)
		}
		if len(events) != 1 || events[0].UserData != n {
			failf("flip %d: the events are %+v", n, events)
		}
	}
	if events := must(card.ReadEvents(0)); len(events) != 0 {
		failf("after the unplug: the events are %+v", events)
	}
	want("GETCRTC after the unplug", kmsclient.Errno(kmsclient.Ioctl(card, uapi.IoctlModeGetCRTC, &uapi.ModeCRTC{CRTCID: d.CRTC})), unix.ENODEV)
}

func fillPixels(pixels []byte, value byte) {
	for i := range pixels {
		pixels[i] = value
	}
}

// use opens the first card, draws, flips, shares a buffer and closes the card,
// until it is killed.
func use([]string) {
	for {
		card := must(kmsclient.Open("/dev/dri/card0"))
		d := must(card.Display())
		b := must(card.NewBuffer(cycleWidth, cycleHeight))
		fillPixels(b.Pixels, 0x40)
		check(card.SetCRTC(d, b.FB, cycleMode))
		check(card.PageFlip(d.CRTC, b.FB, 1))
		fd := must(card.Export(b.Handle, uapi.Cloexec|uapi.RDWR))
		_ = must(card.Import(fd))
		shared := must(unix.Mmap(int(fd), 0, len(b.Pixels), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))
		_ = must(card.ReadEvents(time.Minute))
		check(card.PageFlip(d.CRTC, b.FB, 2)) // in flight at the close
		check(unix.Munmap(shared))
		check(unix.Munmap(b.Pixels))
		check(unix.Close(int(fd)))
		check(card.Close())
	}
}
