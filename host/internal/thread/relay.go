package thread

import "golang.org/x/sys/unix"

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

// The page, and offsets in it.
const (
	relaySize = 4096
	regsAt    = 0
	siginfoAt = 1024
	maskAt    = 2048
)

// maxStops bounds the stops of the thread on the way to one that is waited for.
const maxStops = 64

// stop stops the thread, in place of [Tracee.stop].
func (r *relay) stop(release func(unix.Errno) error, errno unix.Errno) error {
	switch err := r.ptrace(unix.PTRACE_INTERRUPT, 0, 0); err {
	case nil:
	case unix.EIO: // the debugger has not used PTRACE_SEIZE
		process, err := r.x.id.Process()
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
		if process, err = r.x.id.Process(); err == nil {
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
	d.saved.continueCall(d.id.catches(d.mask))
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
