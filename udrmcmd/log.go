package udrmcmd

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// A prefixHandler writes log records as text. Each line begins with the name of
// the command, so that it is not mistaken for output of the program. Values are
// quoted where they need it: many come from programs, such as their names.
type prefixHandler struct {
	prefix string
	level  slog.Level
	attrs  []slog.Attr // of all records

	mu  *sync.Mutex
	out io.Writer
}

func newLogger(name string, level slog.Level, out io.Writer) *slog.Logger {
	return slog.New(&prefixHandler{prefix: name + ": ", level: level, mu: new(sync.Mutex), out: out})
}

// Enabled implements [slog.Handler].
func (h *prefixHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// stackKey is the key of stack traces, which keep their lines.
const stackKey = "stack"

// Handle implements [slog.Handler].
func (h *prefixHandler) Handle(_ context.Context, r slog.Record) error {
	var text, stack strings.Builder
	text.WriteString(r.Message)
	add := func(a slog.Attr) bool {
		value := a.Value.Resolve().String()
		if a.Key == stackKey && value != "" {
			stack.WriteString("\n" + strings.TrimRight(value, "\n"))
			return true
		}
		text.WriteString(" " + a.Key + "=" + quoted(value))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text.WriteString(stack.String())
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, h.prefix+strings.ReplaceAll(text.String(), "\n", "\n"+h.prefix)+"\n")
	return err
}

// quoted quotes a value unless it is one printable word.
func quoted(value string) string {
	needed := func(r rune) bool {
		return r == ' ' || r == '"' || r == '=' || r == unicode.ReplacementChar || !unicode.IsPrint(r)
	}
	if value == "" || strings.ContainsFunc(value, needed) {
		return strconv.Quote(value)
	}
	return value
}

// WithAttrs implements [slog.Handler].
func (h *prefixHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Concat(h.attrs, attrs)
	return &with
}

// WithGroup implements [slog.Handler]. Lines do not show groups.
func (h *prefixHandler) WithGroup(string) slog.Handler { return h }
