package report

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/misspelt"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/picture"
)

// An Expectation is a rule that a run has to fulfil. The zero value is of no
// use; call [Parse].
type Expectation struct {
	text string

	// A number is compared.
	what      string // frames, errors, leaks, unplugs, requests-after-unplug, stale-objects, exit
	card      string // of frames and unplugs; "": all
	connector string // of frames; "": all
	request   string // of errors; "": all
	except    []exception
	operator  string
	number    uint64

	// Or a picture has to be shown.
	file    string
	want    *image.NRGBA
	options picture.Options

	mu   sync.Mutex
	seen bool         // the picture was shown
	last *image.NRGBA // what was shown at the last look, if that is another picture
	err  error        // how last differs, or why it is missing
}

// String returns the rule as it is written.
func (e *Expectation) String() string { return e.text }

// usage lists the forms of rules.
const usage = "write frames>=60, frames:card0:DP-1>=60, errors=0, errors:MODE_ATOMIC<=2, unplugs:card0=1, no-errors, no-errors,except=MODE_RMFB:ENOENT, no-leaks, no-requests-after-unplug, no-stale-objects, exit=0 or matches:card0:DP-1=FILE"

// comparison matches WHAT[:PLACE…]OPERATOR NUMBER.
var comparison = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([^:=<>!]*)((?::[^:=<>!]*)*)([=<>!]+)(.*)$`)
})

// operators compare a number.
var operators = []string{"=", ">=", "<=", ">", "<"}

// mostPlaces has all rules that compare a number, and how many names each can
// have between colons.
var mostPlaces = map[string]int{
	"frames": 2, "unplugs": 1, "errors": 1, "leaks": 0, "requests-after-unplug": 0, "stale-objects": 0, "exit": 0,
}

// unknownRule says how the rule may be meant.
func unknownRule(text string) string {
	word := text
	if i := strings.IndexAny(text, ":=<>!, "); i >= 0 {
		word = text[:i]
	}
	known := []string{"matches"}
	for what := range mostPlaces {
		known = append(known, what, "no-"+what)
	}
	slices.Sort(known)
	if slices.Contains(known, word) {
		return fmt.Sprintf("incomplete rule %s; %s", word, usage)
	}
	if nearest := misspelt.Nearest(word, known); nearest != "" {
		return fmt.Sprintf("unknown rule %s; did you mean %s?", word, nearest)
	}
	return "unknown rule; " + usage
}

// Parse parses a rule such as "frames:card0>=60", and reads the pictures that
// it names.
func Parse(text string) (*Expectation, error) {
	e := &Expectation{text: text}
	refuse := func(format string, args ...any) (*Expectation, error) {
		return nil, fmt.Errorf("%q: %s", text, fmt.Sprintf(format, args...))
	}
	if rest, ok := strings.CutPrefix(text, "matches:"); ok {
		if err := e.parseMatch(rest); err != nil {
			return refuse("%v", err)
		}
		return e, nil
	}
	rule, except, excepts := strings.Cut(text, ",")
	if name, ok := strings.CutPrefix(rule, "no-"); ok && !strings.ContainsAny(name, "=<>!") {
		rule = name + "=0"
	}
	parts := comparison().FindStringSubmatch(rule)
	if parts == nil {
		return refuse("%s", unknownRule(text))
	}
	e.what, e.operator = parts[1], parts[3]
	n, known := mostPlaces[e.what]
	_, negated := mostPlaces[strings.TrimPrefix(e.what, "no-")]
	places := strings.Split(parts[2], ":")[1:]
	var err error
	e.number, err = strconv.ParseUint(parts[4], 10, 63)
	switch {
	case !known && negated:
		return refuse("%s takes no number; write %s", e.what, e.what+parts[2])
	case !known:
		return refuse("%s", unknownRule(text))
	case len(places) > n:
		return refuse("%s does not take %q", e.what, strings.Join(places, ":"))
	case slices.Contains(places, ""):
		return refuse("there is no name after a colon")
	case !slices.Contains(operators, e.operator):
		return refuse("%q does not compare; write one of %s", e.operator, strings.Join(operators, ", "))
	case errors.Is(err, strconv.ErrRange):
		return refuse("the number is too large")
	case err != nil:
		return refuse("%q is not a number", parts[4])
	case e.what == "exit" && e.number > maxExit:
		return refuse("%d is not an exit status: these are 0 to %d", e.number, maxExit)
	case e.alwaysHolds():
		return refuse("every run fulfils it; write a rule that can fail, such as %s>=1", e.what)
	case excepts && (e.what != "errors" || len(places) > 0):
		return refuse("only errors and no-errors take except=REQUEST:ERROR")
	case excepts:
		if e.except, err = parseExceptions(except); err != nil {
			return refuse("%v", err)
		}
	case len(places) > 0 && e.what == "errors":
		if e.request, err = requestNamed(places[0]); err != nil {
			return refuse("%v", err)
		}
	case len(places) > 0:
		e.card = places[0]
		if err := machine.CheckLabel(e.card); err != nil {
			return refuse("%v", err)
		}
		if len(places) > 1 {
			e.connector = places[1]
		}
	}
	return e, nil
}

// maxExit is the largest exit status.
const maxExit = 255

// alwaysHolds reports whether no run can break the rule.
func (e *Expectation) alwaysHolds() bool {
	return e.operator == ">=" && e.number == 0 || e.operator == "<=" && e.what == "exit" && e.number == maxExit
}

// An exception is an error of a request that a rule allows.
type exception struct{ request, errno string }

// parseExceptions parses "except=MODE_RMFB:ENOENT,except=…".
func parseExceptions(text string) (list []exception, err error) {
	for word := range strings.SplitSeq(text, ",") {
		place, ok := strings.CutPrefix(word, "except=")
		request, errno, ok2 := strings.Cut(place, ":")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%q is not except=REQUEST:ERROR, such as except=MODE_RMFB:ENOENT", word)
		}
		if request, err = requestNamed(request); err != nil {
			return nil, err
		}
		if !isErrno(errno) {
			return nil, fmt.Errorf("unknown error %q; write the name of an errno, such as ENOENT", errno)
		}
		list = append(list, exception{request, errno})
	}
	return list, nil
}

// maxErrno is the largest error that Linux returns.
const maxErrno = 133

func isErrno(name string) bool {
	for n := unix.Errno(1); n <= maxErrno; n++ {
		if errnoName(n) == name {
			return true
		}
	}
	return false
}

// requestNamed returns the name that a request has in a report.
func requestNamed(name string) (string, error) {
	base, test := strings.CutSuffix(name, testOnly)
	if base == drm.OpOpen.String() || base == drm.OpMmap.String() || strings.HasPrefix(base, "0x") {
		return name, nil
	}
	switch r, near := uapi.FindRequest(base); {
	case r != nil && !test:
		return r.Name, nil
	case r != nil && r.Cmd == uapi.IoctlModeAtomic:
		return r.Name + testOnly, nil
	case r != nil:
		return "", fmt.Errorf("%s has no flag TEST_ONLY", r.Name)
	case len(near) > 0:
		return "", fmt.Errorf("unknown request %q; did you mean %s?", base, strings.Join(near, ", "))
	}
	return "", fmt.Errorf("unknown request %q; write a request, such as MODE_ATOMIC, or open or mmap", base)
}

// parseMatch parses CARD[:CONNECTOR]=FILE[,tolerance=N][,mask=FILE].
func (e *Expectation) parseMatch(text string) error {
	place, files, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("there is no file; write matches:card0:DP-1=FILE")
	}
	e.what = "matches"
	var hasConnector bool
	e.card, e.connector, hasConnector = strings.Cut(place, ":")
	if err := machine.CheckLabel(e.card); err != nil {
		return err
	}
	if hasConnector && e.connector == "" {
		return errors.New("the name of the connector is empty")
	}
	words := strings.Split(files, ",")
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "tolerance":
			if e.options.Tolerance, err = strconv.Atoi(value); err != nil || e.options.Tolerance < 0 || e.options.Tolerance > 255 {
				return fmt.Errorf("tolerance %q is not a number from 0 to 255", value)
			}
		case "mask":
			if e.options.Mask, err = picture.Read(value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is neither tolerance=N nor mask=FILE", word)
		}
	}
	e.file = words[0]
	var err error
	if e.want, err = picture.Read(e.file); err != nil {
		return err
	}
	if e.options.Mask != nil && e.options.Mask.Rect.Size() != e.want.Rect.Size() {
		return errors.New("the mask has another size than the picture")
	}
	return nil
}

// CheckPlace returns an error if the rule names a card or a connector that does
// not exist, and is not expected.
func (e *Expectation) CheckPlace(m *machine.Machine) error {
	if e.card == "" {
		return nil
	}
	c, err := m.KnownCard(e.card)
	if err == nil && e.connector != "" {
		err = c.KnownConnector(e.connector)
	}
	return err
}

// Card returns the label of the card that the rule is about, "" for none.
func (e *Expectation) Card() string { return e.card }

// lookEvery is how often a screen is compared with a picture.
const lookEvery = 50 * time.Millisecond

// Watch begins to compare the screens with the pictures of the rules: every 50
// ms, and before each request that may switch a screen off. It must be called
// before the recorder is attached. Without such rules it does nothing.
func Watch(list []*Expectation, m *machine.Machine, recorder *Recorder) (stop func()) {
	var pictures []*Expectation
	for _, e := range list {
		if e.want != nil {
			pictures = append(pictures, e)
		}
	}
	if pictures == nil {
		return func() {}
	}
	recorder.beforeClose(func(dev *drm.Device) {
		for _, e := range pictures {
			if c := cardOf(m, e.card); c != nil && c.Device() == dev {
				e.look(c)
			}
		}
	})
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ended:
				return
			}
			for _, e := range pictures {
				if c := cardOf(m, e.card); c != nil {
					e.look(c)
				}
			}
		}
	})
	return func() {
		close(ended)
		watching.Wait()
	}
}

func cardOf(m *machine.Machine, label string) *machine.Card {
	for _, c := range m.Cards() {
		if c.Label() == label {
			return c
		}
	}
	return nil
}

// look compares the screen with the picture, unless it has matched before.
func (e *Expectation) look(c *machine.Card) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seen {
		return
	}
	shown, err := c.Screenshot(e.connector)
	if err != nil {
		if e.last == nil {
			e.err = err
		}
		return
	}
	if err = picture.Compare(shown, e.want, e.options); err == nil {
		e.seen = true
		return
	}
	e.last, e.err = shown, err
}

// Check compares the rule with a report of a run that has ended. It returns ""
// or what happened instead.
func (e *Expectation) Check(r *Report) string {
	if e.want != nil {
		return e.checkPicture()
	}
	for _, c := range r.Cards {
		if c.Label == e.card && c.neverPlugged {
			return e.card + " was never plugged in"
		}
		if c.Label == e.card && e.connector != "" && !slices.ContainsFunc(c.Connectors, func(c Connector) bool { return c.Name == e.connector }) {
			return fmt.Sprintf("%s has no connector %s", e.card, e.connector)
		}
	}
	got, detail := e.count(r)
	if e.what == "exit" && r.Exit == nil {
		return "the program did not run"
	}
	if e.holds(got) {
		return e.notApplied(r)
	}
	return fmt.Sprintf("%s: %d%s", e.subject(), got, detail)
}

// notApplied returns "", or why the rule holds only because what it is about
// never happened: a program without any request makes no errors.
func (e *Expectation) notApplied(r *Report) string {
	switch e.what {
	case "frames", "unplugs", "exit":
		return ""
	}
	sent := slices.Concat(r.Requests, r.AfterUnplug)
	switch {
	case len(sent) == 0:
		return "no program has used a card"
	case e.request != "" && !slices.ContainsFunc(sent, func(request Request) bool { return request.Name == e.request }):
		return "there was no " + e.request
	}
	return ""
}

func (e *Expectation) subject() string {
	s := e.what
	for _, place := range []string{e.card, e.connector, e.request} {
		if place != "" {
			s += ":" + place
		}
	}
	return s
}

func (e *Expectation) holds(got uint64) bool {
	switch e.operator {
	case ">=":
		return got >= e.number
	case "<=":
		return got <= e.number
	case ">":
		return got > e.number
	case "<":
		return got < e.number
	}
	return got == e.number
}

// maxDetails is the number of reasons that a failed rule lists.
const maxDetails = 5

// count returns the number that the rule is about, and details of it.
func (e *Expectation) count(r *Report) (n uint64, detail string) {
	var details []string
	switch e.what {
	case "frames":
		for _, c := range r.Cards {
			for _, connector := range c.Connectors {
				if (e.card == "" || e.card == c.Label) && (e.connector == "" || e.connector == connector.Name) {
					n += connector.Frames
				}
			}
		}
	case "errors":
		for _, request := range r.Requests {
			if e.request == "" && strings.HasSuffix(request.Name, testOnly) || e.request != "" && e.request != request.Name {
				continue
			}
			for _, err := range request.Errors {
				if e.request == "" && (err.Query || slices.Contains(e.except, exception{request.Name, err.Errno})) {
					continue
				}
				n += err.Count
				details = append(details, fmt.Sprintf("%d × %s: %s (%s)", err.Count, request.Name, err.Errno, err.Reason))
			}
		}
	case "leaks":
		for _, leak := range r.LeakedGuards {
			n += uint64(leak.Guards)
			details = append(details, fmt.Sprintf("%d of %s", leak.Guards, leak.Card))
		}
	case "unplugs":
		for _, u := range r.Unplugs {
			if e.card == "" || e.card == u.Card {
				n++
			}
		}
	case "requests-after-unplug":
		for _, request := range r.AfterUnplug {
			n += request.Count
			details = append(details, fmt.Sprintf("%d × %s", request.Count, request.Name))
		}
	case "stale-objects":
		for _, use := range r.StaleObjects {
			n += use.Count
			details = append(details, fmt.Sprintf("%d × %s: %s", use.Count, use.Request, use.Object))
		}
	case "exit":
		if r.Exit != nil {
			n = uint64(*r.Exit)
		}
	}
	if more := len(details) - maxDetails; more > 0 {
		details = append(details[:maxDetails], fmt.Sprintf("%d more", more))
	}
	if len(details) > 0 {
		detail = ": " + strings.Join(details, "; ")
	}
	return n, detail
}

// checkPicture says what was shown instead of the picture, and writes it beside
// the wanted one.
func (e *Expectation) checkPicture() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.seen:
		return ""
	case e.last == nil && e.err == nil:
		return "no picture was shown"
	case e.last == nil:
		return e.err.Error()
	}
	base := strings.TrimSuffix(e.file, filepath.Ext(e.file))
	got, diff := base+".got.png", base+".diff.png"
	see := got
	err := picture.Write(got, e.last)
	var difference *picture.Difference
	if errors.As(e.err, &difference) && difference.Picture != nil {
		err = errors.Join(err, picture.Write(diff, difference.Picture))
		see += " and " + diff
	}
	if err != nil {
		return fmt.Sprintf("%v; writing the pictures failed: %v", e.err, err)
	}
	return fmt.Sprintf("%v; see %s", e.err, see)
}
