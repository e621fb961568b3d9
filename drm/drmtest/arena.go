package drmtest

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// An Arena is the memory of an in-process client: blocks of bytes at
// addresses. Accesses that leave a block fail with EFAULT. All methods may be
// called concurrently.
type Arena struct {
	mu     sync.Mutex
	blocks []block // by address
	next   uint64
}

type block struct {
	addr  uint64
	bytes []byte
}

// guardGap keeps blocks apart, so that running over the end of one is seen.
const guardGap = 1 << 16

// NewArena returns memory without blocks.
func NewArena() *Arena { return &Arena{next: guardGap} }

// Put makes a block with a copy of p and returns its address.
func (a *Arena) Put(p []byte) (addr uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr = a.next
	a.blocks = append(a.blocks, block{addr: addr, bytes: slices.Clone(p)})
	a.next += (uint64(len(p))+guardGap-1)/guardGap*guardGap + guardGap
	return addr
}

// PutSlice makes a block with a copy of the elements of s, for the arrays that
// requests point to, and returns its address; 0 when s is empty.
func PutSlice[T any](a *Arena, s []T) (addr uint64) {
	if len(s) == 0 {
		return 0
	}
	return a.Put(sliceBytes(s))
}

// GetSlice reads the elements at addr into s.
func GetSlice[T any](a *Arena, s []T, addr uint64) error {
	if len(s) == 0 {
		return nil
	}
	return a.CopyFromUser(sliceBytes(s), addr)
}

// Free removes the block at addr.
func (a *Arena) Free(addr uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.blocks = slices.DeleteFunc(a.blocks, func(b block) bool { return b.addr == addr })
}

// CopyFromUser implements drm.Memory.
func (a *Arena) CopyFromUser(dst []byte, addr uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	src, err := a.find(addr, len(dst))
	copy(dst, src)
	return err
}

// CopyToUser implements drm.Memory.
func (a *Arena) CopyToUser(addr uint64, src []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	dst, err := a.find(addr, len(src))
	copy(dst, src)
	return err
}

func (a *Arena) find(addr uint64, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	for _, b := range a.blocks {
		if addr < b.addr {
			break
		}
		if offset := addr - b.addr; offset < uint64(len(b.bytes)) && uint64(n) <= uint64(len(b.bytes))-offset {
			return b.bytes[offset : offset+uint64(n)], nil
		}
	}
	return nil, unix.EFAULT
}
