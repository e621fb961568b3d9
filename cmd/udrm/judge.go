package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/udrm/udrm/drm"
)

// A flipRecord is the flips of one card, as the client saw them.
type flipRecord struct {
	count         int
	first, last   int64 // when, ns
	firstSequence uint32
	lastSequence  uint32
	longest       time.Duration // between two flips
}

func (f *flipRecord) add(r demoReport) {
	if f.count == 0 {
		f.first, f.firstSequence = r.At, r.Sequence
	} else {
		f.longest = max(f.longest, time.Duration(r.At-f.last))
	}
	f.count++
	f.last, f.lastSequence = r.At, r.Sequence
}

// hertz is the rate of the vblanks in which the flips happened.
func (f *flipRecord) hertz() float64 {
	return float64(f.lastSequence-f.firstSequence) / (time.Duration(f.last - f.first).Seconds())
}

// afterUnplug is what each call on a card that is gone must answer; see
// hotunplug.md, column udrm.
var afterUnplug = map[string]string{
	"VERSION":     "ENODEV",
	"SETCRTC":     "ENODEV",
	"WAIT_VBLANK": "ENODEV",
	"CREATE_DUMB": "ENODEV",
	"mmap":        "ENODEV",
	"touching every page of the old mappings": "",
	"read, O_NONBLOCK":                        "EAGAIN",
	"open":                                    "ENOENT",
}

// judge checks the story. first is the card that is gone.
func (d *demo) judge(first *drm.Device) {
	d.check("requests were in flight at the unplug", expect(d.guardsAtUnplug > 0, "no guard was open"))
	d.check("the first card is drained", expect(first.State() >= drm.Drained && first.Guards() == 0, "%v, %d guards", first.State(), first.Guards()))
	d.check("the wait far ahead returned 0 at the unplug", expect(
		slices.ContainsFunc(d.after, func(r demoReport) bool { return r.What == "WAIT_VBLANK far ahead" && r.Errno == "" }),
		"what returned was: %v", d.after))
	var wrong []error
	answered := make(map[string]bool)
	for _, r := range d.after {
		if want, ok := afterUnplug[r.What]; ok {
			answered[r.What] = true
			wrong = append(wrong, expect(r.Errno == want, "%v, not %s", r, want))
		}
	}
	wrong = append(wrong, expect(len(answered) == len(afterUnplug), "only %d of %d calls were answered", len(answered), len(afterUnplug)))
	d.check("every call after it got what it must", errors.Join(wrong...))
	d.check("its resources were released newest first", expect(d.releasedNewestFirst(), "%q", d.released))

	second := &d.flips[1]
	hertz, missed := second.hertz(), int(second.lastSequence-second.firstSequence)+1-second.count
	d.check(fmt.Sprintf("the second card ran on: %d flips at %.2f Hz, %d vblanks missed, at most %v between two flips",
		second.count, hertz, missed, second.longest.Round(time.Millisecond)),
		expect(hertz > 59.4 && hertz < 60.6, "60 Hz within 1 %% was expected"))
}

// releasedNewestFirst compares with the order in which the driver acquired
// its resources: the registration was the last, the DRM device before it.
func (d *demo) releasedNewestFirst() bool {
	want := d.cards.driver("card0").Acquired()
	slices.Reverse(want)
	var got []string
	for _, r := range d.released {
		if len(got) < len(want) {
			got = append(got, r[len("vkms: "):])
		}
	}
	return slices.Equal(got, want)
}

// leftovers looks for what should be gone at the end.
func (d *demo) leftovers() error {
	var errs []error
	for _, card := range []string{"card0", "card1"} {
		dev := d.cards.device(card)
		errs = append(errs, expect(dev.State() == drm.Gone && dev.Files() == 0, "%s is %v, with %d open files", card, dev.State(), dev.Files()))
	}
	return errors.Join(errs...)
}

func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// verdict prints the timeline and the checks, and is an error when one of
// them failed.
func (d *demo) verdict() error {
	fmt.Println("What happened, in milliseconds from the unplug on:")
	d.timeline.print(os.Stdout, d.unplugAt)
	fmt.Println("\nWhat must hold:")
	failed := 0
	for _, c := range d.checks {
		if c.err == nil {
			fmt.Printf("  ok      %s\n", c.what)
			continue
		}
		failed++
		fmt.Printf("  FAILED  %s: %v\n", c.what, c.err)
	}
	if failed != 0 {
		return fmt.Errorf("demo: %d of %d checks failed", failed, len(d.checks))
	}
	return nil
}
