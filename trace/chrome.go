package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A chromeEvent is an event of the trace format of Chrome. ui.perfetto.dev
// reads it.
type chromeEvent struct {
	Name     string  `json:"name"`
	Phase    string  `json:"ph"`
	Time     float64 `json:"ts"`
	Duration float64 `json:"dur,omitempty"`
	PID      int     `json:"pid"`
	TID      int     `json:"tid"`
	Scope    string  `json:"s,omitempty"`
	Args     any     `json:"args,omitempty"`
}

// Chrome writes records in the trace format of Chrome, for ui.perfetto.dev. A
// process has a track for each of its threads, or files where the thread is
// not known, with the requests and their guards. A card has a track for each
// CRTC, with its frames and vblanks, one for its unplug, and a counter of open
// guards.
func Chrome(w io.Writer, records []Record) error {
	c := &chrome{out: bufio.NewWriter(w), cards: map[string]*chromeCard{}, named: map[[2]int]bool{}}
	c.text(`{"displayTimeUnit":"ms","traceEvents":[`)
	for i := range records {
		c.record(&records[i])
	}
	c.guards(records)
	c.text("\n]}\n")
	if err := c.out.Flush(); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

type chrome struct {
	out   *bufio.Writer // keeps the first error
	cards map[string]*chromeCard
	named map[[2]int]bool // tracks
	some  bool            // an event was written
}

type chromeCard struct {
	pid           int
	frames        map[uint32]*Record // the last frame of each CRTC
	unplug, drain *Record
}

// firstCard is the process number of the first card: no real process has it.
const firstCard = 1 << 30

// Tracks of a card beside those of its CRTCs, which have the id of the CRTC.
const unplugTrack = 0

func (c *chrome) text(s string) { _, _ = c.out.WriteString(s) }

func (c *chrome) event(e chromeEvent) {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // the arguments come from JSON
	}
	if c.some {
		c.text(",")
	}
	c.some = true
	c.text("\n")
	_, _ = c.out.Write(text)
}

// name names a process, or with a thread a track, at its first use.
func (c *chrome) name(what string, pid, tid int, name string) {
	if key := [2]int{pid, tid}; what == "thread_name" {
		if c.named[key] {
			return
		}
		c.named[key] = true
	}
	c.event(chromeEvent{Name: what, Phase: "M", PID: pid, TID: tid, Args: map[string]string{"name": name}})
}

func (c *chrome) card(name string) *chromeCard {
	card := c.cards[name]
	if card == nil {
		card = &chromeCard{pid: firstCard + len(c.cards), frames: map[uint32]*Record{}}
		c.cards[name] = card
		c.name("process_name", card.pid, 0, name)
		c.name("thread_name", card.pid, unplugTrack, "registration")
	}
	return card
}

func (c *chrome) record(r *Record) {
	if r.Call() {
		c.call(r)
		return
	}
	card := c.card(r.Card)
	switch r.Type {
	case "vblank":
		c.crtc(card, r)
		c.event(chromeEvent{Name: fmt.Sprintf("vblank %d", r.Sequence), Phase: "i", Scope: "t", Time: r.Time, PID: card.pid, TID: int(r.CRTC)})
	case "frame":
		c.crtc(card, r)
		if last := card.frames[r.CRTC]; last != nil {
			c.event(chromeEvent{Name: fmt.Sprintf("frame %d", last.Sequence), Phase: "X", Time: last.Time, Duration: r.Time - last.Time, PID: card.pid, TID: int(r.CRTC)})
		}
		card.frames[r.CRTC] = r
	case "unplug":
		card.unplug = r
	case "drained":
		card.drain = r
	case "unplugged":
		c.unplugged(card, r)
	case "event":
		c.process(r)
		c.event(chromeEvent{Name: r.Event, Phase: "i", Scope: "p", Time: r.Time, PID: r.PID, TID: c.thread(r), Args: r.Data})
	default:
		c.event(chromeEvent{Name: r.Type, Phase: "i", Scope: "p", Time: r.Time, PID: card.pid, TID: unplugTrack})
	}
}

func (c *chrome) crtc(card *chromeCard, r *Record) {
	c.name("thread_name", card.pid, int(r.CRTC), fmt.Sprintf("CRTC %d", r.CRTC))
}

func (c *chrome) unplugged(card *chromeCard, end *Record) {
	begin := card.unplug
	if begin == nil {
		return
	}
	c.event(chromeEvent{Name: "unplug", Phase: "X", Time: begin.Time, Duration: end.Time - begin.Time, PID: card.pid, TID: unplugTrack})
	if card.drain != nil {
		c.event(chromeEvent{Name: "drain", Phase: "X", Time: begin.Time, Duration: card.drain.Time - begin.Time, PID: card.pid, TID: unplugTrack})
	}
}

// process names the process of a client.
func (c *chrome) process(r *Record) {
	if key := [2]int{r.PID, -1}; !c.named[key] {
		c.named[key] = true
		c.name("process_name", r.PID, 0, fmt.Sprintf("%s[%d]", r.Comm, r.PID))
	}
}

// thread returns the track of a client's record: its thread, or its file.
func (c *chrome) thread(r *Record) int {
	if r.TID != 0 {
		return r.TID
	}
	c.name("thread_name", r.PID, int(r.File), fmt.Sprintf("file %d", r.File))
	return int(r.File)
}

func (c *chrome) call(r *Record) {
	tid := c.thread(r)
	c.process(r)
	args := map[string]any{"card": r.Card, "file": r.File}
	for key, text := range map[string]json.RawMessage{"in": r.In, "out": r.Out} {
		if text != nil {
			args[key] = text
		}
	}
	name := r.Name()
	if r.Errno != "" {
		args["errno"], args["error"] = r.Errno, r.Error
		name += " " + r.Errno
	}
	c.event(chromeEvent{Name: name, Phase: "X", Time: r.Time, Duration: r.Duration, PID: r.PID, TID: tid, Args: args})
	if r.Entered != 0 {
		c.event(chromeEvent{Name: "guard", Phase: "X", Time: r.Entered, Duration: r.Guard, PID: r.PID, TID: tid})
	}
}

// guards writes how many guards of each card are open, as a counter.
func (c *chrome) guards(records []Record) {
	type step struct {
		card string
		at   float64
		by   int
	}
	var steps []step
	for i := range records {
		if r := &records[i]; r.Call() && r.Entered != 0 {
			steps = append(steps, step{r.Card, r.Entered, 1}, step{r.Card, r.Entered + r.Guard, -1})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	open := map[string]int{}
	for _, s := range steps {
		open[s.card] += s.by
		c.event(chromeEvent{Name: "open guards", Phase: "C", Time: s.at, PID: c.card(s.card).pid, Args: map[string]int{"guards": open[s.card]}})
	}
}
