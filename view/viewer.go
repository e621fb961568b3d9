package view

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/trace"
)

// Limits of a viewer.
const (
	maxScreens = 64
	maxRequest = 64 << 10
	// treeTime is the least time between two trees, and between two parts of
	// the trace.
	treeTime = 100 * time.Millisecond
	// lookTime is how often to look for changes without an event: those that
	// other clients make to the rules and the clock.
	lookTime = time.Second
)

// A viewer is a page that is open in a browser.
type viewer struct {
	server *Server
	conn   *websocket.Conn
	poked  chan struct{} // holds a token when the tree or the trace may have changed
	lines  traceQueue

	screens map[string]*screen // used by the goroutine of read only
	running sync.WaitGroup     // the screens
}

// A screen is a connector that a viewer watches.
type screen struct {
	card      *machine.Card
	connector string
	stop      context.CancelFunc
	drawn     chan struct{} // holds a token when the viewer has drawn the last picture
	encoder   encoder
}

// watch serves a viewer until it leaves.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	v := &viewer{server: s, poked: make(chan struct{}, 1), screens: make(map[string]*screen)}
	v.lines.poke = v.poke
	if !s.admit(v) {
		http.Error(w, "too many viewers, or the machine has ended", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(v)
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	v.conn = conn
	conn.SetReadLimit(maxRequest)
	ctx, cancel := context.WithCancel(r.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		defer cancel()
		v.send(ctx)
	})
	err = v.read(ctx)
	cancel()
	sending.Wait()
	v.running.Wait()
	if err != nil {
		_ = conn.Close(websocket.StatusPolicyViolation, err.Error())
	}
	_ = conn.CloseNow()
}

func (s *Server) admit(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.viewers) >= maxViewers {
		return false
	}
	s.viewers[v] = true
	s.running.Add(1)
	return true
}

func (s *Server) leave(v *viewer) {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v)
}

func (v *viewer) poke() {
	select {
	case v.poked <- struct{}{}:
	default:
	}
}

// read obeys the viewer until it leaves. Its error is a malformed request.
func (v *viewer) read(ctx context.Context) error {
	setTrace, endTrace := v.tracing()
	defer endTrace()
	for {
		kind, data, err := v.conn.Read(ctx)
		if err != nil {
			return nil
		}
		var r request
		if kind != websocket.MessageText || json.Unmarshal(data, &r) != nil {
			return errors.New("a request is no JSON object")
		}
		if r.Watch != nil {
			v.watchScreens(ctx, *r.Watch)
		}
		if r.Trace != nil {
			setTrace(*r.Trace)
		}
		if s := v.screens[r.Drawn]; s != nil {
			select {
			case s.drawn <- struct{}{}:
			default:
			}
		}
	}
}

// watchScreens begins to send the pictures of the named screens, and ends those
// of others. It ignores screens that do not exist.
func (v *viewer) watchScreens(ctx context.Context, names []string) {
	wanted := make(map[string]bool)
	for _, name := range names {
		wanted[name] = true
	}
	for name, s := range v.screens {
		if !wanted[name] {
			s.stop()
			delete(v.screens, name)
		}
	}
	for name := range wanted {
		if v.screens[name] != nil || len(v.screens) >= maxScreens {
			continue
		}
		label, connector, _ := strings.Cut(name, ":")
		card := v.server.card(label)
		if card == nil || connector == "" {
			continue
		}
		s := &screen{card: card, connector: connector, drawn: make(chan struct{}, 1), encoder: encoder{screen: name}}
		var watching context.Context
		watching, s.stop = context.WithCancel(ctx)
		s.drawn <- struct{}{} // so two pictures can be under way
		v.screens[name] = s
		v.running.Go(func() { _ = card.Follow(watching, connector, v.show(ctx, watching, s)) })
	}
}

// card returns the card with a label, or nil.
func (s *Server) card(label string) *machine.Card {
	for _, c := range s.machine.Cards() {
		if c.Label() == label {
			return c
		}
	}
	return nil
}

// show returns a function that sends a picture, and returns when the viewer has
// drawn the one before. A picture that has not changed needs no answer. watching
// ends when the viewer watches the screen no more; writing must go on then,
// since half a message would end the connection.
func (v *viewer) show(ctx, watching context.Context, s *screen) func(*image.NRGBA) error {
	var p pace
	return func(picture *image.NRGBA) error {
		begun := time.Now()
		if message := s.encoder.encode(picture); message != nil { // nil: nothing has changed
			p.next(begun)
			if err := v.conn.Write(ctx, websocket.MessageBinary, message); err != nil {
				return err
			}
			select {
			case <-s.drawn:
			case <-watching.Done():
				return watching.Err()
			}
		}
		select {
		case <-time.After(time.Until(p.due)):
			return nil
		case <-watching.Done():
			return watching.Err()
		}
	}
}

// send sends trees and the lines of the trace as long as the viewer is there.
func (v *viewer) send(ctx context.Context) {
	class := v.server.machine.Class()
	o := &observer{poke: v.poke, unplugs: make(map[*drm.Device]unplugTimes)}
	defer class.Trace(o)()
	defer class.Subscribe(func(drm.Uevent) { v.poke() })()
	defer v.server.machine.SubscribeBuses(func(bus.Event) { v.poke() })()
	var last []byte
	for {
		message, err := json.Marshal(update{Tree: v.tree(o)})
		if err == nil && string(message) != string(last) {
			err = v.conn.Write(ctx, websocket.MessageText, message)
			last = message
		}
		if records, lost := v.lines.take(); err == nil && len(records)+lost > 0 {
			if message, err = json.Marshal(update{Trace: records, Lost: lost}); err == nil {
				err = v.conn.Write(ctx, websocket.MessageText, message)
			}
		}
		if err != nil {
			return
		}
		select { // not more often than that
		case <-time.After(treeTime):
		case <-ctx.Done():
			return
		}
		select {
		case <-v.poked:
		case <-time.After(lookTime):
		case <-ctx.Done():
			return
		}
	}
}

func (v *viewer) tree(o *observer) *tree {
	current := make(map[*drm.Device]bool)
	for _, c := range v.server.machine.Cards() {
		current[c.Device()] = true
	}
	t := v.server.tree(o.times(current))
	return &t
}

// tracing returns a function that switches the recording of requests on or off,
// and one that ends it.
func (v *viewer) tracing() (set func(on bool), end func()) {
	var recorder *trace.Recorder
	var detach func()
	end = func() {
		if recorder != nil {
			detach()
			_ = recorder.Close() // a traceQueue does not fail
			recorder = nil
		}
	}
	return func(on bool) {
		if end(); on {
			recorder = trace.NewRecorder(&v.lines)
			detach = v.server.machine.Class().Trace(recorder)
		}
	}, end
}
