package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// A gate is one open file. A goroutine of its own serves it.
type gate struct {
	File
	set   *Set
	kind  string // "pipe" or "socket"
	fd    int    // our end, which does not block
	inode uint64 // of the program's end

	event chan struct{} // a thread waits, or the program's end is closed

	share time.Duration // how many times as long the delays are

	misses int // how often all processes were looked at in vain since the last signal

	fillings int  // what keeps writes out
	opened   bool // Opened has our end
}

// maxWrite bounds the data of one write, as the page of a sysfs file does.
const maxWrite = 4096

// A process that has more files open than this waits longer for the writes of
// which no signal tells, so that looking for them costs others nothing.
const manyGates = 16

// A thread that is about to wait is looked for after these times. The longest
// bound how long a write can take of which no signal tells: that of sendfile(2)
// to a pipe, and any write to a socket.
const (
	shortestDelay      = 20 * time.Microsecond
	longestDelay       = time.Second
	longestSocketDelay = 100 * time.Millisecond
)

// searchAlone is how long a thread is looked for only in the process that has
// opened the file.
const searchAlone = 100 * time.Microsecond

// searchTime is how long a thread is looked for after a signal. One that is not
// found then is out of reach, and the gate is opened for it.
const searchTime = 5 * time.Second

// manyMisses is how often all processes must have been looked at by then: on a
// busy machine that takes long.
const manyMisses = 3

func (g *gate) wake() {
	select {
	case g.event <- struct{}{}:
	default:
	}
}

func (g *gate) run() {
	defer func() {
		if !g.opened {
			g.set.forget(g)
			_ = unix.Close(g.fd)
			g.Ended()
		}
	}()
	delay, longest := time.Millisecond, longestDelay
	if g.Read {
		longest = longestSocketDelay
	}
	delay, longest = delay*g.share, longest*g.share
	searched := time.Duration(-1) // since the last signal; negative: there was none
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-g.set.closed:
			return
		case <-g.event:
			delay, searched, g.misses = shortestDelay, 0, 0
		case <-timer.C:
			if searched >= 0 {
				searched += delay
			}
			delay = min(2*delay, longest)
		}
		if g.hasEnded() {
			return
		}
		// Nearly always the process that has opened the file writes to it.
		everywhere := searched > searchAlone || delay == longest
		age := time.Duration(0)
		if searched < 0 {
			age = delay / 2 // no thread is known to wait
		}
		for !g.opened && g.serve(everywhere, age) {
			delay, searched, age = shortestDelay, -1, 0
		}
		if searched > searchTime && g.misses >= manyMisses {
			g.open("")
		}
		if g.opened {
			return
		}
		timer.Reset(delay)
	}
}

// hasEnded reports whether the last write end is closed.
func (g *gate) hasEnded() bool {
	fds := []unix.PollFd{{Fd: int32(g.fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// serve answers one thread that waits, and reports whether one did.
// It looks into all processes if everywhere is true. What is known of the process
// that has opened the file may be as old as age.
func (g *gate) serve(everywhere bool, age time.Duration) bool {
	id, b, ok := g.find(everywhere, age)
	if !ok {
		return false
	}
	memory, err := g.set.read(id, func() ([]byte, error) { return written(id, b) })
	data := string(memory)
	if refusal := refusals[b.NR]; refusal != 0 && err == errNoWrite {
		if g.answer(id, b, -int64(refusal)) != nil {
			g.open("")
		}
		return true
	}
	switch {
	case err == errNoWrite, err == errWithheld, err == unix.EPERM:
		g.open("")
		return true
	case err == unix.ESRCH:
		return true // it was killed
	case err == nil:
		err = g.store(data)
	}
	result := int64(len(data))
	if err != nil {
		errno := unix.EIO
		_ = errors.As(err, &errno)
		result = -int64(errno)
	}
	if g.answer(id, b, result) != nil {
		g.open(data)
	}
	return true
}

// store calls Store. A panic becomes an error.
func (g *gate) store(data string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			g.Refused(data, err)
		}
	}()
	return g.Store(data)
}

// answer makes the thread return from b with result. It returns nil also for a
// thread that has ended, or given up for a signal.
func (g *gate) answer(id thread.ID, b thread.Blocked, result int64) error {
	done := make(chan error)
	thread.Borrow(func() {
		blockSignals()
		done <- answer(id, b, result)
	})
	err := <-done
	if errors.Is(err, unix.ESRCH) || errors.Is(err, thread.ErrMoved) {
		return nil
	}
	if again, ok := id.Blocked(); !ok || again != b {
		return nil // a zombie, which cannot be traced either
	}
	return err
}

func answer(id thread.ID, b thread.Blocked, result int64) error {
	delay := shortestDelay
	for {
		x, err := id.Trace()
		if err == nil {
			if err = x.StopBlocked(b); err == nil {
				return x.Return(result)
			}
		}
		if !errors.Is(err, thread.ErrMoved) {
			return err
		}
		// It handles a signal, after which it makes the call again.
		for delay < longestDelay {
			time.Sleep(delay)
			delay *= 2
			if again, ok := id.Blocked(); ok && again == b {
				break
			}
		}
		if delay >= longestDelay {
			return err
		}
	}
}

// pipeWrites is how many writes an open gate holds that are not taken yet.
const pipeWrites = 16

// open lets the data of writes in, of which stored is stored already.
func (g *gate) open(stored string) {
	var one [1]byte
	for ; g.fillings > 0; g.fillings-- {
		_, _ = unix.Read(g.fd, one[:])
	}
	_, _ = unix.FcntlInt(uintptr(g.fd), unix.F_SETPIPE_SZ, pipeWrites*maxWrite)
	_, _ = unix.FcntlInt(uintptr(g.fd), unix.F_SETFL, unix.O_NONBLOCK) // no signals any more
	g.opened = true
	g.set.forget(g)
	g.Opened(g.fd, stored)
}

// find returns a thread that waits for the gate.
func (g *gate) find(everywhere bool, age time.Duration) (thread.ID, thread.Blocked, bool) {
	if id, b, ok := g.findAmong(g.set.writersOf(g.PID, age)); ok || !everywhere {
		return id, b, ok
	}
	end := g.set.beginSearch()
	if end == nil {
		return 0, thread.Blocked{}, false
	}
	defer end()
	for _, pid := range numbers("/proc") {
		if pid != g.PID && pid != os.Getpid() {
			if id, b, ok := g.findAmong(writersIn(pid)); ok {
				return id, b, true
			}
		}
	}
	g.misses++
	return 0, thread.Blocked{}, false
}

func (g *gate) findAmong(writers []blockedWriter) (thread.ID, thread.Blocked, bool) {
	for _, w := range writers {
		if !g.isWaiting(w.id, w.Blocked) {
			continue
		}
		if now, ok := w.id.Blocked(); ok && now == w.Blocked { // as w may be old
			return w.id, now, true
		}
	}
	return 0, thread.Blocked{}, false
}

// numbers returns the entries of a directory of /proc that are numbers.
func numbers(dir string) []int {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	var all []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// isWaiting reports whether a thread that sleeps in b waits for the gate.
func (g *gate) isWaiting(id thread.ID, b thread.Blocked) bool {
	if isPoll(b.NR) {
		return g.isPolled(id, b)
	}
	i, ok := outputs[b.NR]
	return ok && g.isBehind(id, int(int32(b.Args[i])))
}

func (g *gate) isBehind(id thread.ID, fd int) bool {
	var buf [64]byte
	link, err := id.FD(fd, buf[:])
	return err == nil && string(link) == fmt.Sprintf("%s:[%d]", g.kind, g.inode)
}

// isPolled reports whether poll(2) waits until the gate can be written. If the
// program withholds the memory that tells, the gate counts as polled by the process
// that has opened it, and by no other.
func (g *gate) isPolled(id thread.ID, b thread.Blocked) bool {
	const size = 8 // struct pollfd: fd, events, revents
	pid, _ := id.Process()
	length := min(b.Args[1], 1024) * size
	if pid != g.PID && !present(id, b.Args[0], length) {
		return false
	}
	fds, err := g.set.read(id, func() ([]byte, error) {
		fds := make([]byte, length)
		return fds, id.Read(fds, b.Args[0])
	})
	if err != nil {
		return err == errWithheld && pid == g.PID
	}
	for i := 0; i < len(fds); i += size {
		events := binary.NativeEndian.Uint16(fds[i+4:])
		if events&unix.POLLOUT != 0 && g.isBehind(id, int(int32(binary.NativeEndian.Uint32(fds[i:])))) {
			return true
		}
	}
	return false
}

// present reports whether memory of a thread is likely to be readable at once.
func present(id thread.ID, addr, n uint64) bool {
	var fds thread.FDs
	defer fds.Close()
	return fds.Present(id, addr, n, false)
}
