package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// prefixHandler writes log records to standard error, a line each, so that
// they are never taken for the program's own.
type prefixHandler struct{ level slog.Level }

func (h prefixHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h prefixHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "udrm: %s", r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%v", a.Key, a.Value)
		return true
	})
	_, err := fmt.Fprintln(os.Stderr, line.String())
	return err
}

// Nothing here logs with groups or attributes of its own.
func (h prefixHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h prefixHandler) WithGroup(string) slog.Handler      { return h }
