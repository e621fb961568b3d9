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

// A thread has one tracer. If that is a debugger or strace, nothing else can
// trace the thread. So the debugger's own thread is traced for a moment, and
// made to send the requests: a relay. The debugger notices none of it. It still
// gets each stop of the thread that it would have got, because no stop is taken
// from the kernel (WNOWAIT), and each stop that it would not have got is over
// before the debugger runs again.
//
//   - strace waits for the end of the call that the thread waits in. The thread
//     runs the injected calls from this stop on, and is left at the end of the
//     last one, with the registers of the first.
//   - gdb lets the thread run. The thread is stopped by PTRACE_INTERRUPT or, if
//     the debugger has not attached with PTRACE_SEIZE, by SIGSTOP, and runs on
//     afterwards.
//   - If a signal stops the thread first, it is delivered after the calls.
//
// A debugger that traces this process as well cannot be used: it must run for
// this process to run.
type relay struct {
	x      *Tracee
	tracer *Tracee // the debugger's thread, stopped; nil once it was released
	pid    uint64  // of the traced thread, as the debugger knows it
	page   uint64  // scratch memory of the debugger

	stopping bool      // a SIGSTOP that was sent here is pending
	owed     bool      // the debugger had sent one before, which was taken
	atExit   bool      // the debugger waits for the end of the call
	signal   int       // that has stopped the thread, to be delivered
	info     childInfo // about it
}

// Offsets in the page.
const (
	relaySize  = 4096
	regsAt     = 0
	siginfoAt  = 1024
	maskAt     = 2048
	maxStops   = 64 // of the thread, on the way to one that is waited for
	retryFor   = 10 * time.Second
	retryEvery = time.Millisecond
)

// ErrDebugger reports that a debugger traces this process too.
var ErrDebugger = errors.New("the same debugger traces this process")

// TraceRelayed is [ID.Trace] for a thread that a debugger traces already.
func (t ID) TraceRelayed() (*Tracee, error) {
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
		return nil, fmt.Errorf("thread %d: %w: %w", t, ErrDebugger, unix.EPERM)
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

// stopAfterCall stops a thread as it leaves a system call, and blocks its
// signals. A thread that computes is stopped in its next call, which it makes
// again later.
func (x *Tracee) stopAfterCall() error {
	if err := x.stop(func(unix.Errno) error { return nil }, 0); err != nil {
		return err
	}
	if err := x.blockSignals(); err != nil {
		return err
	}
	if err := x.getRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	if x.leavesCall() {
		return nil
	}
	if err := x.skipCall(); err != nil {
		return err
	}
	if !x.leavesCall() {
		return x.abandon(ErrMoved) // it has another way to make calls
	}
	return nil
}

// leavesCall reports whether the saved registers are those of a thread that has
// run the SYSCALL instruction. In a handler of a signal that has ended a call
// they are not.
func (x *Tracee) leavesCall() bool {
	code := make([]byte, len(syscallInstruction))
	return x.saved.inCall() && x.id.Read(code, x.saved.instruction()) == nil && string(code) == string(syscallInstruction)
}

// skipCall runs a stopped thread to its next system call, which the kernel does
// not run. The thread then seems to leave a call that is to be made again.
func (x *Tracee) skipCall() error {
	run := func() error {
		err := x.run(1)
		if err == ErrNotRun {
			return x.abandon(err)
		}
		return err
	}
	if err := run(); err != nil {
		return err
	}
	if err := x.getRegs(&x.saved); err != nil {
		return x.lost(err)
	}
	skipped := x.saved
	skipped.skip()
	if err := x.setRegs(&skipped); err != nil {
		return x.lost(err)
	}
	x.saved.interrupt()
	return run()
}

// stop stops the thread, in place of [Tracee.stop].
func (r *relay) stop(release func(unix.Errno) error, errno unix.Errno) error {
	switch err := r.ptrace(unix.PTRACE_INTERRUPT, 0, 0); err {
	case nil:
	case unix.EIO: // the debugger has not used PTRACE_SEIZE
		process, err := r.x.id.process()
		if err == nil {
			r.owed = r.x.id.pending()&(1<<(unix.SIGSTOP-1)) != 0
			err = unix.Tgkill(process, int(r.x.id), unix.SIGSTOP)
		}
		if err != nil {
			return r.x.lost(err)
		}
		r.stopping = true
	default:
		return r.x.lost(err)
	}
	if err := release(errno); err != nil {
		return r.x.lost(err)
	}
	status, code, err := r.wait()
	switch {
	case err != nil:
		return err
	case isEnd(status):
		return r.x.lost(unix.ESRCH)
	case isCallStop(status, code):
		r.atExit = true
	case isEventStop(status), r.isOwnStop(status):
	default:
		r.signal = int(status.StopSignal())
		if r.info, err = r.signalInfo(); err != nil {
			return r.x.lost(err)
		}
	}
	return nil
}

// passCall runs the thread to the end of its next system call.
func (r *relay) passCall() error {
	for stops, calls := 0, 0; stops < maxStops; stops++ {
		if err := r.resume(unix.PTRACE_SYSCALL, 0); err != nil {
			return r.x.lost(err)
		}
		status, code, err := r.wait()
		if err != nil {
			return err
		}
		if isEnd(status) {
			return r.x.lost(unix.ESRCH)
		}
		if isCallStop(status, code) {
			if calls++; calls == 2 { // at entry and exit
				return nil
			}
			continue
		}
		_ = isEventStop(status) || r.isOwnStop(status)
	}
	return r.x.lost(ErrNotRun)
}

// release lets the thread go on as the debugger wants it, whose own thread then
// goes on too.
func (r *relay) release() error {
	var err error
	if r.owed {
		var process int
		if process, err = r.x.id.process(); err == nil {
			err = unix.Tgkill(process, int(r.x.id), unix.SIGSTOP)
		}
	}
	if err == nil && !r.atExit {
		err = r.resume(unix.PTRACE_CONT, r.signal)
	}
	if err != nil {
		return r.x.lost(err)
	}
	if r.signal != 0 {
		// The thread stops by the signal again. The debugger looks at what
		// has caused it: for the end of a step, for example.
		status, _, err := r.wait()
		if err != nil {
			return err
		}
		if !isEnd(status) && int(status)>>8 == r.signal {
			if err := r.setSignalInfo(&r.info); err != nil {
				return r.x.lost(err)
			}
		}
	}
	r.end()
	return nil
}

// end releases the debugger's thread.
func (r *relay) end() {
	d := r.tracer
	if d == nil {
		return
	}
	r.tracer = nil
	defer relays.end(d.id)
	if int64(r.page) > 0 {
		if _, err := d.Syscall(unix.SYS_MUNMAP, [6]uint64{r.page, relaySize}); err != nil {
			return
		}
	}
	caught := d.id.pending()&^d.mask&parseMask([]byte(d.id.Status()["SigCgt"])) != 0
	d.saved.continueCall(caught)
	if err := d.setRegs(&d.saved); err != nil {
		_ = d.lost(err)
		return
	}
	_ = d.detach()
}

// call makes the debugger's thread run a system call.
func (r *relay) call(nr int, args [6]uint64) (int64, error) {
	if r.tracer == nil {
		return 0, unix.ESRCH
	}
	result, err := r.tracer.Syscall(nr, args)
	switch {
	case err != nil:
		relays.end(r.tracer.id)
		r.tracer = nil // which it has released
		return 0, err
	case result < 0:
		return 0, unix.Errno(-result)
	}
	return result, nil
}

func (r *relay) ptrace(request int, addr, data uint64) error {
	_, err := r.call(unix.SYS_PTRACE, [6]uint64{uint64(request), r.pid, addr, data})
	return err
}

func (r *relay) resume(request, signal int) error { return r.ptrace(request, 0, uint64(signal)) }

// wait waits for the next stop of the thread, or for its end (a status of 0),
// and leaves it to be waited for. code is si_code of the signal that has stopped it.
func (r *relay) wait() (status unix.WaitStatus, code int32, err error) {
	_, err = r.call(unix.SYS_WAITID, [6]uint64{unix.P_PID, r.pid, r.page + siginfoAt,
		unix.WEXITED | unix.WSTOPPED | unix.WNOWAIT | unix.WALL})
	if err != nil {
		return 0, 0, r.x.lost(err)
	}
	info, err := r.readInfo()
	if err != nil {
		return 0, 0, r.x.lost(err)
	}
	if info.exited() {
		return 0, 0, nil
	}
	status = unix.WaitStatus(info.status<<8 | 0x7f)
	if status.StopSignal()&^0x80 != unix.SIGTRAP {
		return status, 0, nil
	}
	if info, err = r.signalInfo(); err != nil {
		return 0, 0, r.x.lost(err)
	}
	return status, info.code, nil
}

// isOwnStop reports whether the thread has stopped by the SIGSTOP that was sent
// here, which is then over.
func (r *relay) isOwnStop(status unix.WaitStatus) bool {
	own := r.stopping && status.StopSignal() == unix.SIGSTOP
	if own {
		r.stopping = false
	}
	return own
}

// isEnd reports whether a thread has ended or is about to.
func isEnd(status unix.WaitStatus) bool {
	return !status.Stopped() || int(status)>>16 == unix.PTRACE_EVENT_EXIT
}

// isCallStop reports whether a thread has stopped at the beginning or the end of
// a system call, whether or not the debugger has set PTRACE_O_TRACESYSGOOD.
func isCallStop(status unix.WaitStatus, code int32) bool {
	return status.StopSignal()&^0x80 == unix.SIGTRAP && int(status)>>16 == 0 &&
		(code == int32(unix.SIGTRAP) || code == int32(unix.SIGTRAP)|0x80)
}

// pending returns the signals that are pending for the thread.
func (t ID) pending() uint64 {
	status := t.Status()
	return parseMask([]byte(status["SigPnd"])) | parseMask([]byte(status["ShdPnd"]))
}
