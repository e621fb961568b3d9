package udrmcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/storm"
)

// shrinkCmd finds the smallest part of a storm that makes a program fail.
type shrinkCmd struct {
	runCmd

	Failing statusSet     `placeholder:"STATUS,…" default:"1-124,128-255,timeout" help:"Which exit statuses of a run count as failing: numbers, ranges such as 128-255, and timeout; default: ${default}."`
	Timeout time.Duration `placeholder:"TIME" default:"1m" help:"How long a run can take; default: ${default}."`
}

// A statusSet is a set of exit statuses. The status -1 is a timeout.
type statusSet map[int]bool

// statusTimedOut is the status of a run that took too long.
const statusTimedOut = -1

// UnmarshalText parses "1,128-255,timeout".
func (s *statusSet) UnmarshalText(text []byte) error {
	*s = make(statusSet)
	for word := range strings.SplitSeq(string(text), ",") {
		if word == "timeout" {
			(*s)[statusTimedOut] = true
			continue
		}
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 8)
		to, err2 := strconv.ParseUint(last, 10, 8)
		if err != nil || err2 != nil || to < from {
			return fmt.Errorf("%q is not an exit status; write it as in 3,128-255,timeout", word)
		}
		for status := from; status <= to; status++ {
			(*s)[int(status)] = true
		}
	}
	return nil
}

// Run shrinks the storm and prints the command that repeats the failure.
func (cmd *shrinkCmd) Run(ctx *kong.Context, a *app) error {
	steps, err := cmd.steps(ctx, a)
	if err != nil {
		return err
	}
	runs := 0
	fails := func(steps []string) (bool, error) {
		runs++
		status, err := cmd.try(runWith(ctx, steps))
		if err == nil {
			what := "passes"
			if cmd.Failing[status] {
				what = "fails"
			}
			fmt.Fprintf(os.Stderr, "%s: run %d: %d steps: status %s, %s\n", a.Name, runs, len(steps), statusWord(status), what)
		}
		return cmd.Failing[status], err
	}
	if failed, err := fails(nil); err != nil || failed {
		return errors.Join(err, errors.New("the program fails without any step; correct that first, or see --failing"))
	}
	if failed, err := fails(steps); err != nil || !failed {
		return errors.Join(err, fmt.Errorf("the program does not fail with the %d steps; try another seed, or see --failing", len(steps)))
	}
	smallest, err := storm.Shrink(steps, fails)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %d of %d steps are needed:\n", a.Name, len(smallest), len(steps))
	_, err = fmt.Fprintln(a.stdout, commandLine(append([]string{a.Name}, runWith(ctx, smallest)...)...))
	return err
}

// steps returns the steps to begin with: the rules of --on and the storm.
func (cmd *shrinkCmd) steps(ctx *kong.Context, a *app) (steps []string, err error) {
	steps = cmd.rules()
	if cmd.Storm == nil {
		if steps == nil {
			return nil, errNothing
		}
		return steps, nil
	}
	list, template, err := cmd.describe(a, givenCardFlags(ctx))
	if err != nil {
		return nil, err
	}
	// The storm depends on the cards and their connectors.
	m, err := machine.New(list, machine.Options{Template: template, Drivers: a.Drivers})
	if err != nil {
		return nil, err
	}
	steps = append(steps, cmd.Storm.Steps(targets(m))...)
	return steps, m.Close(context.Background())
}

// killDelay is how long a run that takes too long has to end after SIGTERM.
const killDelay = 10 * time.Second

// try runs this command with other arguments and returns its exit status.
func (cmd *shrinkCmd) try(args []string) (status int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cmd.Timeout)
	defer cancel()
	run := exec.CommandContext(ctx, "/proc/self/exe", args...)
	run.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM} // the run ends with us; the main thread starts it
	run.Cancel = func() error { return run.Process.Signal(unix.SIGTERM) }
	run.WaitDelay = killDelay
	err = run.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return statusTimedOut, nil
	case err == nil, errors.As(err, &exit):
		return run.ProcessState.ExitCode(), nil
	}
	return 0, err
}

func statusWord(status int) string {
	if status == statusTimedOut {
		return "timeout"
	}
	return strconv.Itoa(status)
}
