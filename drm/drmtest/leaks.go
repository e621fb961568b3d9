package drmtest

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// NoLeaks makes the test fail when it ends with more goroutines or descriptors
// than it began with. Call it first: it looks after all other cleanups have
// run. Tests that run in parallel count each other's.
func NoLeaks(t testing.TB) {
	goroutines := runtime.NumGoroutine()
	before := descriptors(t)
	t.Cleanup(func() {
		deadline := time.Now().Add(10 * time.Second)
		for { // some may be ending just now
			more := runtime.NumGoroutine() - goroutines
			after := descriptors(t)
			for fd := range maps.Keys(before) {
				delete(after, fd)
			}
			if more <= 0 && len(after) == 0 {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("left behind are %d goroutines and the descriptors %v; all goroutines:\n%s",
					max(0, more), after, stacks[:runtime.Stack(stacks, true)])
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// descriptors returns what each open descriptor of the process refers to,
// those of the Go runtime excepted.
func descriptors(t testing.TB) map[string]string {
	const dir = "/proc/self/fd/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("looking for leaks of descriptors: %v", err)
	}
	open := make(map[string]string)
	for _, e := range entries {
		target, err := os.Readlink(dir + e.Name())
		runtimes := strings.HasPrefix(target, "anon_inode:[event") || strings.Contains(target, fmt.Sprintf("/proc/%d/fd", os.Getpid()))
		if err == nil && !runtimes {
			open[e.Name()] = target
		}
	}
	return open
}
