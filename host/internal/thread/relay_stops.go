package thread

import "golang.org/x/sys/unix"

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
