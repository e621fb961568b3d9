package drmtest

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Reports collects what is reported with log/slog while a test runs, instead
// of printing it: for tests that provoke reports, and for those that must have
// none.
type Reports struct {
	mu    sync.Mutex
	lines []string
}

// CollectReports collects reports until the end of the test. Tests that run in
// parallel collect each other's.
func CollectReports(t testing.TB) *Reports {
	r := &Reports{}
	before := slog.Default()
	slog.SetDefault(slog.New(r))
	t.Cleanup(func() { slog.SetDefault(before) })
	return r
}

// Take returns the reports so far, one line each, and forgets them.
func (r *Reports) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// Enabled implements slog.Handler.
func (r *Reports) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (r *Reports) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString(record.Level.String() + " " + record.Message)
	record.Attrs(func(a slog.Attr) bool {
		line.WriteString(" " + a.String())
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line.String())
	return nil
}

// WithAttrs implements slog.Handler.
func (r *Reports) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r *Reports) WithGroup(string) slog.Handler { return r }
