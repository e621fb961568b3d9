package udrmcmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// A prefixHandler writes each log record as one line that begins with the name
// of the command, so that it is not mistaken for output of the program.
type prefixHandler struct {
	prefix string
	level  slog.Level

	mu  *sync.Mutex
	out io.Writer
}

func newLogger(name string, level slog.Level, out io.Writer) *slog.Logger {
	return slog.New(&prefixHandler{prefix: name + ": ", level: level, mu: new(sync.Mutex), out: out})
}

// Enabled implements [slog.Handler].
func (h *prefixHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements [slog.Handler].
func (h *prefixHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(h.prefix + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%v", a.Key, a.Value)
		return true
	})
	line.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, line.String())
	return err
}

// WithAttrs implements [slog.Handler].
func (h *prefixHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		with.prefix += fmt.Sprintf("%s=%v ", a.Key, a.Value)
	}
	return &with
}

// WithGroup implements [slog.Handler]. Lines do not show groups.
func (h *prefixHandler) WithGroup(string) slog.Handler { return h }
