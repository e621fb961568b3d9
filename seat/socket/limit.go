package socket

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Limits of the connections to one server.
const (
	MaxConns      = 64 // at the same time
	MaxGroupConns = 16 // of one process group
)

// A connLimit counts the connections to one server. The zero value is ready. A
// process group is what a shell makes for each command: a program that starts many
// processes gets no more connections by that.
type connLimit struct {
	mu      sync.Mutex
	count   int
	byGroup map[int]int
}

// add counts a connection of a process until ended is called.
func (l *connLimit) add(pid int) (ended func(), err error) {
	group := pid
	if pid > 0 { // 0: in no pid namespace of this process
		if g, err := unix.Getpgid(pid); err == nil {
			group = g
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.count >= MaxConns:
		return nil, fmt.Errorf("process %d wants to connect: there are %d connections already", pid, l.count)
	case l.byGroup[group] >= MaxGroupConns:
		return nil, fmt.Errorf("process %d wants to connect: its process group %d has %d connections already", pid, group, MaxGroupConns)
	}
	if l.byGroup == nil {
		l.byGroup = make(map[int]int)
	}
	l.count++
	l.byGroup[group]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count--
		if l.byGroup[group]--; l.byGroup[group] == 0 {
			delete(l.byGroup, group)
		}
	}, nil
}
