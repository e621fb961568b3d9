package gate

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// A blockedWriter is a thread that sleeps in a call that may write to a gate.
type blockedWriter struct {
	id thread.ID
	thread.Blocked
}

// writers are those of one process. The gates of a process share them, so that
// the work does not grow with the number of gates.
type writers struct {
	mu    sync.Mutex // held while they are looked for
	found time.Time  // the time before
	all   []blockedWriter
}

// writersOf returns the writers of a process that has opened a gate, found no
// longer than age ago.
func (s *Set) writersOf(pid int, age time.Duration) []blockedWriter {
	s.mu.Lock()
	w := s.writers[pid]
	if w == nil {
		w = new(writers)
		if s.files[pid] > 0 { // otherwise forget would not remove them
			s.writers[pid] = w
		}
	}
	s.mu.Unlock()
	asked := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found.Before(asked.Add(-age)) {
		w.found = time.Now()
		w.all = writersIn(pid)
	}
	return w.all
}

// writersIn looks for the writers of a process.
func writersIn(pid int) (all []blockedWriter) {
	for _, tid := range numbers("/proc/" + strconv.Itoa(pid) + "/task") {
		id := thread.ID(tid)
		if b, ok := id.Blocked(); ok && mayWrite(b) {
			all = append(all, blockedWriter{id, b})
		}
	}
	return all
}

func mayWrite(b thread.Blocked) bool {
	_, ok := outputs[b.NR]
	return ok || isPoll(b.NR)
}

// outputs has, for each system call that waits for room in a pipe, the argument
// that is the pipe.
var outputs = map[int]int{
	unix.SYS_WRITE: 0, unix.SYS_WRITEV: 0, unix.SYS_PWRITEV2: 0,
	unix.SYS_SENDTO: 0, unix.SYS_SENDMSG: 0, unix.SYS_SENDMMSG: 0, unix.SYS_SENDFILE: 0, unix.SYS_SPLICE: 2, unix.SYS_TEE: 1, unix.SYS_VMSPLICE: 0,
}
