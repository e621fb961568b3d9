// Package accept accepts connections of clients that may be hostile: within a
// limit, and also after a time in which the process or the machine had no
// descriptor or no memory for one.
package accept

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// A failed accept is tried again after a time that doubles from firstWait to
// lastWait.
const (
	firstWait = 5 * time.Millisecond
	lastWait  = 100 * time.Millisecond
)

// Next calls accept until it returns a connection, or the listener is closed
// ([net.ErrClosed]). Any other error is one of a shortage: the client waits in the
// queue of the listener meanwhile. The first of a series is passed to report.
func Next[C any](accept func() (C, error), report func(error)) (C, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		c, err := accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		if wait == firstWait {
			report(err)
		}
		time.Sleep(wait)
	}
}

// Limited returns a listener with at most limit connections at a time. It answers
// further ones with refusal, which must be short, and closes them. The connections
// implement [syscall.Conn]. report is as of [Next].
func Limited(l net.Listener, limit int, refusal []byte, report func(error)) net.Listener {
	return Grouped(l, limit, limit, func(net.Conn) int { return 0 }, refusal, report)
}

// Grouped is [Limited] where the connections of one group of clients, such as a
// process group, have a limit of their own.
func Grouped(l net.Listener, limit, groupLimit int, group func(net.Conn) int, refusal []byte, report func(error)) net.Listener {
	return &listener{
		Listener: l, limit: limit, groupLimit: groupLimit, group: group, refusal: refusal, report: report,
		byGroup: make(map[int]int),
	}
}

type listener struct {
	net.Listener
	limit, groupLimit int
	group             func(net.Conn) int
	refusal           []byte
	report            func(error)

	mu      sync.Mutex
	open    int
	byGroup map[int]int
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := Next(l.Listener.Accept, l.report)
		if err != nil {
			return nil, err
		}
		if group := l.group(c); l.enter(group) {
			return &conn{Conn: c, listener: l, group: group}, nil
		}
		_, _ = c.Write(l.refusal) // the buffer of a new socket takes it at once
		_ = c.Close()
	}
}

func (l *listener) enter(group int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == l.limit || l.byGroup[group] == l.groupLimit {
		return false
	}
	l.open++
	l.byGroup[group]++
	return true
}

func (l *listener) leave(group int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byGroup[group]--; l.byGroup[group] == 0 {
		delete(l.byGroup, group)
	}
}

// A conn is a connection of a listener.
type conn struct {
	net.Conn
	listener *listener
	group    int
	once     sync.Once
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	defer c.once.Do(func() { c.listener.leave(c.group) })
	return c.Conn.Close()
}

// SyscallConn implements [syscall.Conn].
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}
