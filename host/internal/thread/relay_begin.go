package thread

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A debugger's thread that is used for another thread is tried again.
const (
	retryFor   = 10 * time.Second
	retryEvery = time.Millisecond
)

// TraceRelayed is [ID.Trace] for a thread that a debugger traces already. It fails
// with EPERM where canRelay is false.
func (t ID) TraceRelayed() (*Tracee, error) {
	if !canRelay {
		return nil, fmt.Errorf("thread %d: a debugger traces it: %w", t, unix.EPERM)
	}
	for begin := time.Now(); ; time.Sleep(retryEvery) {
		x, err := t.traceRelayed()
		switch {
		case err == nil, !errors.Is(err, errBusy):
			return x, err
		case time.Since(begin) > retryFor:
			return nil, fmt.Errorf("thread %d: %w: %w", t, err, unix.EAGAIN)
		}
	}
}

// errBusy reports that the debugger's thread is traced for another purpose.
var errBusy = errors.New("thread: the debugger is used for other threads")

func (t ID) traceRelayed() (*Tracee, error) {
	status := t.Status()
	number, err := strconv.Atoi(status["TracerPid"])
	tracer := ID(number)
	switch {
	case err != nil:
		return nil, unix.ESRCH
	case tracer == 0:
		return nil, unix.EPERM // it was refused for another reason
	case isOwnThread(tracer):
		return nil, errBusy
	case ID(unix.Gettid()).Status()["TracerPid"] == status["TracerPid"]:
		return nil, fmt.Errorf("thread %d: the same debugger traces this process: %w", t, unix.EPERM)
	}
	pid, err := idIn(status, tracer)
	if err != nil {
		return nil, err
	}
	if !relays.begin(tracer) {
		return nil, errBusy
	}
	debugger, err := tracer.Trace()
	if err == nil {
		err = debugger.stopAfterCall()
	} else if now, _ := strconv.Atoi(tracer.Status()["TracerPid"]); isOwnThread(ID(now)) {
		err = errBusy
	}
	var page int64
	if err == nil {
		page, err = debugger.Syscall(unix.SYS_MMAP, [6]uint64{0, relaySize,
			unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, ^uint64(0), 0})
	}
	if err != nil {
		relays.end(tracer)
		return nil, err
	}
	x := &Tracee{id: t}
	x.relay = &relay{x: x, tracer: debugger, pid: pid, page: uint64(page)}
	if page < 0 {
		x.relay.end()
		return nil, unix.Errno(-page)
	}
	return x, nil
}

// relays are the threads of debuggers that are used.
var relays relaySet

type relaySet struct {
	mu   sync.Mutex
	used map[ID]bool
}

// begin notes that a thread is used, unless it is already.
func (s *relaySet) begin(t ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[t] {
		return false
	}
	if s.used == nil {
		s.used = make(map[ID]bool)
	}
	s.used[t] = true
	return true
}

func (s *relaySet) end(t ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, t)
}

// isOwnThread reports whether a thread is one of this process.
func isOwnThread(tid ID) bool {
	_, err := os.Lstat("/proc/self/task/" + strconv.Itoa(int(tid)))
	return err == nil
}

// idIn returns the id of the thread with this status in the pid namespace of its
// tracer.
func idIn(status map[string]string, tracer ID) (uint64, error) {
	theirs, ids := strings.Fields(tracer.Status()["NSpid"]), strings.Fields(status["NSpid"])
	if len(theirs) == 0 || len(ids) < len(theirs) {
		return 0, unix.ESRCH
	}
	return strconv.ParseUint(ids[len(theirs)-1], 10, 64)
}
