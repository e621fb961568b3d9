package trace

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A RequestStats sums up the calls of one name.
type RequestStats struct {
	Name                  string
	Calls, Errors         int
	Total, Longest, Guard float64 // microseconds
	durations             []float64
}

// Median returns the duration that half of the calls do not exceed.
func (s *RequestStats) Median() float64 {
	slices.Sort(s.durations)
	return s.durations[len(s.durations)/2]
}

// Summarize sums up the calls by name, those that took longest in total first.
func Summarize(records []Record) []*RequestStats {
	byName := map[string]*RequestStats{}
	var all []*RequestStats
	for i := range records {
		r := &records[i]
		if !r.Call() {
			continue
		}
		s := byName[r.Name()]
		if s == nil {
			s = &RequestStats{Name: r.Name()}
			byName[s.Name] = s
			all = append(all, s)
		}
		s.Calls++
		if r.Errno != "" {
			s.Errors++
		}
		s.Total += r.Duration
		s.Guard += r.Guard
		s.Longest = max(s.Longest, r.Duration)
		s.durations = append(s.durations, r.Duration)
	}
	slices.SortFunc(all, func(a, b *RequestStats) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Stats prints the calls by name, the frames of each CRTC and the unplugs.
func Stats(w io.Writer, records []Record) error {
	var b strings.Builder
	const row = "%7v %6v %12v %12v %12v %12v  %s\n"
	fmt.Fprintf(&b, row, "calls", "errors", "total", "median", "longest", "in guard", "request")
	for _, s := range Summarize(records) {
		fmt.Fprintf(&b, row, s.Calls, s.Errors, micros(s.Total), micros(s.Median()), micros(s.Longest), micros(s.Guard), s.Name)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return displayStats(w, records)
}

func displayStats(w io.Writer, records []Record) error {
	type crtc struct {
		card string
		id   uint32
	}
	frames, first, last := map[crtc]int{}, map[crtc]float64{}, map[crtc]float64{}
	var order []crtc
	begun := map[string]float64{}
	for i := range records {
		r := &records[i]
		switch r.Type {
		case "frame":
			c := crtc{r.Card, r.CRTC}
			if frames[c] == 0 {
				order, first[c] = append(order, c), r.Time
			}
			frames[c]++
			last[c] = r.Time
		case "unplug":
			begun[r.Card] = r.Time
		case "drained", "unplugged":
			if _, err := fmt.Fprintf(w, "%s: %s %v after the unplug began\n", r.Card, r.Type, micros(r.Time-begun[r.Card])); err != nil {
				return err
			}
		}
	}
	for _, c := range order {
		rate := ""
		if n := frames[c] - 1; n > 0 && last[c] > first[c] {
			rate = fmt.Sprintf(", %.1f a second", float64(n)/(last[c]-first[c])*1e6)
		}
		if _, err := fmt.Fprintf(w, "%s CRTC %d: %d frames%s\n", c.card, c.id, frames[c], rate); err != nil {
			return err
		}
	}
	return nil
}
