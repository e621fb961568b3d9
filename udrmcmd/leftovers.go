package udrmcmd

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/machine"
)

// leftovers is a policy for the processes that a program leaves behind.
type leftovers struct {
	policy string        // kill, wait or report
	grace  time.Duration // before kill
}

// UnmarshalText parses kill, kill:10s, wait or report.
func (l *leftovers) UnmarshalText(text []byte) error {
	policy, grace, hasGrace := strings.Cut(string(text), ":")
	*l = leftovers{policy: policy, grace: 5 * time.Second}
	switch {
	case policy == "kill" && hasGrace:
		d, err := time.ParseDuration(grace)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is not a time; write kill:10s", grace)
		}
		l.grace = d
	case policy == "kill":
	case policy != "wait" && policy != "report", hasGrace:
		return fmt.Errorf("%q is not a policy; write kill, kill:TIME, wait or report", text)
	}
	return nil
}

const (
	// reportAfter is the time from the end of the program to the message of
	// the policies wait and report.
	reportAfter = time.Second
	// termGrace is the time from SIGTERM to SIGKILL.
	termGrace = time.Second
	// killInterval is how often new processes of leftovers are looked for.
	killInterval = 20 * time.Millisecond
)

// waitForLeftovers deals with what the program has left behind, and returns
// when that has ended. With the policy report it may live on.
func (r *runner) waitForLeftovers(forward *forwarder, p *machine.Process) {
	var timer <-chan time.Time
	switch r.Leftovers.policy {
	case "kill":
		timer = time.After(r.Leftovers.grace)
	case "wait", "report":
		timer = time.After(reportAfter) // what ends together with the program is no leftover
	}
	for {
		select {
		case <-p.Done():
			return
		case s := <-forward.signals:
			switch s {
			case unix.SIGTSTP:
				_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // this process alone
			case unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP:
				if names := r.describeLeftovers(); names != "" && timer != nil { // else they have been named
					r.log.Warn(fmt.Sprintf("%s left processes behind, which %s ends now: %s", p.Name(), unix.SignalName(s.(unix.Signal)), names))
				}
				r.signalLeftovers(s.(unix.Signal))
				r.killLeftovers(p)
				return
			default:
				r.signalLeftovers(s.(unix.Signal))
			}
		case <-timer:
			select {
			case <-p.Done():
				return
			default:
			}
			timer = nil
			names := r.describeLeftovers()
			switch r.Leftovers.policy {
			case "kill":
				r.log.Warn(fmt.Sprintf("%s left processes behind, which are ended now: %s", p.Name(), names))
				r.signalLeftovers(unix.SIGTERM)
				r.killLeftovers(p)
				return
			case "wait":
				r.log.Warn(fmt.Sprintf("%s has ended; waiting for processes that it left behind: %s. Ctrl-C ends them.", p.Name(), names))
			case "report":
				r.log.Warn(fmt.Sprintf("%s left processes behind, which lose their cards: %s", p.Name(), names))
				r.abandoned = true
				return
			}
		}
	}
}

// killLeftovers waits termGrace for the leftovers to end, and kills those that
// have not.
func (r *runner) killLeftovers(p *machine.Process) {
	select {
	case <-p.Done():
		return
	case <-time.After(termGrace):
	}
	ticker := time.NewTicker(killInterval)
	defer ticker.Stop()
	for {
		for _, pid := range r.machine.Leftovers() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		select {
		case <-p.Done():
			return
		case <-ticker.C:
		}
	}
}

// signalLeftovers sends a signal to the leftovers, except to those that have it
// from the terminal.
func (r *runner) signalLeftovers(s unix.Signal) {
	byTerminal := sentByTerminal(s)
	for _, pid := range r.machine.Leftovers() {
		if group, err := unix.Getpgid(pid); byTerminal && err == nil && group == unix.Getpgrp() {
			continue
		}
		_ = unix.Kill(pid, s)
	}
}

// maxNamed is the number of leftovers that a message names.
const maxNamed = 5

// describeLeftovers names the leftovers, and says which of them have cards
// open.
func (r *runner) describeLeftovers() string {
	open := make(map[int]string) // by process
	for _, c := range r.machine.Cards() {
		if dev := c.Device(); dev != nil {
			for _, client := range dev.Clients() {
				open[client.PID] = c.Label()
			}
		}
	}
	var names []string
	pids := r.machine.Leftovers()
	for _, pid := range pids[:min(len(pids), maxNamed)] {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		name := fmt.Sprintf("%s (process %d", bytes.TrimSpace(comm), pid)
		if card := open[pid]; card != "" {
			name += ", has " + card + " open"
		}
		names = append(names, name+")")
	}
	if more := len(pids) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
