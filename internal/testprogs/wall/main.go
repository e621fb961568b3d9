// Command wall flips on several cards at once for some time. It prints a line when
// all of them are lit, and then how many flips it made and how many vblanks it
// missed, each without its first flip.
//
//	wall 10s /dev/dri/card0 /dev/dri/card1
package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/udrm/udrm/internal/kmsclient"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wall:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: wall TIME CARD…")
	}
	duration, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	var screens []*screen
	for _, path := range args[1:] {
		s, err := newScreen(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		screens = append(screens, s)
	}
	fmt.Println("lit")
	until := time.Now().Add(duration)
	errs := make([]error, len(screens))
	var done sync.WaitGroup
	for i, s := range screens {
		done.Go(func() { errs[i] = s.flip(until) })
	}
	done.Wait()
	var flips, missed int
	for _, s := range screens {
		flips += s.flips
		missed += s.missed
	}
	fmt.Println(flips, missed)
	return errors.Join(errs...)
}

// A screen is the display of one card.
type screen struct {
	card    *kmsclient.Card
	display *kmsclient.Display
	buffers [2]*kmsclient.Buffer

	flips, missed int
}

func newScreen(path string) (*screen, error) {
	card, err := kmsclient.Open(path)
	if err != nil {
		return nil, err
	}
	s := &screen{card: card}
	if s.display, err = card.Display(); err != nil {
		return nil, err
	}
	for i := range s.buffers {
		if s.buffers[i], err = card.NewBuffer(int(s.display.Mode.HDisplay), int(s.display.Mode.VDisplay)); err != nil {
			return nil, err
		}
	}
	return s, card.SetCRTC(s.display, s.buffers[0].FB, s.display.Mode)
}

// flip flips from vblank to vblank.
func (s *screen) flip(until time.Time) error {
	for last := uint32(0); time.Now().Before(until); {
		if err := s.card.PageFlip(s.display.CRTC, s.buffers[s.flips%2].FB, 0); err != nil {
			return err
		}
		events, err := s.card.ReadEvents(time.Minute)
		if err != nil {
			return err
		}
		if len(events) != 1 {
			return fmt.Errorf("a flip has the events %+v", events)
		}
		now := events[0].Sequence
		if last != 0 {
			s.flips++
			s.missed += int(now-last) - 1
		}
		last = now
	}
	return nil
}
