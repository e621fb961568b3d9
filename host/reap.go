package host

import (
	"bytes"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// A reaper looks after the processes whose parent, a program of ours, has
// ended before them. This process adopts them: with Yama, only descendants
// can be looked into. Their ends must be waited for, without touching the
// children that belong to somebody else in this process.
type reaper struct {
	once  sync.Once
	known children
}

var adopted = reaper{known: children{pids: make(map[int]struct{})}}

// start makes this process adopt, from the first program on.
func (r *reaper) start(log *slog.Logger) {
	r.once.Do(func() {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			log.Warn("host: daemons that a program leaves behind may not be served", "err", err)
			return
		}
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGCHLD)
		go func() {
			for range signals {
				r.reap()
			}
		}()
	})
}

// children are the processes that we have started, which somebody waits for.
type children struct {
	mu   sync.Mutex
	pids map[int]struct{}
}

// add adds the child that start makes. It cannot be taken for an adopted one
// in between.
func (c *children) add(start func() (pid int, err error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := start()
	if err == nil {
		c.pids[pid] = struct{}{}
	}
	return err
}

func (c *children) remove(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pids, pid)
}

// reap waits for the adopted children that have ended: those with more
// seccomp filters than we have.
func (r *reaper) reap() {
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	own := filters(thread.ID(os.Getpid()))
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range bytes.FieldsSeq(text) {
			pid, err := strconv.Atoi(string(field))
			if _, known := r.known.pids[pid]; err != nil || known {
				continue
			}
			status := statusOf(thread.ID(pid))
			if state := status["State"]; state != "" && state[0] == 'Z' && filters(thread.ID(pid)) > own {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
	}
}

func filters(t thread.ID) int {
	n, _ := strconv.Atoi(statusOf(t)["Seccomp_filters"])
	return n
}
