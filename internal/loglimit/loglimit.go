// Package loglimit bounds how much a log grows by what clients cause.
//
// Package machine puts a [Handler] before the handler of its user: a client
// that repeats a refused request must not fill a disk, nor slow down others
// that log.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Handler passes on at most a number of records of each message and client in
// each second, and allFactor times as many of all. The attribute "pid" of a record
// is the client. At the first record after that second, it tells how many it has
// dropped. All methods may be called concurrently.
type Handler struct {
	next slog.Handler
	*counts
}

// counts are shared by all handlers that are made of one.
type counts struct {
	limit int
	now   func() time.Time

	mu       sync.Mutex
	messages map[key]*count
	all      count
}

// allFactor keeps a client from logging much by many messages or processes.
const allFactor = 10

// A key is what is counted.
type key struct {
	message string
	pid     int64
}

// A count is of one key, in the second that began at since.
type count struct {
	since   time.Time
	passed  int
	dropped int
}

// maxMessages bounds the memory that counts take.
const maxMessages = 1000

// New returns a handler in front of next, with limit records a second of each
// message and client.
func New(next slog.Handler, limit int) *Handler {
	return &Handler{next, &counts{limit: limit, now: time.Now, messages: make(map[key]*count)}}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	k := key{message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "pid" && a.Value.Kind() == slog.KindInt64 {
			k.pid = a.Value.Int64()
		}
		return k.pid == 0
	})
	pass, dropped := h.count(k)
	if !pass {
		return nil
	}
	if dropped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("dropped", dropped))
	}
	return h.next.Handle(ctx, r)
}

// count counts a record. It returns whether the record is passed on, and how
// many were dropped before it.
func (c *counts) count(k key) (pass bool, dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	m := c.messages[k]
	if m == nil {
		if len(c.messages) >= maxMessages {
			clear(c.messages)
		}
		m = &count{since: now}
		c.messages[k] = m
	}
	if now.Sub(m.since) >= time.Second {
		dropped = m.dropped
		*m = count{since: now}
	}
	if m.passed >= c.limit {
		m.dropped++
		return false, 0
	}
	if now.Sub(c.all.since) >= time.Second {
		dropped += c.all.dropped
		c.all = count{since: now}
	}
	if c.all.passed >= allFactor*c.limit {
		c.all.dropped += 1 + dropped
		return false, 0
	}
	m.passed++
	c.all.passed++
	return true, dropped
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.counts}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.counts}
}
