package aim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
)

// A Rule says what to do at which event. A filter or effect with the zero value is
// absent.
type Rule struct {
	Event Event
	When  When
	Point Point

	Card     string // filters
	Comm     string
	PID      int
	CRTC     uint32
	Property string
	Flag     string // of MODE_ATOMIC, such as "TEST_ONLY", or "!TEST_ONLY"
	// Planes and Bandwidth are what the displays use once the request has
	// succeeded: the number of planes, and the megabytes a second that they read.
	Planes, Bandwidth *Span

	Error  unix.Errno // effects
	Delay  time.Duration
	Signal unix.Signal
	// Succeed is retval=0: the request is not handled, and succeeds.
	Succeed bool
	// Lost, Doubled and Short say what becomes of an event that is sent. A frame
	// can be lost, too: its commit never completes.
	Lost, Doubled bool
	Short         int // the number of bytes that are delivered
	Action        *Action
	// Func is called like an action, for tests in Go.
	Func func(context.Context) error

	text string
}

// A Point is a point of a call; see the package comment.
type Point int

// The points, in their order.
const (
	Before Point = iota
	Entered
	Handled
	After
)

var points = []string{"before", "entered", "handled", "after"}

func (p Point) String() string { return points[p] }

// String returns the rule as it was written.
func (r *Rule) String() string { return r.text }

// Usage says how a rule is written.
const Usage = "EVENT[#WHEN][:POINT][:FILTER=…]:EFFECT, such as MODE_ATOMIC#3:unplug"

// Parse parses a rule, such as "MODE_ATOMIC#3:handled:unplug".
func Parse(text string) (*Rule, error) {
	r, err := ParseEvent(text)
	if err == nil && r.Error == 0 && r.Delay == 0 && r.Signal == 0 && r.Action == nil && !r.Succeed && !r.changesEvent() {
		err = refuse(text, "there is no effect: add an action, error=, retval=0, delay=, signal= or, for events, lost")
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ParseEvent parses a rule that may lack an effect. The caller sets Func.
func ParseEvent(text string) (*Rule, error) {
	r := &Rule{text: text, Point: -1}
	event, rest, more := strings.Cut(text, ":")
	event, when, hasWhen := strings.Cut(event, "#")
	var err error
	if r.Event, err = parseEvent(event); err != nil {
		return nil, refuse(text, err.Error())
	}
	if hasWhen {
		if r.When, err = parseWhen(when); err != nil {
			return nil, refuse(text, err.Error())
		}
	}
	for more {
		var word string
		if actionNamed(wordName(rest)) != nil {
			a, err := parseOwnAction(rest)
			if err != nil {
				return nil, refuse(text, err.Error())
			}
			r.Action = &a
			break
		}
		word, rest, more = strings.Cut(rest, ":")
		if err := r.add(word); err != nil {
			return nil, refuse(text, err.Error())
		}
	}
	if r.When == (When{}) {
		r.When = each
		if r.Action != nil {
			r.When = once
		}
	}
	if r.Point < 0 {
		r.Point = Entered
		if r.Event.late() {
			r.Point = After
		}
	}
	if why := r.contradiction(); why != "" {
		return nil, refuse(text, why)
	}
	return r, nil
}

// wordName returns s up to the first "=" or colon.
func wordName(s string) string {
	if i := strings.IndexAny(s, "=:"); i >= 0 {
		return s[:i]
	}
	return s
}

func refuse(text, why string) error {
	return fmt.Errorf("%q: %s; write %s", text, why, Usage)
}

// add adds a word to the rule.
func (r *Rule) add(word string) error {
	if i := slices.Index(points, word); i >= 0 {
		return r.setPoint(Point(i))
	}
	switch word {
	case "lost":
		r.Lost = true
		return nil
	case "doubled":
		r.Doubled = true
		return nil
	}
	name, value, ok := strings.Cut(word, "=")
	if !ok {
		return unknownWord(word)
	}
	set, known, err := r.addFilter(name, value)
	if !known {
		set, known, err = r.addEffect(name, value)
	}
	switch {
	case !known:
		return unknownWord(name)
	case err != nil:
		return err
	case value == "":
		return fmt.Errorf("%s= has no value", name)
	case set:
		return fmt.Errorf("%s is given twice", name)
	}
	return nil
}

// addFilter adds a word that says of which events the rule is. It returns
// whether the word was there before, and whether it is a filter at all.
func (r *Rule) addFilter(name, value string) (set, known bool, err error) {
	switch name {
	case "when":
		set = r.When != When{}
		r.When, err = parseWhen(value)
	case "card":
		set = r.Card != ""
		r.Card, err = value, machine.CheckLabel(value)
	case "comm":
		set = r.Comm != ""
		r.Comm = value[:min(len(value), maxComm)]
		if strings.HasPrefix(value, "/") || strings.HasPrefix(value, "./") {
			err = fmt.Errorf("comm=%s is a path; write the name of the program, comm=%s", value, filepath.Base(value))
		}
	case "pid":
		set = r.PID != 0
		if r.PID, err = strconv.Atoi(value); err != nil || r.PID <= 0 {
			err = fmt.Errorf("pid=%s is not a process", value)
		}
	case "crtc":
		set = r.CRTC != 0
		id, e := strconv.ParseUint(value, 10, 32)
		if r.CRTC = uint32(id); e != nil || id == 0 {
			err = fmt.Errorf("crtc=%s is not the id of a CRTC", value)
		}
	case "property":
		set = r.Property != ""
		r.Property = value
	case "flag":
		set = r.Flag != ""
		r.Flag = value
		if atomicFlags[strings.TrimPrefix(value, "!")] == 0 {
			err = fmt.Errorf("flag=%s is not a flag of MODE_ATOMIC; the flags are %s", value, strings.Join(slices.Sorted(maps.Keys(atomicFlags)), ", "))
		}
	case "planes":
		set = r.Planes != nil
		r.Planes, err = parseSpan(name + "=" + value)
	case "bandwidth":
		set = r.Bandwidth != nil
		r.Bandwidth, err = parseSpan(name + "=" + value)
	default:
		return false, false, nil
	}
	return set, true, err
}

// addEffect does the same for a word that says what happens then.
func (r *Rule) addEffect(name, value string) (set, known bool, err error) {
	switch name {
	case "retval":
		set = r.Succeed
		if r.Succeed = value == "0"; !r.Succeed {
			err = fmt.Errorf("retval=%s: a DRM request returns 0 or an error, and no program reads anything else; write retval=0 or %s", value, errorFor(value))
		}
	case "short":
		set = r.Short != 0
		if r.Short, err = strconv.Atoi(value); err != nil || r.Short <= 0 {
			err = fmt.Errorf("short=%s is not a number of bytes", value)
		}
	case "error":
		set = r.Error != 0
		r.Error, err = parseErrno(value)
	case "signal":
		set = r.Signal != 0
		r.Signal, err = parseSignal(value)
	case "delay_enter", "delay_exit":
		if err := r.setPoint(map[string]Point{"delay_enter": Entered, "delay_exit": After}[name]); err != nil {
			return false, true, err
		}
		fallthrough
	case "delay":
		set = r.Delay != 0
		r.Delay, err = parseDelay(value)
	default:
		return false, false, nil
	}
	return set, true, err
}

// unknownWord lists the words that there are.
func unknownWord(word string) error {
	if word == "" {
		return errors.New("there is no word before or after a colon")
	}
	return fmt.Errorf("unknown word %q: points are %s; filters are card=, comm=, pid=, crtc=, property=, flag=, planes= and bandwidth=; "+
		"effects are error=, retval=0, delay=, signal=, lost, doubled, short= and the actions %s", word, strings.Join(points, ", "), actionNames())
}

// atomicFlags are the flags that flag= can name.
var atomicFlags = map[string]uint64{
	"TEST_ONLY": uapi.ModeAtomicTestOnly, "NONBLOCK": uapi.ModeAtomicNonblock, "ALLOW_MODESET": uapi.ModeAtomicAllowModeset,
	"PAGE_FLIP_EVENT": uapi.ModePageFlipEvent, "PAGE_FLIP_ASYNC": uapi.ModePageFlipAsync,
}

// changesEvent reports whether an effect is one on an event that is sent.
func (r *Rule) changesEvent() bool { return r.Lost || r.Doubled || r.Short > 0 }

// maxComm is how many bytes of a program's name the kernel keeps.
const maxComm = 15

func (r *Rule) setPoint(p Point) error {
	if r.Point >= 0 && r.Point != p {
		return fmt.Errorf("the points %v and %v exclude each other", r.Point, p)
	}
	r.Point = p
	return nil
}

// contradiction returns what cannot be in the rule, or "".
func (r *Rule) contradiction() string {
	e := &r.Event
	switch {
	case e.late() && r.Point != After:
		return fmt.Sprintf("%s has no point %v", e, r.Point)
	case r.Delay != 0 && e.kind == kindCall && e.op == drm.OpClose:
		return "close cannot be delayed: no program waits for it"
	case r.Error != 0 && e.late():
		return fmt.Sprintf("%s cannot fail", e)
	case r.Error != 0 && r.Point == After:
		return "an error comes too late after the answer"
	case r.Succeed && (e.kind != kindIoctl || r.Error != 0 || r.Point != Entered):
		return "retval=0 is for a request at the point entered, and excludes error="
	case r.changesEvent() && !e.sent() && !(e.frame() && !r.Doubled && r.Short == 0):
		return "lost, doubled and short= are for the event \"event\", and lost for frame"
	case r.Lost && (r.Doubled || r.Short > 0 || r.Delay > 0):
		return "an event that is lost is neither doubled, short nor delayed"
	case r.Flag != "" && !e.canHave(isAtomic):
		return fmt.Sprintf("%s has no flag", e)
	case (r.Planes != nil || r.Bandwidth != nil) && !e.canHave(setsPlanes):
		return fmt.Sprintf("%s changes no planes: planes= and bandwidth= are for MODE_ATOMIC, MODE_SETCRTC, MODE_SETPLANE, MODE_CURSOR and MODE_CURSOR2", e)
	case r.CRTC != 0 && e.sent():
		return "event has no CRTC"
	case r.Delay != 0 && e.kind == kindDevice && !e.sent():
		return fmt.Sprintf("%s cannot be delayed", e)
	case !e.byProgram() && !e.sent() && (r.Signal != 0 || r.Comm != "" || r.PID != 0):
		return fmt.Sprintf("no program causes %s: signal=, comm= and pid= are not possible", e)
	case r.CRTC != 0 && e.kind != kindDevice && !e.canHave(namesCRTC):
		return fmt.Sprintf("%s has no CRTC", e)
	case r.Property != "" && !e.canHave(setsProperties):
		return fmt.Sprintf("%s sets no property", e)
	case e.kind == kindStart && r.When.First > 1:
		return "a machine starts once; leave out #" + r.When.String()
	case r.Card != "" && e.kind == kindStart:
		return "start has no card"
	case r.Action != nil && r.Action.Card == "" && !r.Action.Kind.ofMachine() && e.kind == kindStart:
		return "start has no card: write " + r.Action.Kind.Form
	}
	return ""
}

// errorFor returns the word for a return value that stands for an error: -28 is
// what strace calls ENOSPC.
func errorFor(value string) string {
	if n, err := strconv.Atoi(value); err == nil && n < 0 {
		if name := unix.ErrnoName(unix.Errno(-n)); name != "" {
			return "error=" + name
		}
	}
	return "an error, as with error=EIO"
}

// parseErrno parses the name of an errno.
func parseErrno(name string) (unix.Errno, error) {
	if errno := errnoNamed(name); errno != 0 {
		return errno, nil
	}
	advice := "the name of one, such as error=ENOSPC"
	if n, err := strconv.Atoi(name); err == nil && unix.ErrnoName(unix.Errno(n)) != "" {
		advice = "error=" + unix.ErrnoName(unix.Errno(n))
	} else if upper := strings.ToUpper(name); errnoNamed(upper) != 0 {
		advice = "error=" + upper
	}
	return 0, fmt.Errorf("error=%s is not an error; write %s", name, advice)
}

func errnoNamed(name string) unix.Errno {
	if name == "EOPNOTSUPP" {
		return unix.EOPNOTSUPP
	}
	for errno := unix.Errno(1); errno < 200; errno++ {
		if unix.ErrnoName(errno) == name {
			return errno
		}
	}
	return 0
}

// parseSignal parses SIGTERM, TERM or 15.
func parseSignal(name string) (unix.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return unix.Signal(n), nil
	}
	if s := unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG")); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("signal=%s is not a signal, such as SIGTERM", name)
}

// parseDelay parses 10ms or, as strace does, a number of microseconds.
func parseDelay(text string) (time.Duration, error) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		text = strconv.FormatUint(n, 10) + "us"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("delay=%s is not a time, such as 10ms", text)
	}
	return d, nil
}
