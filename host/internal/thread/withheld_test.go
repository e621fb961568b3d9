package thread

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNeverWithheld checks which memory is known to come by itself.
func TestNeverWithheld(t *testing.T) {
	own, size := ID(os.Getpid()), os.Getpagesize()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	if _, err := mappingAt(int(maps.Fd()), 0); err == unix.ENOTTY {
		t.Fatal("the kernel has no PROCMAP_QUERY: Linux 6.11 or newer is needed")
	}
	memfd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memfd)
	for what, fd := range map[string]int{"anonymous memory": -1, "a memfd": memfd} {
		flags := unix.MAP_PRIVATE
		if fd < 0 {
			flags |= unix.MAP_ANONYMOUS
		}
		memory, err := unix.Mmap(fd, 0, 2*size, unix.PROT_READ, flags)
		if err != nil {
			t.Fatal(err)
		}
		faults, n := new(Faults), uint64(2*size)
		addr := addressOf(memory)
		if !own.NeverWithheld(addr, n, faults) {
			t.Errorf("%s counts as withheld", what)
		}
		faults.Serve()
		if !own.NeverWithheld(addr, n, faults) {
			t.Errorf("%s counts as withheld once some program serves faults", what)
		}
		if err := unix.Munmap(memory); err != nil {
			t.Fatal(err)
		}
		if !own.NeverWithheld(addr, n, faults) {
			t.Errorf("no memory counts as withheld; want EFAULT at once")
		}
	}
}
