package udrmcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/udrm/udrm/machine/report"
)

// A reportFile is a file of --report.
type reportFile struct {
	name   string
	format report.Format
}

// formatWord matches what looks like a format before the name of a file.
var formatWord = regexp.MustCompile("^[a-z]+:")

// UnmarshalText parses FILE, json:FILE or junit:FILE.
func (f *reportFile) UnmarshalText(text []byte) error {
	*f = reportFile{name: string(text)}
	if name, ok := strings.CutPrefix(f.name, "junit:"); ok {
		*f = reportFile{name, report.JUnit}
	} else if name, ok := strings.CutPrefix(f.name, "json:"); ok {
		f.name = name
	} else if word := formatWord.FindString(f.name); word != "" {
		return fmt.Errorf("%q: %s is not a format: these are json: and junit:; write ./%s for a file of that name", text, word, text)
	} else if strings.EqualFold(filepath.Ext(f.name), ".xml") {
		f.format = report.JUnit
	}
	if f.name == "" {
		return fmt.Errorf("%q: there is no file; write --report run.json, or --report run.xml for JUnit", text)
	}
	return nil
}

// checkFiles returns an error if two outputs of the run have one file.
func (cmd *runCmd) checkFiles() error {
	flags := make(map[string]string) // by file
	if cmd.Trace != "" {
		flags[filepath.Clean(string(cmd.Trace))] = "--trace"
	}
	for _, f := range cmd.Report {
		if other := flags[filepath.Clean(f.name)]; other != "" {
			return fmt.Errorf("--report: %s is the file of %s, too; write another name", f.name, other)
		}
		flags[filepath.Clean(f.name)] = "another --report"
	}
	return nil
}

// An expectation is a rule of --expect.
type expectation struct{ *report.Expectation }

// UnmarshalText parses "frames>=60".
func (e *expectation) UnmarshalText(text []byte) (err error) {
	if e.Expectation, err = report.Parse(string(text)); err != nil {
		err = fmt.Errorf("%w; see \"help report\"", err)
	}
	return err
}

// A runReport is the report of a run, as far as the recorder does not know it.
// The methods of a nil *runReport do nothing.
type runReport struct {
	recorder *report.Recorder
	program  []string
	stop     func() // detaches the recorder
	startErr error  // why the program could not be started, or nil

	mu      sync.Mutex
	actions []report.Action
}

// startReport begins to record if there is a report or a rule. It writes each
// report once: a file that cannot be written is an error before the start.
func (r *runner) startReport(program []string) error {
	if len(r.Report) == 0 && len(r.Expect) == 0 {
		return nil
	}
	var errs []error
	r.describeLater()
	for _, e := range r.Expect {
		if err := e.CheckPlace(r.machine); err != nil {
			errs = append(errs, fmt.Errorf("--expect %v: %w%s", e, err, r.moreCards(e.Card())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	recorder := report.NewRecorder()
	stopWatch := report.Watch(r.expectations(), r.machine, recorder)
	detach := recorder.Attach(r.machine)
	r.report = &runReport{recorder: recorder, program: program, stop: func() { stopWatch(); detach() }}
	first := recorder.Report(r.machine, false)
	first.Program = program
	if err := writeReports(r.Report, first); err != nil {
		r.report.stop()
		return err
	}
	return nil
}

func (r *runner) expectations() (list []*report.Expectation) {
	for _, e := range r.Expect {
		list = append(list, e.Expectation)
	}
	return list
}

// expectsExit reports whether a rule is about the status of the program.
func (r *runner) expectsExit() bool {
	for _, e := range r.Expect {
		if strings.HasPrefix(e.String(), "exit") {
			return true
		}
	}
	return false
}

// writeReports writes a report to files.
func writeReports(files []reportFile, content *report.Report) error {
	var errs []error
	for _, f := range files {
		err := content.Write(f.name, f.format)
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			err = path.Err // the path may be that of a temporary file
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--report: %s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

// notStarted notes that the program could not be started.
func (r *runReport) notStarted(err error) {
	if r != nil {
		r.startErr = err
	}
}

// happened notes that something was asked for, and when it happened.
func (r *runReport) happened(asked string, times ...time.Time) {
	if r == nil {
		return
	}
	a := report.Action{Asked: asked, Happened: []float64{}}
	for _, t := range times {
		a.Happened = append(a.Happened, r.recorder.Since(t))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actions = append(r.actions, a)
}

// failed notes that an action failed or was missed. happened has noted it.
func (r *runReport) failed(asked string, err error) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.actions {
		if strings.HasSuffix(r.actions[i].Asked, " "+asked) && r.actions[i].Error == "" {
			r.actions[i].Error = err.Error()
			return
		}
	}
}

// endReport checks the rules and writes the reports. err is the error of the
// run.
func (r *runner) endReport(status int, err error) error {
	if r.report == nil {
		return nil
	}
	r.report.stop()
	content := r.report.recorder.Report(r.machine, true)
	content.Program = r.report.program
	content.Actions = append(content.Actions, r.report.actions...)
	if err = errors.Join(err, r.report.startErr); err != nil {
		content.Error = err.Error()
	} else {
		content.Exit = &status
	}
	for _, e := range r.Expect {
		failed := e.Check(content)
		if content.Exit == nil {
			failed = "the program did not run"
		}
		content.Expectations = append(content.Expectations, report.Checked{Rule: e.String(), Failed: failed})
		if failed != "" && content.Exit != nil { // otherwise the run fails anyway
			r.log.Error(fmt.Sprintf("expected %v, but %s", e, failed))
			r.count()
		}
	}
	r.reported = true
	return writeReports(r.Report, content)
}

// writeFailure writes the reports of a run that failed before its program
// started.
func writeFailure(files []reportFile, program []string, err error) error {
	return writeReports(files, report.Failure(program, err))
}

// reportParseError writes the reports of a run whose command line is wrong. args
// are all arguments of the command.
func (a *app) reportParseError(args []string, err error) error {
	if len(args) == 0 || args[0] != "run" {
		return nil
	}
	parser := a.parserFor(args)
	i := slices.IndexFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == "run" })
	flags := parser.Model.Children[i].Flags
	var files []reportFile
	rest := args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && rest[0] != "--" {
		name, value, hasValue := strings.Cut(strings.TrimLeft(rest[0], "-"), "=")
		rest = rest[1:]
		known := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name || f.Short != 0 && string(f.Short) == name })
		if known >= 0 && !hasValue && !flags[known].IsBool() && len(rest) > 0 {
			value, rest = rest[0], rest[1:]
		}
		var file reportFile
		if name == "report" && file.UnmarshalText([]byte(value)) == nil {
			files = append(files, file)
		}
	}
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	return writeFailure(files, rest, err)
}
