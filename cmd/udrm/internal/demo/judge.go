package demo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/udrm/udrm/drm"
)

// A flipRecord summarises the flips that the client saw on one card.
type flipRecord struct {
	count       int
	first, last report
	longest     time.Duration // between two flips, as the client saw them
}

func (f *flipRecord) add(r report) {
	if f.count == 0 {
		f.first = r
	} else {
		f.longest = max(f.longest, time.Duration(r.At-f.last.At))
	}
	f.count++
	f.last = r
}

// vblanks returns how many vblanks lie between the first flip and the last.
func (f *flipRecord) vblanks() int { return int(f.last.Sequence - f.first.Sequence) }

// hertz returns the rate of the vblanks by the times in the events. The client
// sees the events later, and on a busy machine much later.
func (f *flipRecord) hertz() float64 {
	return float64(f.vblanks()) / time.Duration(f.last.Vblank-f.first.Vblank).Seconds()
}

// afterUnplug maps the calls on an unplugged card to their errors.
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

// judge checks the story. first is the device that was unplugged.
func (d *demo) judge(first *drm.Device) {
	d.check("requests were in flight at the unplug", expect(d.guardsAtUnplug > 0, "no guard was open"))
	d.check("the first card is drained", expect(first.State() >= drm.Drained && first.Guards() == 0, "%v, %d guards", first.State(), first.Guards()))
	d.check("the wait for a distant vblank returned 0 at the unplug", expect(
		slices.ContainsFunc(d.after, func(r report) bool { return r.What == "WAIT_VBLANK, 19 hours" && r.Errno == "" }),
		"these calls returned: %v", d.after))
	var wrong []error
	answered := make(map[string]bool)
	for _, r := range d.after {
		if want, ok := afterUnplug[r.What]; ok {
			answered[r.What] = true
			wrong = append(wrong, expect(r.Errno == want, "%v, not %s", r, want))
		}
	}
	wrong = append(wrong, expect(len(answered) == len(afterUnplug), "only %d of %d calls were answered", len(answered), len(afterUnplug)))
	d.check("every call after the unplug returned its error", errors.Join(wrong...))
	d.check("its resources were released newest first", expect(d.releasedNewestFirst(), "%q", d.released))

	second := &d.flips[1]
	hertz, missed := second.hertz(), second.vblanks()+1-second.count
	d.check(fmt.Sprintf("the second card ran on: %d flips at %.2f Hz, %d vblanks missed, at most %v between two flips",
		second.count, hertz, missed, second.longest.Round(time.Millisecond)),
		expect(hertz > 59.4 && hertz < 60.6, "60 Hz within 1 %% was expected"))
}

// releasedNewestFirst reports whether the resources of the first card were
// released in the opposite order of their acquisition.
func (d *demo) releasedNewestFirst() bool {
	want := d.drivers[0].Acquired()
	slices.Reverse(want)
	var got []string
	for _, r := range d.released {
		if len(got) < len(want) {
			got = append(got, r[len("vkms: "):])
		}
	}
	return slices.Equal(got, want)
}

// leftovers returns an error if a device is still in use.
func (d *demo) leftovers() error {
	var errs []error
	for _, card := range d.cards {
		dev := card.Device()
		errs = append(errs, expect(dev.State() == drm.Gone && dev.Files() == 0, "%s is %v, with %d open files", card.Label(), dev.State(), dev.Files()))
	}
	return errors.Join(errs...)
}

func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// verdict prints the timeline and the checks. It returns an error if a check
// failed.
func (d *demo) verdict() error {
	fmt.Println("Events, in milliseconds since the unplug:")
	d.timeline.print(os.Stdout, d.unplugAt)
	fmt.Println("\nChecks:")
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
