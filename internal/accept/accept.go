// Package accept accepts connections of clients that may be hostile: within limits,
// and also after a time in which the process or the machine had no descriptor or no
// memory for one.
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

// Grouped returns a listener with at most limit connections at a time, and at most
// groupLimit of one group of clients, such as a process group. It answers further
// ones with refusal, which must be short, and closes them. The connections implement
// [syscall.Conn]. report is as of [Next].
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
			return &conn{Conn: c, leave: func() { l.leave(group) }}, nil
		}
		refuse(c, l.refusal)
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

func refuse(c net.Conn, refusal []byte) {
	_, _ = c.Write(refusal) // the buffer of a new socket takes it at once
	_ = c.Close()
}

// A conn is a connection of a listener.
type conn struct {
	net.Conn
	leave func() // the listener
	once  sync.Once
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}

// SyscallConn implements [syscall.Conn].
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}
