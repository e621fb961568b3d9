//go:build srcu_membarrier && linux

package srcu

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// The commands of membarrier(2), as in linux/membarrier.h.
const (
	membarrierPrivateExpedited         = 1 << 3
	membarrierRegisterPrivateExpedited = 1 << 4
)

// membarriers tells whether this process may use membarrier(2). If not (an old
// kernel, a seccomp filter), domains use stripes.
var membarriers = membarrier(membarrierRegisterPrivateExpedited) == 0 && membarrier(membarrierPrivateExpedited) == 0

func membarrier(command uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_MEMBARRIER, command, 0, 0)
	return errno
}

// barrier makes every thread of the process execute a full memory barrier at
// some point between its call and its return. If a filter that refuses
// membarrier was installed meanwhile, the world is stopped instead: a thread
// cannot stop or go on without locked instructions of the scheduler.
func barrier() {
	if membarrier(membarrierPrivateExpedited) != 0 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
	}
}
