package trace

import (
	"testing"

	"github.com/udrm/udrm/drm"
)

// A threadCaller is a thread of a program.
type threadCaller struct {
	drm.Caller
	tid int
}

func (c threadCaller) ThreadID() int      { return c.tid }
func (c threadCaller) Client() drm.Client { return drm.Client{PID: c.tid} }

// TestManyThreads has very many threads use one file. Not all of them are kept.
func TestManyThreads(t *testing.T) {
	var f openFile
	for tid := range 10 * maxThreads {
		client, got := f.client(&drm.Call{Caller: threadCaller{tid: tid}})
		if got != tid || client.PID != tid {
			t.Fatalf("thread %d is taken for %d of process %d", tid, got, client.PID)
		}
	}
	kept := 0
	f.threads.Range(func(any, any) bool { kept++; return true })
	if kept > maxThreads {
		t.Errorf("%d threads are kept, want %d at most", kept, maxThreads)
	}
}
