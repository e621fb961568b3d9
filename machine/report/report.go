// Package report sums up what happened on a machine while a program ran, as
// JSON and JUnit XML, and checks it against rules such as "frames>=60".
//
// A [Recorder] counts. [Recorder.Report] returns a [Report], and [Parse] parses
// an [Expectation] that [Expectation.Check] compares with a report.
// "udrm run --report" and "--expect" use them.
//
// Lock order: Expectation.mu, held during a screenshot; the locks of package
// machine. Recorder.mu is a leaf.
//
// Start reading at [Report].
package report

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/udrm/udrm/internal/wholefile"
)

// Version is the version of the format of reports.
const Version = 1

// A Report is what happened during one run of a program. Its JSON form is
// described in docs/testing.md. Times are in seconds since the start.
type Report struct {
	Version  int       `json:"version"`
	Program  []string  `json:"program"`
	Start    time.Time `json:"start"`
	Duration float64   `json:"duration"`

	// Complete reports that the run has ended. The report of a run that was
	// killed stays incomplete.
	Complete bool   `json:"complete"`
	Exit     *int   `json:"exit"`            // the program's exit status, nil: it was not started or has not ended
	Error    string `json:"error,omitempty"` // of the command itself

	Cards        []Card    `json:"cards"`
	Actions      []Action  `json:"actions"`
	Unplugs      []Unplug  `json:"unplugs"`
	Requests     []Request `json:"requests"`
	AfterUnplug  []Request `json:"requests_after_unplug"`
	StaleObjects []Stale   `json:"stale_objects"`
	LeakedGuards []Leak    `json:"leaked_guards"`
	Expectations []Checked `json:"expectations"`
}

// A Card is a card, and how many frames its connectors have shown.
type Card struct {
	Label      string      `json:"label"`
	Driver     string      `json:"driver"`
	State      string      `json:"state"` // at the end
	Connectors []Connector `json:"connectors"`

	neverPlugged bool
}

// A Connector is a connector of a card.
type Connector struct {
	Name   string `json:"name"`
	Frames uint64 `json:"frames"` // of all devices that the card has been
}

// An Action is something that was asked for: by --at, --on or --storm. A step of a
// storm that did not happen is no error.
type Action struct {
	Asked    string    `json:"asked"`
	Happened []float64 `json:"happened"`        // when; at most 1000 times
	Error    string    `json:"error,omitempty"` // it failed, or was missed
}

// An Unplug is the end of a device: an unplug or an unbind.
type Unplug struct {
	Card  string  `json:"card"`
	Time  float64 `json:"time"`  // when it began
	Drain float64 `json:"drain"` // seconds until the last guard was exited; -1: it was not
	Total float64 `json:"total"` // seconds until it was complete; -1: it was not
}

// A Request is how often a kind of request was sent, and its errors.
type Request struct {
	Name   string  `json:"name"` // in drm.h after DRM_IOCTL_; or open, mmap; or "MODE_ATOMIC TEST_ONLY"
	Count  uint64  `json:"count"`
	Errors []Error `json:"errors,omitempty"`
}

// An Error is how often a request failed for one reason.
type Error struct {
	Errno  string `json:"errno"`
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`

	// Query reports that clients send the request to learn from this error:
	// whether DIRTYFB is needed, or, by AUTH_MAGIC of magic 0, whether the
	// client is master.
	Query bool `json:"query,omitempty"`
}

// A Stale is how often a kind of request has named an object that its client had
// created, and that was gone: removed, or gone with its card.
type Stale struct {
	Request string `json:"request"`
	Object  string `json:"object"` // such as "framebuffer 41"
	Count   uint64 `json:"count"`
}

// A Leak is a device whose guards were not exited after its clients had gone.
type Leak struct {
	Card   string `json:"card"`
	Guards int    `json:"guards"`
}

// Checked is an expectation and what became of it.
type Checked struct {
	Rule   string `json:"rule"`
	Failed string `json:"failed,omitempty"` // what happened instead
}

// Failure returns the report of a run that failed before its program started.
func Failure(program []string, err error) *Report {
	return &Report{
		Version: Version, Program: append([]string{}, program...), Start: time.Now(), Complete: true, Error: err.Error(),
		Cards: []Card{}, Actions: []Action{}, Unplugs: []Unplug{}, Requests: []Request{}, AfterUnplug: []Request{},
		StaleObjects: []Stale{}, LeakedGuards: []Leak{}, Expectations: []Checked{},
	}
}

// A Format is the format of a file.
type Format int

// The formats of reports.
const (
	JSON Format = iota
	JUnit
)

// Write writes the report to a file, which has either its old content or the
// whole report at any time. A name that is not a regular file, such as
// /dev/stdout, is written to.
func (r *Report) Write(name string, format Format) error {
	data, err := r.encode(format)
	if err != nil {
		return err
	}
	return wholefile.Write(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (r *Report) encode(format Format) ([]byte, error) {
	if format == JUnit {
		data, err := xml.MarshalIndent(r.junit(), "", "  ")
		return append([]byte(xml.Header), append(data, '\n')...), err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// The elements of JUnit XML.
type (
	testSuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Time     float64    `xml:"time,attr"`
		Start    string     `xml:"timestamp,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    float64      `xml:"time,attr"`
		Failure *testFailure `xml:"failure"`
		Skipped *struct{}    `xml:"skipped"`
	}
	testFailure struct {
		Message string `xml:"message,attr"`
	}
)

// junit returns the report as tests: the program, each action, each expectation.
func (r *Report) junit() *testSuite {
	s := &testSuite{Name: cmp.Or(strings.Join(r.Program, " "), "udrm"), Time: r.Duration, Start: r.Start.UTC().Format("2006-01-02T15:04:05")}
	add := func(kind, name, failure string, skipped bool) {
		c := testCase{Class: "udrm." + kind, Name: name}
		if kind == "program" {
			c.Time = r.Duration
		}
		if failure != "" {
			c.Failure = &testFailure{failure}
			s.Failures++
		} else if skipped {
			c.Skipped = &struct{}{}
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
		s.Tests++
	}
	add("program", s.Name, r.programFailure(), false)
	for _, a := range r.Actions {
		add("action", a.Asked, a.Error, len(a.Happened) == 0)
	}
	for _, e := range r.Expectations {
		add("expect", e.Rule, e.Failed, false)
	}
	return s
}

// programFailure says why the program counts as failed. With an expectation of
// its status, that one says it.
func (r *Report) programFailure() string {
	switch {
	case r.Error != "":
		return r.Error
	case !r.Complete:
		return "the run has not ended"
	case r.Exit != nil && *r.Exit != 0 && !r.expectsExit():
		return fmt.Sprintf("exit status %d", *r.Exit)
	}
	return ""
}

func (r *Report) expectsExit() bool {
	for _, e := range r.Expectations {
		if strings.HasPrefix(e.Rule, "exit") {
			return true
		}
	}
	return false
}
