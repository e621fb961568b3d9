package drmtest

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Reports collects what a class reports through its logger, for tests that
// provoke reports. The zero value is empty. All methods may be called
// concurrently.
type Reports struct {
	mu    sync.Mutex
	lines []string
}

// Logger returns a logger, for drm.ClassOptions, that adds a line to r for each
// report. Refused requests, which are logged at slog.LevelDebug, are left out.
func (r *Reports) Logger() *slog.Logger {
	return slog.New(lineHandler{slog.LevelInfo, func(line string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.lines = append(r.lines, line)
	}})
}

// Take returns the reports so far, one line each, and forgets them.
func (r *Reports) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// NoReports returns a logger, for drm.ClassOptions, that fails the test at each
// report, such as that of a panic in a handler.
func NoReports(t testing.TB) *slog.Logger {
	return slog.New(lineHandler{slog.LevelInfo, func(line string) {
		t.Helper()
		t.Errorf("reported: %s", line)
	}})
}

// A lineHandler gives each record of at least the level to add, as one line.
type lineHandler struct {
	level slog.Level
	add   func(line string)
}

func (h lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h lineHandler) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString(record.Level.String() + " " + record.Message)
	record.Attrs(func(a slog.Attr) bool {
		line.WriteString(" " + a.String())
		return true
	})
	h.add(line.String())
	return nil
}

func (h lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h lineHandler) WithGroup(string) slog.Handler      { return h }
