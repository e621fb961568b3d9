package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/config"
)

type demoCmd struct {
	Dir string `help:"Where the pictures go; a new directory below the temporary one by default." type:"path"`
}

// The demo's story: a client flips on two cards; when both run, the first one
// is unplugged while requests are in flight; the client tries it out; the
// second card goes on.
const (
	demoFlipsBefore = 60 // on each card, before the unplug
	demoFlipsAfter  = 60 // on the second card, after it
	demoDeadline    = 60 * time.Second
)

func (cmd *demoCmd) Run() error {
	if cmd.Dir == "" {
		dir, err := os.MkdirTemp("", "udrm-demo-")
		if err != nil {
			return err
		}
		cmd.Dir = dir
	}
	d := &demo{dir: cmd.Dir, reports: make(chan demoReport, 1024)}
	if err := d.run(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return d.verdict()
}

// A demo is one run of it.
type demo struct {
	dir      string
	timeline timeline
	checks   []demoCheck

	cards    *cards
	reports  chan demoReport
	flips    [2]flipRecord
	waiting  bool
	after    []demoReport // calls on the first card that returned after the unplug began
	released []string     // managed resources, in order

	unplugAt       int64
	guardsAtUnplug int
}

type demoCheck struct {
	what string
	err  error
}

func (d *demo) check(what string, err error) { d.checks = append(d.checks, demoCheck{what, err}) }

func (d *demo) run() (err error) {
	if d.cards, err = newCards(slices.Repeat([]config.Card{config.DefaultCard()}, 2), nil); err != nil {
		return err
	}
	h, err := host.New(d.cards.class, host.Options{Logger: slog.Default(), AdoptOrphans: true, RaiseGOMAXPROCS: true})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	client := exec.Command(self, "demo-client", "/dev/dri/card0", "/dev/dri/card1")
	client.Stderr = os.Stderr
	stdin, err := client.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := client.StdoutPipe()
	if err != nil {
		return err
	}
	d.watch()
	p, err := h.Start(client)
	if err != nil {
		return err
	}
	go d.receive(stdout)
	story := d.tell()
	stdin.Close()
	for range d.reports { // to the end of the client's output
	}
	status, err := p.Wait()
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	d.check("the client ended as it should", err)
	<-p.Done()
	// The end of the host releases what the client had open when it ended.
	d.check("nothing is left of either card", errors.Join(d.cards.removeAll(), h.Close(), d.leftovers()))
	return story
}

// tell is the story. It returns an error when it cannot go on.
func (d *demo) tell() error {
	first := d.cards.device("card0")
	if err := d.until("both cards flip and a request waits", func() bool {
		return d.waiting && d.flips[0].count >= demoFlipsBefore && d.flips[1].count >= demoFlipsBefore
	}); err != nil {
		return err
	}
	d.picture("card0")

	d.guardsAtUnplug = first.Guards()
	d.unplugAt = now()
	d.timeline.addAt(d.unplugAt, "udrm", "unplug card0; %d guards are open", d.guardsAtUnplug)
	if err := d.cards.unplug("card0"); err != nil {
		return err
	}
	d.timeline.add("udrm", "card0 is unplugged: guards drained and all released in %v",
		time.Duration(now()-d.unplugAt).Round(time.Microsecond))

	seen := d.flips[1].count
	if err := d.until("the client has tried out the card that is gone, and the second card flips", func() bool {
		return d.tried("open") && d.flips[1].count >= seen+demoFlipsAfter
	}); err != nil {
		return err
	}
	d.picture("card1")
	d.judge(first)
	return nil
}

// watch puts what udrm does into the timeline.
func (d *demo) watch() {
	d.cards.platform.Subscribe(func(e bus.Event) {
		if e.Action == "release" {
			d.released = append(d.released, e.Device.Name()+": "+e.Resource)
			d.timeline.add("devres", "%s: released %q", e.Device.Name(), e.Resource)
			return
		}
		d.timeline.add("bus", "%s %s", e.Action, e.Device.Name())
	})
	d.cards.class.Subscribe(func(e drm.Uevent) { d.timeline.add("uevent", "%s %s", e.Action, e.Kobject.Name) })
}

// receive passes on what the client reports.
func (d *demo) receive(stdout io.Reader) {
	defer close(d.reports)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var r demoReport
		if err := json.Unmarshal(lines.Bytes(), &r); err == nil {
			d.reports <- r
		}
	}
}

// until takes in reports until done says so.
func (d *demo) until(what string, done func() bool) error {
	deadline := time.After(demoDeadline)
	for !done() {
		select {
		case r, ok := <-d.reports:
			if !ok {
				return fmt.Errorf("the client ended before %s", what)
			}
			d.take(r)
		case <-deadline:
			return fmt.Errorf("%v passed before %s", demoDeadline, what)
		}
	}
	return nil
}

func (d *demo) take(r demoReport) {
	card := filepath.Base(r.Card)
	switch r.What {
	case reportFlipped:
		d.flips[strings.Index("01", card[len(card)-1:])].add(r)
		return
	case reportWaiting:
		d.waiting = true
	}
	d.timeline.addAt(r.At, "client", "%s: %s", card, r)
	switch {
	case card == "card0" && r.Note == "" && d.unplugAt != 0 && r.At > d.unplugAt:
		d.after = append(d.after, r)
	}
}

func (r demoReport) String() string {
	s := r.What
	switch {
	case r.Note != "":
		s += ": " + r.Note
	case r.Errno != "":
		s += ": " + r.Errno
	case r.What != reportWaiting && r.What != reportDone:
		s += ": ok"
	}
	return s
}

// tried reports whether the client has made that call on the card that is
// gone.
func (d *demo) tried(what string) bool {
	for _, r := range d.after {
		if r.What == what {
			return true
		}
	}
	return false
}

// picture writes what a card shows.
func (d *demo) picture(card string) {
	file := filepath.Join(d.dir, card+".png")
	err := d.cards.screenshot(card, "", file)
	d.check(fmt.Sprintf("the last frame of %s is in %s", card, file), err)
}
