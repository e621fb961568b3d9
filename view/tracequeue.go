package view

import (
	"bytes"
	"encoding/json"
	"sync"
)

// A traceQueue holds the lines of a trace until the viewer takes them. It is the
// output of a [trace.Recorder], so it never blocks: a full queue drops lines.
type traceQueue struct {
	poke func() // tells the viewer that there are lines

	mu    sync.Mutex
	lines []json.RawMessage
	bytes int // of lines
	lost  int // lines that were dropped
	rest  []byte
}

// Limits of the lines that wait.
const (
	maxLines      = 500
	maxTraceBytes = 256 << 10
)

// Write adds lines. It never fails.
func (q *traceQueue) Write(p []byte) (int, error) {
	defer q.poke()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rest = append(q.rest, p...)
	for {
		line, rest, ok := bytes.Cut(q.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		if len(q.lines) < maxLines && q.bytes+len(line) <= maxTraceBytes {
			q.lines = append(q.lines, bytes.Clone(line))
			q.bytes += len(line)
		} else {
			q.lost++
		}
		q.rest = append(q.rest[:0], rest...)
	}
}

// take removes and returns what waits.
func (q *traceQueue) take() (lines []json.RawMessage, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, lost = q.lines, q.lost
	q.lines, q.bytes, q.lost = nil, 0, 0
	return lines, lost
}
