package udrmcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/trace"
)

// startTrace returns a tracer that writes to the file of that name, or nil if
// there is no name. end closes the file.
func startTrace(name string) (tracer drm.Tracer, end func() error, err error) {
	if name == "" {
		return nil, func() error { return nil }, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, nil, fmt.Errorf("--trace: %w", err)
	}
	recorder := trace.NewRecorder(file)
	return recorder, func() error { return errors.Join(recorder.Close(), file.Close()) }, nil
}

// traceCmd records and presents traces.
type traceCmd struct {
	machineFlag
	View  string   `arg:"" enum:"show,chrome,diff,coverage,stats,start,stop" help:"What to do. show prints each call; chrome the same for ui.perfetto.dev; diff how the second trace differs from the first; coverage which requests, errors, properties and formats there are; stats how often each request was sent and how long it took. start FILE begins to record a trace of a running machine, and stop [FILE] ends it."`
	Files []string `arg:"" optional:"" help:"Traces: two for diff, any number for coverage, one for the others. start - writes to the standard output until the machine ends. stop without a trace ends the only one, and prints its name."`
}

// Run prints the view. The status of diff is 1 if the traces differ.
func (cmd *traceCmd) Run(a *app) error {
	switch n := len(cmd.Files); {
	case cmd.View == "stop" && n == 0:
		return cmd.stopOnly(a)
	case cmd.View == "coverage" && n == 0:
		return errors.New("trace coverage takes one trace or more")
	case cmd.View == "diff" && n != 2:
		return fmt.Errorf("trace diff takes two traces, not %d", n)
	case cmd.View == "start" && n != 1, cmd.View == "stop" && n > 1:
		return fmt.Errorf("trace %s takes one file, not %d", cmd.View, n)
	case cmd.View != "coverage" && cmd.View != "diff" && n != 1:
		return fmt.Errorf("trace %s takes one trace, not %d", cmd.View, n)
	}
	if cmd.View == "start" || cmd.View == "stop" {
		return cmd.record(a, cmd.Files[0])
	}
	var traces [][]trace.Record
	for _, name := range cmd.Files {
		records, err := readTrace(name)
		if err != nil {
			return err
		}
		traces = append(traces, records)
	}
	switch cmd.View {
	case "show":
		return trace.Show(a.stdout, traces[0])
	case "chrome":
		return trace.Chrome(a.stdout, traces[0])
	case "stats":
		return trace.Stats(a.stdout, traces[0])
	case "coverage":
		return trace.Cover(traces...).Print(a.stdout)
	}
	differences, err := trace.Diff(a.stdout, traces[0], traces[1])
	if err == nil && differences > 0 {
		err = ExitStatus(1)
	}
	return err
}

// stopOnly stops the only trace that is recorded, and prints its name.
func (cmd *traceCmd) stopOnly(a *app) error {
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		stopped, err := c.StopTrace(ctx, "")
		if err == nil {
			_, err = fmt.Fprintln(a.stdout, stopped.File)
		}
		return err
	})
}

func readTrace(name string) ([]trace.Record, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records, err := trace.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return records, nil
}

// record starts or stops a trace of a running machine.
func (cmd *traceCmd) record(a *app, name string) error {
	if name == "-" {
		if cmd.View == "stop" {
			return errors.New("trace stop takes a file; end the command trace start - with a signal")
		}
		return cmd.steer(a, func(_ context.Context, c *control.Client) error {
			ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return c.Trace(ctx, a.stdout)
		})
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	return cmd.steer(a, func(ctx context.Context, c *control.Client) error {
		if cmd.View == "start" {
			_, err = c.StartTrace(ctx, path)
		} else {
			_, err = c.StopTrace(ctx, path)
		}
		return err
	})
}
