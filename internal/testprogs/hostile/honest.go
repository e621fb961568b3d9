package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/internal/kmsclient"
)

// honest does what a program must always be able to do: it opens files of its
// own and the second card, shows a picture and flips, the given number of times.
// The attacks are masters of the first card.
func honest(args []string) {
	n := must(strconv.Atoi(args[0]))
	display(func(flipped int) bool { return flipped < n })
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

// display flips as long as goOn says, and returns how often it did.
func display(goOn func(flipped int) bool) (flipped int) {
	card := must(kmsclient.Open("/dev/dri/card1"))
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
