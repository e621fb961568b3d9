package cleaner

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Callers says for each thread id when a thread with that id last made a call
// that was handed over. The host writes it and the cleaner reads it: it is in
// memory that both have mapped. Pages that nobody has written take no memory.
type Callers struct {
	last []uint64 // by thread id; the time since boot in nanoseconds; 0: never
	base time.Time
	boot time.Duration // from the boot to base
}

// newCallers returns an empty table, and a descriptor of its memory.
func newCallers() (*Callers, int, error) {
	ids, err := idLimit()
	if err != nil {
		return nil, -1, err
	}
	fd, err := unix.MemfdCreate("udrm callers", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, -1, fmt.Errorf("memfd: %w", err)
	}
	err = unix.Ftruncate(fd, int64(ids)*8)
	var c *Callers
	if err == nil {
		c, err = mapCallers(fd, unix.PROT_READ|unix.PROT_WRITE)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, -1, fmt.Errorf("table of callers: %w", err)
	}
	// The clock of base stops while the machine is suspended, and that of the
	// start times in /proc does not. After a suspension, calls therefore seem
	// to be older than they are: the cleaner may miss a caller, but takes no
	// other process for one.
	var boot unix.Timespec
	c.base = time.Now()
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return nil, -1, fmt.Errorf("CLOCK_BOOTTIME: %w", err)
	}
	c.boot = time.Duration(boot.Nano())
	return c, fd, nil
}

// idLimit returns a number that is above all thread ids.
func idLimit() (int, error) {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Note notes that a thread has made a call, which was received at a time.
func (c *Callers) Note(tid uint32, at time.Time) {
	if c != nil && int(tid) < len(c.last) {
		atomic.StoreUint64(&c.last[tid], uint64(c.boot+at.Sub(c.base)))
	}
}

// tick is the unit of start times in /proc (USER_HZ).
const tick = 10 * time.Millisecond

// called reports whether the thread that has an id now has made a call.
//
// Why the call was not that of an earlier thread with the same id: this one
// started before the call, so it had the id when the call was made. Both times
// may be in the same tick, but ids are given out in turn, and none comes again
// within a tick.
func (c *Callers) called(tid int, started uint64) bool {
	if c == nil || tid >= len(c.last) {
		return false
	}
	last := atomic.LoadUint64(&c.last[tid])
	return last != 0 && started <= last/uint64(tick)
}
