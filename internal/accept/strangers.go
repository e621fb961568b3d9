package accept

import (
	"net"
	"slices"
	"sync"
)

// A Limited is a listener with at most so many connections at a time. A further one
// takes the place of the oldest stranger: a connection that [Limited.Trust] was not
// called for. So a crowd of strangers cannot keep others out.
type Limited struct {
	net.Listener
	limit   int
	refusal []byte
	report  func(error)

	mu        sync.Mutex
	open      int
	strangers []net.Conn // the oldest first
}

// NewLimited returns a listener. Where all connections are trusted, it answers a
// further one with refusal, which must be short, and closes it. report is as of
// [Next].
func NewLimited(l net.Listener, limit int, refusal []byte, report func(error)) *Limited {
	return &Limited{Listener: l, limit: limit, refusal: refusal, report: report}
}

// Accept implements [net.Listener].
func (l *Limited) Accept() (net.Conn, error) {
	for {
		inner, err := Next(l.Listener.Accept, l.report)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner}
		c.leave = func() { l.leave(c) }
		oldest, ok := l.enter(c)
		if oldest != nil {
			_ = oldest.Close()
		}
		if ok {
			return c, nil
		}
		refuse(inner, l.refusal)
	}
}

// enter adds a connection, and returns the one that must end for it, or nil.
func (l *Limited) enter(c net.Conn) (oldest net.Conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.limit {
		if len(l.strangers) == 0 {
			return nil, false
		}
		oldest = l.strangers[0]
		l.strangers = l.strangers[1:]
	}
	l.open++
	l.strangers = append(l.strangers, c)
	return oldest, true
}

// Trust says that the client of a connection is no stranger.
func (l *Limited) Trust(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(c)
}

func (l *Limited) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	l.forget(c)
}

func (l *Limited) forget(c net.Conn) {
	l.strangers = slices.DeleteFunc(l.strangers, func(s net.Conn) bool { return s == c })
}
