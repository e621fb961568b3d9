// Package child looks after the processes below this one: those that it has
// started, and the orphans that it adopts. Processes whose parent, a supervised
// program, has ended before them would otherwise become children of init, and
// with Yama a process may only look into its descendants.
//
// Its state is global because the kernel's is: a process is a child subreaper
// as a whole, and wait4 takes any of its children.
package child

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// started are the children of this process that some goroutine waits for.
var started = struct {
	mu   sync.Mutex
	pids map[int]struct{}
}{pids: make(map[int]struct{})}

// Start calls start, which starts a child and returns its id. The child is
// never taken for an orphan, until Forget.
func Start(start func() (pid int, err error)) error {
	started.mu.Lock()
	defer started.mu.Unlock()
	pid, err := start()
	if err == nil {
		started.pids[pid] = struct{}{}
	}
	return err
}

// Forget removes a child that was waited for.
func Forget(pid int) {
	started.mu.Lock()
	defer started.mu.Unlock()
	delete(started.pids, pid)
}

// Adopt makes this process adopt orphans, for good: it becomes a child
// subreaper (prctl(2)) and waits for the orphans that end. Children that other
// code of the process has started are left alone, unless they have seccomp
// filters of their own.
var Adopt = sync.OnceValue(func() error {
	_ = ownFilters()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_CHILD_SUBREAPER: %w", err)
	}
	adopts.Store(true)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGCHLD)
	if err := ignoreStops(); err != nil {
		return fmt.Errorf("SA_NOCLDSTOP: %w", err)
	}
	go func() {
		for range signals {
			reap()
		}
	}()
	return nil
})

// adopts is set once this process adopts orphans.
var adopts atomic.Bool

// reap waits for the orphans that have ended.
func reap() {
	if !anyEnded() {
		return // what has started a child has waited for it already
	}
	started.mu.Lock()
	defer started.mu.Unlock()
	for _, pid := range orphansLocked() {
		if state := thread.ID(pid).Status()["State"]; state != "" && state[0] == 'Z' {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// anyEnded reports whether a child has ended for which nothing has waited. To find
// out which takes a look at each thread of this process.
func anyEnded() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
	return err == nil && info.Signo != 0 || err == unix.EINTR
}

// orphansLocked returns the adopted children: this process has not started
// them, and they have more seccomp filters than it had at first.
func orphansLocked() (pids []int) {
	for _, pid := range childrenOf(os.Getpid()) {
		if _, known := started.pids[pid]; !known && filters(thread.ID(pid)) > ownFilters() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Leftovers returns the orphans and their descendants, parents first. It
// returns nothing unless Adopt was called.
func Leftovers() []int {
	started.mu.Lock()
	defer started.mu.Unlock()
	pids := orphansLocked()
	for i := 0; i < len(pids); i++ {
		pids = append(pids, childrenOf(pids[i])...)
	}
	return pids
}

// childrenOf returns the children of all threads of a process.
func childrenOf(pid int) (pids []int) {
	var buf [4096]byte
	for _, task := range tasks(pid) {
		text := readChildren(task, buf[:])
		for field := range bytes.FieldsSeq(text) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// readChildren returns the ids of the children of a thread, and uses buf if they
// fit. There are many threads, and most have no children.
func readChildren(task string, buf []byte) []byte {
	path := task + "/children"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	n, err := unix.Read(fd, buf)
	_ = unix.Close(fd)
	if err == nil && n < len(buf)/2 {
		return buf[:max(n, 0)]
	}
	text, _ := os.ReadFile(path)
	return text
}

// tasks returns the directories of the threads of a process.
func tasks(pid int) (paths []string) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	d, err := os.Open(dir)
	if err != nil {
		return nil // it has ended
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		paths = append(paths, dir+"/"+name)
	}
	return paths
}

// ownFilters returns how many filters this process had when it began to adopt.
// It may get another one, which its programs do not have.
var ownFilters = sync.OnceValue(func() int { return filters(thread.ID(os.Getpid())) })

func filters(t thread.ID) int {
	n, _ := strconv.Atoi(t.Status()["Seccomp_filters"])
	return n
}
