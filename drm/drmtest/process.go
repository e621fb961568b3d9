package drmtest

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is a [Client] that makes system calls on its file, as a program
// does: addresses are those of this process's own memory, not of an arena.
type Process struct {
	*fileClient
	ProcessMemory
}

// fileClient is a Client that can be embedded beside its method Client.
type fileClient = Client

// Process returns the client as one that makes system calls.
func (c *Client) Process() Process { return Process{fileClient: c} }

// Ioctl sends one request, with an argument at an address in this process.
func (p Process) Ioctl(cmd uint32, arg uintptr) error {
	return p.File.Ioctl(context.Background(), p, cmd, uint64(arg))
}

// Mmap maps what the file offers at the given offset, for reading and writing.
func (p Process) Mmap(offset uint64, length int) ([]byte, error) {
	m, err := p.File.Mmap(offset, uint64(length))
	if err != nil {
		return nil, err
	}
	defer m.Release()
	return unix.Mmap(m.FD, int64(m.Offset), length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// Read waits for events and reads those that are pending.
func (p Process) Read(buf []byte) (int, error) {
	return p.File.Read(context.Background(), buf, false)
}

// Poll waits for one of the events of poll(2), at most for timeout; a negative
// timeout does not end. It returns the events that hold.
func (p Process) Poll(events int16, timeout time.Duration) (int16, error) {
	ctx := context.Background()
	if timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return p.File.Poll(ctx) & (events | unix.POLLHUP | unix.POLLERR | unix.POLLNVAL), nil
}

// ProcessMemory is the memory of this process as a [drm.Memory]. An address
// that is not mapped is EFAULT, as for the kernel.
type ProcessMemory struct{}

// CopyFromUser implements [drm.Memory].
func (ProcessMemory) CopyFromUser(dst []byte, addr uint64) error {
	return transfer(unix.ProcessVMReadv, dst, addr)
}

// CopyToUser implements [drm.Memory].
func (ProcessMemory) CopyToUser(addr uint64, src []byte) error {
	return transfer(unix.ProcessVMWritev, src, addr)
}

func transfer(
	call func(pid int, local []unix.Iovec, remote []unix.RemoteIovec, flags uint) (int, error), data []byte, addr uint64,
) error {
	if len(data) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &data[0]}}
	local[0].SetLen(len(data))
	n, err := call(os.Getpid(), local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(data)}}, 0)
	if err != nil || n != len(data) {
		return unix.EFAULT
	}
	return nil
}
