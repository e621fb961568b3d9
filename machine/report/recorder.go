package report

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
)

// maxReasons is the number of reasons that are told apart. A hostile client
// causes endless ones: many contain numbers.
const maxReasons = 1000

// maxUnknown is the number of requests without a name that are told apart. There are
// 16 million of them.
const maxUnknown = 1000

// A Recorder counts what happens on the cards of a machine. It is a
// [drm.Tracer]. Its mutex is a leaf.
type Recorder struct {
	start time.Time

	mu       sync.Mutex
	requests map[string]uint64
	after    map[string]uint64 // requests that found their device unplugged
	unknown  map[uint32]bool   // requests without a name
	errors   map[failure]uint64
	objects  map[object]bool // that clients have created: see stale.go
	stale    map[staleUse]uint64
	frames   map[screen]uint64
	unplugs  []*unplug
	devices  map[*drm.Device]bool // that are registered, or have guards
	plugged  map[place]bool       // of the devices that were registered
	closers  []func(*drm.Device)
}

// A failure is an error of a request.
type failure struct {
	request, errno, reason string
	query                  bool // see Error.Query
}

// maxUnplugs is the number of unplugs that are remembered. Programs can unbind and
// bind drivers without end.
const maxUnplugs = 1 << 14

// A place is where a device was on a bus. It does not keep the device in memory.
type place struct {
	bus          *bus.Bus
	parent, name string
}

func placeOf(dev *drm.Device) place {
	return place{dev.Parent().Bus(), dev.Parent().Name(), dev.Name()}
}

// A screen is a connector of a device.
type screen struct {
	place
	connector string
}

// An unplug is an unplug as it is recorded; zero times are to come.
type unplug struct {
	place
	begun, drained, done time.Time
}

// NewRecorder returns a recorder that begins now.
func NewRecorder() *Recorder {
	return &Recorder{
		start: time.Now(), requests: make(map[string]uint64), after: make(map[string]uint64),
		errors: make(map[failure]uint64), frames: make(map[screen]uint64),
		objects: make(map[object]bool), stale: make(map[staleUse]uint64),
		unknown: make(map[uint32]bool), devices: make(map[*drm.Device]bool), plugged: make(map[place]bool),
	}
}

// Attach attaches the recorder to a machine. detach ends that.
func (r *Recorder) Attach(m *machine.Machine) (detach func()) {
	detach = m.Class().Trace(r)
	for _, c := range m.Cards() {
		if dev := c.Device(); dev != nil {
			r.registered(dev)
		}
	}
	return detach
}

func (r *Recorder) registered(dev *drm.Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.devices[dev] = true
	r.plugged[placeOf(dev)] = true
}

// Since returns a time in seconds since the recorder began.
func (r *Recorder) Since(t time.Time) float64 { return t.Sub(r.start).Seconds() }

// beforeClose arranges that f is called before a request that can switch a
// screen off, or the close of a file. It must be called before Attach.
func (r *Recorder) beforeClose(f func(*drm.Device)) { r.closers = append(r.closers, f) }

// Begin implements [drm.Tracer].
func (r *Recorder) Begin(c *drm.Call) func(drm.Point) {
	if c.Minor != nil && (c.Op == drm.OpClose || c.Op == drm.OpIoctl && switchesOff(c.Cmd)) {
		for _, f := range r.closers {
			f(c.Minor.Device())
		}
	}
	if c.Op == drm.OpClose || c.Op == drm.OpRead {
		return nil
	}
	test, isMaster := false, false
	return func(p drm.Point) {
		switch p {
		case drm.PointGuarded:
			isMaster = c.Op == drm.OpIoctl && c.Cmd == uapi.IoctlAuthMagic && !slices.ContainsFunc(c.Argument, func(b byte) bool { return b != 0 })
			test = c.Op == drm.OpIoctl && c.Cmd == uapi.IoctlModeAtomic && len(c.Argument) >= 4 &&
				binary.NativeEndian.Uint32(c.Argument)&uapi.ModeAtomicTestOnly != 0
		case drm.PointHandled:
			r.noteObject(c)
		case drm.PointDone:
			r.done(c, test, isMaster)
		}
	}
}

// switchesOff reports whether a request can switch a screen off.
func switchesOff(cmd uint32) bool {
	switch cmd {
	case uapi.IoctlModeSetCRTC, uapi.IoctlModeAtomic, uapi.IoctlModeRmFB, uapi.IoctlModeCloseFB:
		return true
	}
	return false
}

// testOnly is what the name of an atomic commit ends with that is only checked.
const testOnly = " TEST_ONLY"

// done counts a call that has ended. test is set for a commit that is only
// checked, isMaster for an AUTH_MAGIC of magic 0.
func (r *Recorder) done(c *drm.Call, test, isMaster bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := r.name(c)
	if test {
		name += testOnly
	}
	if errors.Is(c.Err, drm.ErrUnplugged) && c.Entered.IsZero() {
		r.after[name]++
		return
	}
	r.requests[name]++
	if c.Err == nil {
		return
	}
	r.noteStale(c, name)
	f := failure{request: name, errno: errnoName(c.Err), reason: c.Err.Error()}
	f.query = isMaster && f.errno == "EINVAL" || c.Op == drm.OpIoctl && c.Cmd == uapi.IoctlModeDirtyFB && f.errno == "ENOSYS"
	if r.errors[f] == 0 && len(r.errors) >= maxReasons {
		f.reason = "other reasons"
	}
	r.errors[f]++
}

// name returns the name under which a call is counted. The caller holds mu.
func (r *Recorder) name(c *drm.Call) string {
	if c.Op != drm.OpIoctl {
		return c.Op.String()
	}
	if name := uapi.IoctlName(c.Cmd); name != "" {
		return name
	}
	if !r.unknown[c.Cmd] {
		if len(r.unknown) >= maxUnknown {
			return "other requests"
		}
		r.unknown[c.Cmd] = true
	}
	return fmt.Sprintf("%#x", c.Cmd)
}

func errnoName(err error) string {
	errno := drm.Errno(err)
	if errno == unix.EOPNOTSUPP {
		return "EOPNOTSUPP" // which has the same number as ENOTSUP
	}
	return unix.ErrnoName(errno)
}

// Event implements [drm.Tracer].
func (r *Recorder) Event(e *drm.TraceEvent) {
	switch e.Kind {
	case drm.EventFrame:
		r.frame(e)
	case drm.EventRegistered:
		r.registered(e.Device)
	case drm.EventUnplug, drm.EventDrained, drm.EventUnplugged:
		r.unplug(e)
	}
}

func (r *Recorder) unplug(e *drm.TraceEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := placeOf(e.Device)
	if e.Kind == drm.EventUnplug {
		if len(r.unplugs) < maxUnplugs {
			r.unplugs = append(r.unplugs, &unplug{place: at, begun: e.Time})
		}
		return
	}
	if e.Kind == drm.EventUnplugged && e.Device.Guards() == 0 {
		delete(r.devices, e.Device)
	}
	for _, u := range slices.Backward(r.unplugs) {
		switch {
		case u.place != at:
			continue
		case !u.done.IsZero(): // this one is too many
		case e.Kind == drm.EventDrained:
			u.drained = e.Time
		default:
			u.done = e.Time
		}
		return
	}
}

// frame counts a frame for the connectors of its CRTC. It takes no lock of the
// device: the caller holds some.
func (r *Recorder) frame(e *drm.TraceEvent) {
	display, ok := drm.PartOf[*kms.ModeConfig](e.Device)
	if !ok {
		return
	}
	state := display.State()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range display.Connectors() {
		if crtc := state.Connector(c).CRTC; crtc != nil && crtc.ID() == e.CRTC {
			r.frames[screen{placeOf(e.Device), c.Name()}]++
		}
	}
}

// leakWait is how long a device has to exit its guards after its clients have
// gone: work of its own, such as a commit under way, holds guards too.
const leakWait = 5 * time.Second

// leaks returns the devices with guards that are not exited.
func (r *Recorder) leaks(ctx context.Context, m *machine.Machine) []Leak {
	ctx, cancel := context.WithTimeout(ctx, leakWait)
	defer cancel()
	leaks := []Leak{}
	r.mu.Lock()
	devices := slices.Collect(maps.Keys(r.devices))
	r.mu.Unlock()
	for _, dev := range devices {
		for dev.Guards() > 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if n := dev.Guards(); n > 0 {
			leaks = append(leaks, Leak{labelOf(m, placeOf(dev)), n})
		}
	}
	slices.SortFunc(leaks, func(a, b Leak) int { return strings.Compare(a.Card, b.Card) })
	return leaks
}

func labelOf(m *machine.Machine, at place) string {
	if c := m.CardAt(at.bus, at.parent); c != nil {
		return c.Label()
	}
	return at.name
}

// Report returns what has happened on the machine so far. The caller adds what
// only it knows: the program and its status, the actions. With ended, all
// clients have gone, and guards that are still held have leaked.
func (r *Recorder) Report(m *machine.Machine, ended bool) *Report {
	report := &Report{
		Version: Version, Start: r.start, Duration: time.Since(r.start).Seconds(), Complete: ended, Actions: []Action{},
		Unplugs: []Unplug{}, StaleObjects: []Stale{}, LeakedGuards: []Leak{}, Expectations: []Checked{}, Cards: []Card{},
	}
	if ended {
		report.LeakedGuards = r.leaks(context.Background(), m)
	}
	r.mu.Lock()
	shown, counts, after, failures := maps.Clone(r.frames), maps.Clone(r.requests), maps.Clone(r.after), maps.Clone(r.errors)
	report.StaleObjects = r.staleUses()
	places := maps.Clone(r.plugged)
	var unplugs []unplug
	for _, u := range r.unplugs {
		unplugs = append(unplugs, *u)
	}
	r.mu.Unlock()
	plugged := make(map[string]bool) // by label
	for at := range places {
		plugged[labelOf(m, at)] = true
	}
	frames := make(map[string]uint64)
	for s, n := range shown {
		frames[labelOf(m, s.place)+":"+s.connector] += n
	}
	for _, c := range m.Cards() {
		card := Card{Label: c.Label(), Driver: string(c.Description().Driver), State: string(c.State()), Connectors: []Connector{}, neverPlugged: !plugged[c.Label()]}
		for _, info := range c.ConnectorInfos() {
			card.Connectors = append(card.Connectors, Connector{info.Name, frames[c.Label()+":"+info.Name]})
		}
		report.Cards = append(report.Cards, card)
	}
	for _, u := range unplugs {
		entry := Unplug{Card: labelOf(m, u.place), Time: r.Since(u.begun), Drain: -1, Total: -1}
		if !u.drained.IsZero() {
			entry.Drain = u.drained.Sub(u.begun).Seconds()
		}
		if !u.done.IsZero() {
			entry.Total = u.done.Sub(u.begun).Seconds()
		}
		report.Unplugs = append(report.Unplugs, entry)
	}
	report.Requests = requests(counts, failures)
	report.AfterUnplug = requests(after, nil)
	return report
}

// requests returns counts by name, each with its errors.
func requests(counts map[string]uint64, failures map[failure]uint64) []Request {
	errs := make(map[string][]Error)
	for f, n := range failures {
		errs[f.request] = append(errs[f.request], Error{f.errno, f.reason, n, f.query})
	}
	list := []Request{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		request := Request{Name: name, Count: counts[name], Errors: errs[name]}
		slices.SortFunc(request.Errors, func(a, b Error) int {
			return strings.Compare(a.Errno+a.Reason, b.Errno+b.Reason)
		})
		list = append(list, request)
	}
	return list
}
