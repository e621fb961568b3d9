package host

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/host/internal/cgroup"
	"github.com/udrm/udrm/host/internal/files"
)

// accounts are charged for what programs use: one for each process group, as a
// shell makes one for each command. docs/limits.md has the limits.
type accounts struct {
	quota *drm.Quota

	mu      sync.Mutex
	byGroup map[int]*drm.Account
	sweepAt int // the size of byGroup at which unused accounts are dropped
}

// Limits for all programs of a host together.
const (
	maxObjects = 1 << 22
	maxServed  = 256 // calls
	// maxOwnServed is what one process may have of its group's calls.
	maxOwnServed = maxServed / 4
	// maxConfigItems is small because each change looks at all of them.
	maxConfigItems = 4096
	// maxXattrBytes is small because listing those of a file looks at all of them.
	maxXattrBytes = 1 << 20
	// maxSlowCopies bounds the threads that wait for memory of programs.
	maxSlowCopies = 128
	// ownDescriptors is a reserve for what this process opens for itself.
	ownDescriptors = 256
	// minSweep keeps sweeps rare.
	minSweep = 64
)

// objectBytes is the memory that an object may take. In fact a framebuffer takes some
// 320 bytes of this process. All objects together may take an eighth of the memory.
const objectBytes = 512

func newAccounts() *accounts {
	return &accounts{quota: drm.NewQuota(limitsFor(memorySize())), byGroup: make(map[int]*drm.Account), sweepAt: minSweep}
}

// memorySize returns how much memory this process may use: that of the machine, or the
// limit of a control group.
func memorySize() int64 {
	size := int64(cgroup.Memory.Max())
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err == nil {
		size = min(size, int64(info.Totalram)*int64(info.Unit))
	}
	return size
}

func limitsFor(memory int64) map[drm.Resource]int64 {
	objects := min(maxObjects, memory/8/objectBytes)
	limits := map[drm.Resource]int64{drm.Objects: objects, drm.DMABufs: gem.MaxDMABufs, drm.Threads: maxServed, drm.Copies: maxSlowCopies, drm.ConfigItems: maxConfigItems, drm.XattrBytes: maxXattrBytes}
	var open unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &open); err == nil {
		limits[drm.Descriptors] = max(int64(open.Cur)-ownDescriptors, ownDescriptors)
	}
	limits[drm.BufferBytes], limits[drm.HeldBytes] = memory, memory/8
	limits[drm.Watches] = files.MaxWatches()
	return limits
}

// of returns the account of a process. A process that has ended while its call
// waits has the account of the group with its own id.
func (a *accounts) of(pid int) *drm.Account {
	group, err := unix.Getpgid(pid)
	if err != nil {
		group = pid
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	account := a.byGroup[group]
	if account == nil {
		a.sweep()
		account = a.quota.NewAccount()
		a.byGroup[group] = account
	}
	return account
}

// A recentAccount is the account of the thread that a worker served last. It stays
// right as long as what was found out about the thread is fresh, unless the process
// has changed its group meanwhile.
type recentAccount struct {
	tid     uint32
	at      time.Time
	account *drm.Account
}

// of is [accounts.of] for a thread whose call was received at the given time.
func (r *recentAccount) of(a *accounts, tid uint32, received time.Time) *drm.Account {
	if r.tid != tid || received.Sub(r.at) >= fresh {
		*r = recentAccount{tid, received, a.of(int(tid))}
	}
	return r.account
}

// sweep drops the accounts to which nothing is charged, when there are many. A
// request that is in progress may still charge a dropped account; the quota
// counts that all the same.
func (a *accounts) sweep() {
	if len(a.byGroup) < a.sweepAt {
		return
	}
	for group, account := range a.byGroup {
		if !account.InUse() {
			delete(a.byGroup, group)
		}
	}
	a.sweepAt = max(minSweep, 2*len(a.byGroup))
}
