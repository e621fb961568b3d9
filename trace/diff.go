package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Diff prints how the second of two traces differs from the first, and returns
// the number of differences. It compares the requests and answers of each open
// file, and the frames and unplugs of each card. It ignores times, vblanks and
// addresses.
//
// Diff matches the ids of framebuffers, buffers, blobs and descriptors. If
// framebuffer 41 of one trace is framebuffer 43 of the other throughout, they
// are equal.
func Diff(w io.Writer, a, b []Record) (differences int, err error) {
	before, after := streams(a), streams(b)
	var names []string
	for name := range before {
		names = append(names, name)
	}
	for name := range after {
		if before[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	ids := newIDs()
	for _, name := range names {
		d := &differ{ids: ids}
		d.compare(before[name], after[name])
		if len(d.lines) > 0 {
			differences += d.count
			if _, err := fmt.Fprintf(w, "%s:\n%s\n", name, strings.Join(d.lines, "\n")); err != nil {
				return differences, err
			}
		}
	}
	return differences, nil
}

// A step is a record in a form that is the same in equal runs.
type step struct {
	*Record
	text string // with ids replaced by their kinds
	ids  []id   // in the order of the text
}

// An id is a number that names an object.
type id struct {
	kind  string
	text  string
	fresh bool // the request made the object
}

// streams splits a trace into sequences whose order is the same in equal runs:
// one for each open file, for its events, and for each card.
func streams(records []Record) map[string][]step {
	all := map[string][]step{}
	files := map[uint64]string{}
	count := map[string]int{} // of the files of a card and program
	for i := range records {
		r := &records[i]
		name := r.Card
		switch {
		case name == "":
			name = r.Comm + ", sync files and dma-bufs"
		case r.Type == "vblank":
			continue
		case r.File != 0:
			name = files[r.File]
			if name == "" {
				who := r.Card + " " + r.Comm
				count[who]++
				name = fmt.Sprintf("%s, file %d", who, count[who])
				files[r.File] = name
			}
			if r.Type == "event" {
				name += ", events"
			}
			if r.Type == "close" {
				delete(files, r.File)
			}
		}
		all[name] = append(all[name], newStep(r))
	}
	return all
}

func newStep(r *Record) step {
	s := step{Record: r}
	var b strings.Builder
	b.WriteString(r.Name())
	s.add(&b, r.In, false)
	s.add(&b, r.Out, true)
	s.add(&b, r.Data, false)
	if r.Errno != "" {
		b.WriteString(" = " + r.Errno)
	}
	s.text = b.String()
	return s
}

func (s *step) add(b *strings.Builder, text []byte, fresh bool) {
	if len(text) > 0 {
		b.WriteByte(' ')
		s.walk(b, "", parseValue(text), fresh)
	}
}

// walk prints v as the value of key, and collects its ids.
func (s *step) walk(b *strings.Builder, key string, v value, fresh bool) {
	switch {
	case ignored(key):
		b.WriteByte('-')
	case v.kind == '{':
		b.WriteByte('{')
		property := v.get("property").text
		for i, k := range v.keys {
			fmt.Fprintf(b, " %s:", k)
			if k == "value" && strings.HasSuffix(property, "_FENCE_FD") {
				k = "fd"
			} else if k == "value" && strings.HasSuffix(property, "_PTR") {
				k = "address_ptr"
			}
			s.walk(b, k, v.values[i], fresh)
		}
		b.WriteByte('}')
	case v.kind == '[':
		b.WriteByte('[')
		for _, item := range v.values {
			b.WriteByte(' ')
			s.walk(b, key, item, fresh)
		}
		b.WriteByte(']')
	case strings.HasPrefix(v.text, "0x") && key != "user_data" && key != "offset":
		if v.kind == 's' && isAddress(key) {
			b.WriteByte('-')
			return
		}
		b.WriteString(v.text)
	case idKinds[key] != "" && v.text != "0" && v.text != "-1":
		b.WriteString(idKinds[key])
		s.ids = append(s.ids, id{idKinds[key], v.text, fresh})
	default:
		b.WriteString(v.text)
	}
}

// ignored reports whether a field depends on the time.
func ignored(key string) bool {
	switch key {
	case "tv_sec", "tv_usec", "tval_sec", "tval_usec", "time_ns", "sequence", "sequence_ns", "timeout_nsec", "timestamp_ns", "magic":
		return true
	}
	return false
}

func isAddress(key string) bool {
	return strings.HasSuffix(key, "_ptr") || slices.ContainsFunc(addressFields(), func(f string) bool { return f == key })
}

// addressFields are the fields that hold addresses, beside those whose names
// end in _ptr.
func addressFields() []string {
	return []string{"sync_fence_info", "name", "date", "desc", "unique", "data", "red", "green", "blue", "handles", "points", "object_ids", "signal"}
}

// idKinds has the kinds of the numbers that name objects, by field.
var idKinds = map[string]string{
	"fb_id": "fb", "fb": "fb", "fb_id_ptr": "fb",
	"crtc_id": "crtc", "crtc": "crtc", "crtc_id_ptr": "crtc",
	"connector_id": "connector", "connector": "connector", "connector_id_ptr": "connector", "set_connectors_ptr": "connector",
	"encoder_id": "encoder", "encoder": "encoder", "encoder_id_ptr": "encoder", "encoders_ptr": "encoder",
	"plane_id": "plane", "plane": "plane", "plane_id_ptr": "plane",
	"prop_id": "property", "blob_id": "blob", "blob": "blob",
	"obj_id": "object", "object": "object", "object_ids": "object", "objects_ptr": "object",
	"lessee_id": "lessee", "lessees_ptr": "lessee",
	"handle": "handle", "handles": "handle", "src_handle": "handle", "dst_handle": "handle",
	"fd": "fd", "fd2": "fd", "fence": "fd",
	"user_data": "user_data", "offset": "offset",
}

// ids matches the ids of two traces, in both directions.
type ids struct{ forth, back map[string]string }

func newIDs() *ids { return &ids{map[string]string{}, map[string]string{}} }

// match reports whether a of the first trace can be b of the second. The id of
// a new object may have named another object before.
func (m *ids) match(a, b id) bool {
	from, to := a.kind+" "+a.text, b.kind+" "+b.text
	forth, known := m.forth[from]
	back, taken := m.back[to]
	if a.fresh && b.fresh || !known && !taken {
		delete(m.back, forth)
		delete(m.forth, back)
		m.forth[from], m.back[to] = to, from
		return true
	}
	return forth == to && back == from
}

// A differ compares two streams.
type differ struct {
	ids   *ids
	lines []string
	count int
}

func (d *differ) compare(a, b []step) {
	for _, e := range align(a, b) {
		switch {
		case e.a == nil:
			d.add("+", e.b)
		case e.b == nil:
			d.add("-", e.a)
		default:
			d.match(e.a, e.b)
		}
	}
}

func (d *differ) add(sign string, s *step) {
	d.count++
	d.lines = append(d.lines, sign+s.String())
}

// match compares two records that are equal but for their ids.
func (d *differ) match(a, b *step) {
	for i := range min(len(a.ids), len(b.ids)) {
		if !d.ids.match(a.ids[i], b.ids[i]) {
			d.count++
			d.lines = append(d.lines, fmt.Sprintf("!%s\n the other trace has %s %s, another object", a.String(), b.ids[i].kind, b.ids[i].text))
			return
		}
	}
}

// An edit is a pair of equal steps, or a step that only one trace has.
type edit struct{ a, b *step }

// maxEdits bounds the work of align. With more edits, all remaining steps count
// as different.
const maxEdits = 2000

// align finds the shortest list of edits that turns a into b (Myers, 1986).
func align(a, b []step) []edit {
	var edits []edit
	for len(a) > 0 && len(b) > 0 && a[0].text == b[0].text {
		edits = append(edits, edit{&a[0], &b[0]})
		a, b = a[1:], b[1:]
	}
	var tail []edit
	for len(a) > 0 && len(b) > 0 && a[len(a)-1].text == b[len(b)-1].text {
		tail = append(tail, edit{&a[len(a)-1], &b[len(b)-1]})
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	slices.Reverse(tail)
	return slices.Concat(edits, shortest(a, b), tail)
}

func shortest(a, b []step) []edit {
	limit := min(len(a)+len(b), maxEdits)
	// reach[k] is how far a has come on diagonal k: k steps of a more than
	// of b.
	reach := map[int]int{1: 0}
	var rounds []map[int]int
	for n := 0; n <= limit; n++ {
		round := map[int]int{}
		for k := -n; k <= n; k += 2 {
			x := reach[k-1] + 1
			if k == -n || k != n && reach[k-1] < reach[k+1] {
				x = reach[k+1]
			}
			for x < len(a) && x-k < len(b) && x-k >= 0 && a[x].text == b[x-k].text {
				x++
			}
			round[k] = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(a, b, append(rounds, round))
			}
		}
		rounds = append(rounds, round)
		reach = round
	}
	var edits []edit
	for i := range a {
		edits = append(edits, edit{a: &a[i]})
	}
	for i := range b {
		edits = append(edits, edit{b: &b[i]})
	}
	return edits
}

// backtrack walks the rounds of shortest from the end to the beginning.
func backtrack(a, b []step, rounds []map[int]int) []edit {
	var edits []edit
	x, y := len(a), len(b)
	for n := len(rounds) - 1; n >= 0; n-- {
		k := x - y
		fromX, fromY := 0, 0
		if n > 0 {
			before := rounds[n-1]
			from := k - 1
			if k == -n || k != n && before[k-1] < before[k+1] {
				from = k + 1
			}
			fromX = before[from]
			fromY = fromX - from
		}
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			edits = append(edits, edit{&a[x], &b[y]})
		}
		switch {
		case n == 0:
		case x > fromX:
			x--
			edits = append(edits, edit{a: &a[x]})
		case y > fromY:
			y--
			edits = append(edits, edit{b: &b[y]})
		}
	}
	slices.Reverse(edits)
	return edits
}
