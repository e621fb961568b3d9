package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/host"
)

type runCmd struct {
	cardFlags `embed:"" group:"Cards:"`

	At      []timedAction `sep:"none" placeholder:"TIME:ACTION=CARD" help:"Do something some time after the start. To a card: unplug, unbind, plug. To a connector (CARD:CONNECTOR): disconnect, connect (the monitor that it had, or =MONITOR). Take a picture: screenshot (=CARD=FILE.png, =CARD:CONNECTOR=FILE.png). May be repeated."`
	HangUp  bool          `help:"At an unplug, wake who waits for events, and end reads. A kernel does not."`
	Verbose bool          `short:"v" help:"Say what udrm does."`
	Program []string      `arg:"" passthrough:"partial" help:"The program and its arguments."`
}

func (cmd *runCmd) Run(ctx *kong.Context) error {
	list, further, err := cmd.describe(givenCardFlags(ctx))
	if err != nil {
		return err
	}
	program := cmd.Program
	if program[0] == "--" {
		program = program[1:]
	}
	if len(program) == 0 {
		return errors.New("no program to run; write it behind --")
	}
	log := slog.New(prefixHandler{slog.LevelWarn})
	slog.SetDefault(log)

	cards, err := newCards(list, further)
	if err != nil {
		return err
	}
	h, err := host.New(cards.class, host.Options{HangUp: cmd.HangUp, Logger: log, AdoptOrphans: true, RaiseGOMAXPROCS: true})
	if err != nil {
		return err
	}
	target := exec.Command(program[0], program[1:]...)
	target.Stdin, target.Stdout, target.Stderr = os.Stdin, os.Stdout, os.Stderr
	forward := catchSignals()
	p, err := h.Start(target)
	if err != nil {
		return errors.Join(err, h.Close(), cards.removeAll())
	}
	stop := make(chan struct{})
	var timer sync.WaitGroup
	timer.Go(func() { cmd.actAt(cards, stop) })
	forward.to(target.Process, p.Exited())
	status, err := p.Wait()
	forward.toLeftovers(program[0], p.Done()) // it is served as well
	close(stop)
	timer.Wait()
	if err := errors.Join(err, h.Close(), cards.removeAll()); err != nil {
		return err
	}
	return exitStatus(status)
}

// actAt does what --at asks for, in the order of the times.
func (cmd *runCmd) actAt(cards *cards, stop <-chan struct{}) {
	start := time.Now()
	slices.SortStableFunc(cmd.At, func(a, b timedAction) int { return int(a.after - b.after) })
	for _, a := range cmd.At {
		select {
		case <-stop:
			fmt.Fprintf(os.Stderr, "udrm: %v: not done, the program ended after %v\n", a, time.Since(start).Round(time.Millisecond))
			continue
		case <-time.After(time.Until(start.Add(a.after))):
		}
		begin := time.Now()
		err := actions[a.action].do(cards, a)
		switch {
		case err != nil:
			fmt.Fprintf(os.Stderr, "udrm: %v: %v\n", a, err)
		case cmd.Verbose:
			fmt.Fprintf(os.Stderr, "udrm: %v: done in %v\n", a, time.Since(begin).Round(time.Microsecond))
		}
	}
}
