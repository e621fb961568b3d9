package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Version is the version of the format of traces.
const Version = 1

// A Record is one line of a trace; the package documentation describes the
// format. Times are in microseconds since the start of the trace.
type Record struct {
	Type string  `json:"type"`
	Seq  uint64  `json:"seq"`
	Time float64 `json:"t"`

	Version int    `json:"version,omitempty"`
	Start   string `json:"start,omitempty"`

	Card string `json:"card,omitempty"`
	Node string `json:"node,omitempty"`
	File uint64 `json:"file,omitempty"`
	PID  int    `json:"pid,omitempty"`
	TID  int    `json:"tid,omitempty"`
	Comm string `json:"comm,omitempty"`

	Duration float64 `json:"dur,omitempty"`
	Entered  float64 `json:"entered,omitempty"`
	Guard    float64 `json:"guard,omitempty"`

	Request string          `json:"request,omitempty"`
	In      json.RawMessage `json:"in,omitempty"`
	Out     json.RawMessage `json:"out,omitempty"`
	Errno   string          `json:"errno,omitempty"`
	Error   string          `json:"error,omitempty"`

	CRTC     uint32          `json:"crtc,omitempty"`
	Sequence uint64          `json:"sequence,omitempty"`
	Event    string          `json:"event,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// Call reports whether the record is of a call of a client, rather than of an
// event on a device.
func (r *Record) Call() bool { return slices.Contains(callTypes, r.Type) }

var callTypes = []string{"ioctl", "open", "close", "mmap", "read"}

// Name returns what happened: the name of a request or event, or the type.
func (r *Record) Name() string {
	switch {
	case r.Request != "":
		return r.Request
	case r.Event != "":
		return r.Event
	}
	return r.Type
}

var errNoTrace = errors.New("trace: the file is not a trace, which udrm run --trace FILE writes")

// Read reads a trace, without its first line, in the order in which the calls
// began. A last line that is cut off is dropped, since a program may be killed.
func Read(input io.Reader) ([]Record, error) {
	in := bufio.NewReader(input)
	var records []Record
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF {
			if line == 1 && len(text) > 0 {
				return nil, errNoTrace
			} else if line == 1 {
				return nil, errors.New("trace: the file is empty")
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		var r Record
		// The words of encoding/json say nothing to a reader of traces.
		damaged := json.Unmarshal(bytes.TrimSpace(text), &r) != nil || r.Type == ""
		switch {
		case line == 1 && (damaged || r.Type != "trace"):
			return nil, errNoTrace
		case line == 1 && r.Version != Version:
			return nil, fmt.Errorf("trace: format version %d: this program reads version %d", r.Version, Version)
		case damaged:
			return nil, fmt.Errorf("trace: line %d is not a record of a trace: the file is damaged", line)
		case line > 1:
			records = append(records, r)
		}
	}
	slices.SortStableFunc(records, func(a, b Record) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return records, nil
}
