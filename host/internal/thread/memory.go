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
