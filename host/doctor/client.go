package doctor

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
)

// Client is the program that [Examine] starts. It opens the card, sends a
// request, reads an event, maps a buffer and writes to it, and reports each
// step on out. It returns the exit status.
func Client(out io.Writer) int {
	report := func(step string, err error) {
		result := "ok"
		if err != nil {
			result = err.Error()
		}
		fmt.Fprintln(out, step, result)
	}
	fd, err := unix.Open("/dev/dri/card0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	report("open", err)
	if err != nil {
		report("ioctl", err)
		return 0
	}
	n, err := unix.IoctlGetInt(fd, uint(uapi.IOWR(eventRequest, 8)))
	if err == nil && n != 1 {
		err = fmt.Errorf("the answer is %d", n)
	}
	report("ioctl", err)
	var event [2 * eventSize]byte
	size, err := unix.Read(fd, event[:])
	if err == nil && size != eventSize {
		err = fmt.Errorf("an event of %d bytes", size)
	}
	report("read", err)
	buffer, err := unix.Mmap(fd, drm.FakeOffsetMin, bufferSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		buffer[0] = 1
	}
	report("mmap", err)
	return 0
}
