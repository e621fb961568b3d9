package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/machine/picture"
)

// A Command is the command demo.
type Command struct {
	Dir string `help:"Directory of the pictures; default: a new temporary directory." type:"path"`
}

// The story of the demo: a client flips on two cards. While both run, the first
// card is unplugged, with requests in flight. The client tries every request on
// it, and the second card goes on.
const (
	flipsBefore = 60 // on each card, before the unplug
	flipsAfter  = 60 // on the second card, after it
	timeout     = 60 * time.Second
)

// Run runs the demo and prints what happened.
func (cmd *Command) Run() error {
	d := &demo{reports: make(chan report, 1024)}
	if err := d.run(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if cmd.Dir == "" { // not before: a demo that is interrupted leaves nothing behind
		dir, err := os.MkdirTemp("", "udrm-demo-")
		if err != nil {
			return fmt.Errorf("demo: no directory for its pictures: %w; name one with --dir", err)
		}
		cmd.Dir = dir
	}
	d.save(cmd.Dir)
	return d.verdict()
}

// A demo is one run of it.
type demo struct {
	timeline timeline
	shots    []shot
	checks   []check

	machine  *machine.Machine
	cards    [2]*machine.Card
	drivers  []*vkms.Driver // of the cards, in the order of their plugging
	reports  chan report
	flips    [2]flipRecord
	waiting  bool
	after    []report // calls on the first card that returned after the unplug began
	released []string // managed resources, in order

	unplugAt       int64
	guardsAtUnplug int
}

type check struct {
	what string
	err  error
}

func (d *demo) check(what string, err error) { d.checks = append(d.checks, check{what, err}) }

// newMachine makes the machine, with drivers that the demo can ask.
func (d *demo) newMachine() (err error) {
	driver := machine.Driver{Name: config.VKMS, New: func(class *drm.Class, card config.Card) *bus.Driver {
		driver := vkms.NewDriver(class, card.VKMS)
		d.drivers = append(d.drivers, driver)
		return driver.BusDriver()
	}}
	// The timeline has the story; the log has what goes wrong.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d.machine, err = machine.New(slices.Repeat([]config.Card{config.DefaultCard()}, 2), machine.Options{
		Drivers: []machine.Driver{driver}, Logger: log, AdoptOrphans: true, RaiseGOMAXPROCS: true,
	})
	if err != nil {
		return err
	}
	copy(d.cards[:], d.machine.Cards())
	return nil
}

func (d *demo) run() (err error) {
	if err := d.newMachine(); err != nil {
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
	p, err := d.machine.Start(client)
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
	d.check("the client ended with status 0", err)
	<-p.Done()
	d.check("nothing is left of either card", errors.Join(d.machine.Close(context.Background()), d.leftovers()))
	return story
}

// tell plays the story. It returns an error if the story cannot go on.
func (d *demo) tell() error {
	first := d.cards[0].Device()
	if err := d.until("both cards flip and a request waits", func() bool {
		return d.waiting && d.flips[0].count >= flipsBefore && d.flips[1].count >= flipsBefore
	}); err != nil {
		return err
	}
	d.picture(d.cards[0])

	d.guardsAtUnplug = first.Guards()
	d.unplugAt = now()
	d.timeline.addAt(d.unplugAt, "udrm", "unplug card0; open guards: %d", d.guardsAtUnplug)
	if err := d.cards[0].Unplug(context.Background()); err != nil {
		return err
	}
	d.timeline.add("udrm", "card0 is unplugged: guards drained and all released in %v",
		time.Duration(now()-d.unplugAt).Round(time.Microsecond))

	seen := d.flips[1].count
	if err := d.until("the client has tried the unplugged card, and the second card flips", func() bool {
		return d.tried("open") && d.flips[1].count >= seen+flipsAfter
	}); err != nil {
		return err
	}
	d.picture(d.cards[1])
	d.judge(first)
	return nil
}

// watch adds the events of udrm to the timeline.
func (d *demo) watch() {
	d.machine.SubscribeBuses(func(e bus.Event) {
		if e.Action == "release" {
			d.released = append(d.released, e.Device.Name()+": "+e.Resource)
			d.timeline.add("devres", "%s: released %q", e.Device.Name(), e.Resource)
			return
		}
		d.timeline.add("bus", "%s %s", e.Action, e.Device.Name())
	})
	d.machine.Class().Subscribe(func(e drm.Uevent) { d.timeline.add("uevent", "%s %s", e.Action, e.Kobject.Name) })
}

// receive passes the reports of the client on.
func (d *demo) receive(stdout io.Reader) {
	defer close(d.reports)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err == nil {
			d.reports <- r
		}
	}
}

// until takes reports until done returns true.
func (d *demo) until(what string, done func() bool) error {
	deadline := time.After(timeout)
	for !done() {
		select {
		case r, ok := <-d.reports:
			if !ok {
				return fmt.Errorf("the client ended before %s", what)
			}
			d.take(r)
		case <-deadline:
			return fmt.Errorf("%v passed before %s", timeout, what)
		}
	}
	return nil
}

func (d *demo) take(r report) {
	card := d.cards[r.Card]
	switch r.What {
	case reportFlipped:
		d.flips[r.Card].add(r)
		return
	case reportWaiting:
		d.waiting = true
	}
	d.timeline.addAt(r.At, "client", "%s: %s", card.Label(), r)
	if r.Card == 0 && r.Note == "" && d.unplugAt != 0 && r.At > d.unplugAt {
		d.after = append(d.after, r)
	}
}

func (r report) String() string {
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

// tried reports whether the client has made that call on the unplugged card.
func (d *demo) tried(what string) bool {
	for _, r := range d.after {
		if r.What == what {
			return true
		}
	}
	return false
}

// A shot is the last frame of a card, or why there is none.
type shot struct {
	card    string
	picture image.Image
	err     error
}

// picture takes the picture of a card.
func (d *demo) picture(card *machine.Card) {
	shown, err := card.Screenshot("")
	d.shots = append(d.shots, shot{card.Label(), shown, err})
}

// save writes the pictures.
func (d *demo) save(dir string) {
	for _, s := range d.shots {
		file := filepath.Join(dir, s.card+".png")
		if s.err == nil {
			s.err = picture.Write(file, s.picture)
		}
		d.check(fmt.Sprintf("the last frame of %s is in %s", s.card, file), s.err)
	}
}
