package thread

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Read copies memory of the thread at addr to p: all of it, or EFAULT. ESRCH
// when the thread has ended, EPERM when it may not be read.
func (t ID) Read(p []byte, addr uint64) error {
	n, err := t.readSome(p, addr)
	if err == nil && n < len(p) {
		err = unix.EFAULT
	}
	return err
}

// Write copies p to memory of the thread at addr: all of it, or EFAULT.
func (t ID) Write(addr uint64, p []byte) error {
	for len(p) > 0 {
		n, err := transfer(unix.SYS_PROCESS_VM_WRITEV, t, p, addr)
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.EFAULT
		}
		p, addr = p[n:], addr+uint64(n)
	}
	return nil
}

// transfer moves up to len(p) bytes between p and the thread's memory at addr,
// as call does: process_vm_readv or process_vm_writev. It stops early at
// unmapped memory, or fails with EFAULT if that is at addr. It may block, for
// userfaultfd or a slow disk.
func transfer(call uintptr, t ID, p []byte, addr uint64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := transferDirectly(call, t, p, addr)
	if err == unix.EPERM || err == unix.ENOSYS {
		return transferByFile(call, t, p, addr)
	}
	return n, err
}

// transferByFile is transfer by /proc/TID/mem, for containers that refuse the
// calls, as the profile of Docker 20.10 does. It ignores the protection of pages.
func transferByFile(call uintptr, t ID, p []byte, addr uint64) (n int, err error) {
	fd, err := unix.Open(t.path("mem"), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, unix.EPERM
	}
	defer unix.Close(fd)
	if int64(addr) < 0 {
		return 0, unix.EFAULT
	}
	if call == unix.SYS_PROCESS_VM_READV {
		n, err = unix.Pread(fd, p, int64(addr))
	} else {
		n, err = unix.Pwrite(fd, p, int64(addr))
	}
	switch {
	case err == unix.EIO, err == unix.EINVAL:
		return 0, unix.EFAULT
	case err == nil && n == 0:
		return 0, unix.ESRCH // the process has ended
	}
	return max(n, 0), err
}

// readSome reads up to the first unmapped page.
func (t ID) readSome(p []byte, addr uint64) (int, error) {
	total := 0
	for total < len(p) {
		n, err := transfer(unix.SYS_PROCESS_VM_READV, t, p[total:], addr+uint64(total))
		if err == unix.EFAULT && total > 0 {
			break
		}
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
		total += n
	}
	return total, nil
}

// ReadString reads the NUL-terminated string at addr into buf and returns the
// part before the NUL. EFAULT when it runs into unmapped memory, ENAMETOOLONG
// when it does not fit.
func (t ID) ReadString(buf []byte, addr uint64) ([]byte, error) {
	// Most strings are short: read the rest of the buffer only if the start has
	// no end.
	done := 0
	for _, upTo := range []int{min(256, len(buf)), len(buf)} {
		n, err := transfer(unix.SYS_PROCESS_VM_READV, t, buf[done:upTo], addr+uint64(done))
		if err != nil {
			return nil, err
		}
		if i := bytes.IndexByte(buf[done:done+n], 0); i >= 0 {
			return buf[:done+i], nil
		}
		if done += n; done < upTo {
			return nil, unix.EFAULT
		}
	}
	return nil, unix.ENAMETOOLONG
}
