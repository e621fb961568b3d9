package drm

import (
	"fmt"
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Resource is something of this process that its clients use up.
type Resource int

const (
	// Descriptors are open file descriptors of this process: each buffer that has
	// been mapped takes one, each open file of a client one or two.
	Descriptors Resource = iota
	// BufferBytes are the sizes of the buffers.
	BufferBytes
	// Objects are what takes memory of this process only: buffers, apart from their
	// pixels, framebuffers, sync objects, pending points of timelines, and objects
	// that a request waits for.
	Objects
	// HeldBytes are what this process keeps for clients of their data and its own: the
	// sizes of property blobs, and what open files and directories of a file server
	// show.
	HeldBytes
	// DMABufs are the dma-bufs.
	DMABufs
	// Threads are the threads of this process that serve calls of programs.
	Threads
	// Copies are threads that wait for memory of programs, or for room in their
	// eventfds.
	Copies
	// ConfigItems are the directories and links that programs make in configfs.
	ConfigItems
	// XattrBytes are the sizes of extended attributes of virtual files, with names
	// and paths.
	XattrBytes
	// Watches are the inotify watches by which open files are recognized.
	Watches

	resources
)

func (r Resource) String() string {
	return [...]string{"descriptors", "bytes of buffers", "objects", "held bytes", "dma-bufs", "threads", "slow copies", "items in configfs", "bytes of extended attributes", "inotify watches"}[r]
}

// A Quota bounds what all clients together may use, and keeps one client from
// using up what the others need. All methods may be called concurrently.
type Quota struct {
	limits [resources]int64
	used   [resources]atomic.Int64
}

// accountShare is how much of a limit one account may use: two thirds.
func accountShare(limit int64) int64 { return limit / 3 * 2 }

// reserve is the part of a limit that is left to accounts that use little.
func reserve(limit int64) int64 { return limit / 8 }

// little is how much of the reserve one account may use.
func little(limit int64) int64 { return limit / 64 }

// NewQuota returns a quota with these limits for all clients together. A
// resource without a limit has none.
func NewQuota(limits map[Resource]int64) *Quota {
	q := new(Quota)
	for r := range q.limits {
		q.limits[r] = limits[Resource(r)]
	}
	return q
}

// NewAccount returns the account of another group of clients.
func (q *Quota) NewAccount() *Account { return &Account{quota: q} }

// An Account is what one group of clients uses of a [Quota]. A nil *Account has
// no limits. All methods may be called concurrently.
type Account struct {
	quota *Quota
	used  [resources]atomic.Int64
}

// Charge takes n of a resource, which Refund gives back. When that is too much,
// it takes nothing: the error wraps errno, which is what a client gets where
// the kernel itself runs out.
func (a *Account) Charge(r Resource, n int64, errno unix.Errno) error {
	if a == nil {
		return nil
	}
	q, limit := a.quota, int64(math.MaxInt64)
	share, room := limit, limit
	if q.limits[r] != 0 {
		limit = q.limits[r]
		share, room = accountShare(limit), limit-reserve(limit)
	}
	mine, ok := take(&a.used[r], n, share)
	all := q.used[r].Load()
	if ok {
		if mine+n <= little(limit) {
			room = limit
		}
		if all, ok = take(&q.used[r], n, room); ok {
			return nil
		}
		a.used[r].Add(-n)
	}
	return fmt.Errorf("drm: the client uses %d %s, %d of %d are in use, and it wants %d more: %w", mine, r, all, limit, n, errno)
}

// take adds n to what is used, unless the sum would exceed the limit. It never
// goes beyond the limit, not even for a moment: another client would be refused
// then. used is the value before.
func take(counter *atomic.Int64, n, limit int64) (used int64, ok bool) {
	for {
		used = counter.Load()
		if n > limit-used {
			return used, false
		}
		if counter.CompareAndSwap(used, used+n) {
			return used, true
		}
	}
}

// Refund gives back what Charge took.
func (a *Account) Refund(r Resource, n int64) {
	if a == nil {
		return
	}
	if a.used[r].Add(-n) < 0 {
		panic("drm: refund of a resource that was not charged")
	}
	a.quota.used[r].Add(-n)
}

// InUse reports whether anything is charged to the account.
func (a *Account) InUse() bool {
	for r := range a.used {
		if a.used[r].Load() != 0 {
			return true
		}
	}
	return false
}
