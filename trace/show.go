package trace

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

// Show prints records for people, one a line: time, card, client, what was
// asked and answered, how long it took and how much of that in the guard.
func Show(w io.Writer, records []Record) error {
	for i := range records {
		if _, err := fmt.Fprintln(w, records[i].String()); err != nil {
			return err
		}
	}
	return nil
}

// String returns the record in the form that [Show] prints.
func (r *Record) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12.6f %s", r.Time/1e6, cmp.Or(r.Card, "-"))
	if r.Comm != "" {
		fmt.Fprintf(&b, " %s[%d]", r.Comm, r.PID)
	}
	if r.Call() {
		r.printCall(&b)
		return b.String()
	}
	fmt.Fprintf(&b, " -- %s", r.Type)
	if r.CRTC != 0 {
		fmt.Fprintf(&b, " crtc=%d sequence=%d", r.CRTC, r.Sequence)
	}
	if r.Event != "" {
		fmt.Fprintf(&b, " %s%s", r.Event, parseValue(r.Data))
	}
	return b.String()
}

func (r *Record) printCall(b *strings.Builder) {
	fmt.Fprintf(b, " %s(", r.Name())
	if r.In != nil {
		in := parseValue(r.In).String()
		b.WriteString(strings.TrimSuffix(strings.TrimPrefix(in, "{"), "}"))
	}
	b.WriteByte(')')
	switch {
	case r.Errno != "":
		fmt.Fprintf(b, " = %s (%s)", r.Errno, r.Error)
	case r.Out != nil:
		fmt.Fprintf(b, " = %s", parseValue(r.Out))
	default:
		b.WriteString(" = 0")
	}
	fmt.Fprintf(b, " <%v", micros(r.Duration))
	if r.Entered != 0 {
		fmt.Fprintf(b, ", guard %v", micros(r.Guard))
	}
	b.WriteByte('>')
}

func micros(us float64) time.Duration { return time.Duration(us * 1000) }
