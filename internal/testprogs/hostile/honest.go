package main

import (
	"fmt"
	"io"
	"os"
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
	display(must(strconv.Atoi(args[0])), func() bool { return true })
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
	fmt.Println(display(-1, func() bool { return !end.Load() }))
}

// display flips n times, or as long as goOn says, and returns how often.
func display(n int, goOn func() bool) (flipped int) {
	card := must(kmsclient.Open("/dev/dri/card1"))
	defer card.Close()
	d := must(card.Display())
	var buffers [2]*kmsclient.Buffer
	for i := range buffers {
		buffers[i] = must(card.NewBuffer(int(d.Mode.HDisplay), int(d.Mode.VDisplay)))
		defer unix.Munmap(buffers[i].Pixels)
	}
	check(card.SetCRTC(d, buffers[0].FB, d.Mode))
	for flipped != n && goOn() {
		check(card.PageFlip(d.CRTC, buffers[flipped%2].FB, uint64(flipped)))
		events := must(card.ReadEvents(time.Minute))
		if len(events) != 1 || events[0].UserData != uint64(flipped) {
			failf("flip %d: the events are %+v", flipped, events)
		}
		flipped++
	}
	return flipped
}
