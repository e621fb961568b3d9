package gem

import (
	"strings"
	"testing"
)

// TestManyNames shows the names of very many buffers. At no time are many of them looked
// at with the lock held.
func TestManyNames(t *testing.T) {
	m := New()
	const many = 3*namesAtOnce + 5
	for range many {
		m.names.Add(&Object{})
	}
	var some strings.Builder
	next := m.someNames(&some, 1)
	if lines := strings.Count(some.String(), "\n"); lines > 1024 || int(next) != lines+1 {
		t.Errorf("%d names are shown at once, and the next one is %d", lines, next)
	}
	if lines := strings.Count(m.showNames(), "\n"); lines != many+1 {
		t.Errorf("%d lines, want %d", lines, many+1)
	}
}
