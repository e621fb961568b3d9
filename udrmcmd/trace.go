package udrmcmd

import (
	"errors"
	"fmt"
	"os"

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

// traceCmd presents traces.
type traceCmd struct {
	View  string   `arg:"" enum:"show,chrome,diff,coverage,stats" help:"What to print: show prints each call; chrome the same for ui.perfetto.dev; diff how the second trace differs from the first; coverage which requests, errors, properties and formats there are; stats how often each request was sent and how long it took."`
	Files []string `arg:"" help:"Traces: two for diff, any number for coverage, one for the others."`
}

// Run prints the view. The status of diff is 1 if the traces differ.
func (cmd *traceCmd) Run(a *app) error {
	if want, ok := map[string]int{"show": 1, "chrome": 1, "stats": 1, "diff": 2}[cmd.View]; ok && len(cmd.Files) != want {
		return fmt.Errorf("trace %s takes %d traces, not %d", cmd.View, want, len(cmd.Files))
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
