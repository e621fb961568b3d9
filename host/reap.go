package host

import (
	"bytes"
	"fmt"
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

// reap waits for the adopted children that have ended.
func (r *reaper) reap() {
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	for _, pid := range r.adoptedLocked() {
		if state := statusOf(thread.ID(pid))["State"]; state != "" && state[0] == 'Z' {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// adoptedLocked returns the adopted children: those that nobody here has
// started, with more seccomp filters than we have.
func (r *reaper) adoptedLocked() (pids []int) {
	own := filters(thread.ID(os.Getpid()))
	for _, pid := range childrenOf(os.Getpid()) {
		if _, known := r.known.pids[pid]; !known && filters(thread.ID(pid)) > own {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Leftovers returns the processes that programs of this process's hosts have
// left behind: their parents have ended. They are served until they end too.
// What such a process has started in turn comes after it.
func Leftovers() []int {
	adopted.known.mu.Lock()
	defer adopted.known.mu.Unlock()
	pids := adopted.adoptedLocked()
	for i := 0; i < len(pids); i++ {
		pids = append(pids, childrenOf(pids[i])...)
	}
	return pids
}

// childrenOf returns the children of a process, of all its threads.
func childrenOf(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range bytes.FieldsSeq(text) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func filters(t thread.ID) int {
	n, _ := strconv.Atoi(statusOf(t)["Seccomp_filters"])
	return n
}
