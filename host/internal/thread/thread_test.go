package thread

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper starts another process with file as a descriptor and returns the
// address of a writable page of it.
func sleeper(t *testing.T, file *os.File) (id ID, page uint64) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Stdin = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// It uses the page until it sleeps.
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if b, ok := ID(cmd.Process.Pid).Blocked(); ok && b.NR == unix.SYS_CLOCK_NANOSLEEP {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("sleep does not sleep")
		}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[stack]") {
			_, end, _ := strings.Cut(strings.Fields(line)[0], "-")
			top, err := strconv.ParseUint(end, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return ID(cmd.Process.Pid), top - 4096
		}
	}
	t.Fatalf("sleep has no stack:\n%s", maps)
	return 0, 0
}

func TestMemory(t *testing.T) {
	id, page := sleeper(t, nil)
	end := page + 4096 // of the mapping
	want := []byte("a path\x00and more")
	if err := id.Write(page, want); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if err := id.Read(got, page); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %q, %v", got, err)
	}
	buf := make([]byte, 4096)
	if s, err := id.ReadString(buf, page); err != nil || string(s) != "a path" {
		t.Errorf("a string: %q, %v", s, err)
	}

	long := bytes.Repeat([]byte("x"), 1000)
	if err := id.Write(end-1000, long); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"a read across the end", id.Read(make([]byte, 100), end-50), unix.EFAULT},
		{"a read at 0", id.Read(make([]byte, 1), 0), unix.EFAULT},
		{"a read of the kernel", id.Read(make([]byte, 1), 1<<63), unix.EFAULT},
		{"a read of nothing", id.Read(nil, 0), nil},
		{"a string without end", second(id.ReadString(buf, end-40)), unix.EFAULT},
		{"a string that is too long", second(id.ReadString(buf[:300], end-1000)), unix.ENAMETOOLONG},
		{"a string at 0", second(id.ReadString(buf, 0)), unix.EFAULT},
		{"a write across the end", id.Write(end-50, make([]byte, 100)), unix.EFAULT},
	} {
		if !errors.Is(c.err, c.want) || c.err != nil && c.want == nil {
			t.Errorf("%s: %v, want %v", c.what, c.err, c.want)
		}
	}
	if err := id.Write(end-4, []byte{1, 2, 3, 0}); err != nil {
		t.Fatal(err)
	}
	if s, err := id.ReadString(buf, end-4); err != nil || len(s) != 3 {
		t.Errorf("a string that ends with the memory: %q, %v", s, err)
	}
}

func second(_ []byte, err error) error { return err }

func TestLinks(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var fds FDs
	defer fds.Close()
	buf := make([]byte, 4096)
	// More threads than FDs keeps, each twice.
	for range 2 {
		for range len(fds.dirs) + 1 {
			id, _ := sleeper(t, null)
			for range 2 {
				if link, err := fds.Link(id, 0, buf); err != nil || string(link) != "/dev/null" {
					t.Errorf("descriptor 0: %q, %v", link, err)
				}
				if link, err := fds.Link(id, 77, buf); err == nil {
					t.Errorf("a descriptor that is not open: %q", link)
				}
			}
		}
	}
	id, _ := sleeper(t, null)
	if cwd, err := id.CWD(buf); err != nil || !strings.HasSuffix(string(cwd), "thread") {
		t.Errorf("the working directory: %q, %v", cwd, err)
	}
	if flags, err := id.FDFlags(0); err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY {
		t.Errorf("flags: %#o, %v", flags, err)
	}
	if _, err := id.FDFlags(77); err != unix.EBADF {
		t.Errorf("flags of a descriptor that is not open: %v", err)
	}
	if id.HasSignal() {
		t.Error("a thread that sleeps has a signal")
	}
}

// TestPathOnly looks at descriptors that are open in each way, and at none.
func TestPathOnly(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	path, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", pipe[0]), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(path)
	self := ID(os.Getpid())
	for fd, want := range map[int]bool{pipe[0]: false, pipe[1]: false, path: true, -1: true} {
		if got := self.PathOnly(int32(fd)); got != want {
			t.Errorf("PathOnly of descriptor %d of reading %d, writing %d and path %d: %v", fd, pipe[0], pipe[1], path, got)
		}
	}
}

// TestMaxKeptFiles checks that lookups work when no more files may be kept, and that
// only the last ones are.
func TestMaxKeptFiles(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	before := keptFiles.Load()
	others := maxKeptFiles() - before // those of others
	keptFiles.Add(others)
	defer keptFiles.Add(-others)
	var fds FDs
	buf := make([]byte, 4096)
	for range 8 {
		id, _ := sleeper(t, null)
		for range 3 {
			if link, err := fds.Link(id, 0, buf); err != nil || string(link) != "/dev/null" {
				t.Errorf("descriptor 0: %q, %v", link, err)
			}
			fds.Pipe(id, 0)
		}
	}
	self := ID(os.Getpid())
	for range 2 {
		if !fds.Present(self, addressOf(buf), 1, true) {
			t.Error("memory in use is not present")
		}
	}
	if kept := keptFiles.Load() - maxKeptFiles(); kept < 0 || kept > 2 {
		t.Errorf("%d files are kept beyond the limit", kept)
	}
	fds.Close()
	if kept := keptFiles.Load() - others; kept != before {
		t.Errorf("%d files are kept after the end, %d before", kept, before)
	}
}

// TestStatFD checks that an O_PATH descriptor is not taken for an open device,
// even while the program replaces it.
func TestStatFD(t *testing.T) {
	open := func(name string, flags int) int {
		t.Helper()
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	null, path, zero := open("/dev/null", unix.O_RDWR), open("/dev/null", unix.O_PATH), open("/dev/zero", unix.O_RDWR)
	self := ID(os.Getpid())
	var want, st unix.Stat_t
	if err := unix.Fstat(null, &want); err != nil {
		t.Fatal(err)
	}
	if err := self.StatFD(int32(null), &st); err != nil || st.Dev != want.Dev || st.Ino != want.Ino || st.Mode != want.Mode {
		t.Errorf("a device: %+v, %v; want %+v", st, err, want)
	}
	for what, fd := range map[string]int{"a path": path, "a descriptor that is not open": 1 << 20} {
		if err := self.StatFD(int32(fd), &st); err != unix.EBADF {
			t.Errorf("%s: %v, want EBADF", what, err)
		}
	}

	swapped, stop, stopped := open("/dev/zero", unix.O_RDWR), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = unix.Dup2(path, swapped), unix.Dup2(zero, swapped)
			}
		}
	}()
	for range 5000 {
		if err := self.StatFD(int32(swapped), &st); err == nil && st.Ino == want.Ino {
			t.Error("a path was taken for an open device")
			break
		}
	}
	close(stop)
	<-stopped
}

// TestKeptDirectory checks that a kept directory is not used for another
// thread.
func TestKeptDirectory(t *testing.T) {
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := exec.Command("sleep", "1000")
	cmd.Stdin = null
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := ID(cmd.Process.Pid)
	var fds FDs
	defer fds.Close()
	buf := make([]byte, 4096)
	if _, err := fds.Link(id, 0, buf); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if link, err := fds.Link(id, 0, buf); err == nil {
		t.Errorf("after its end descriptor 0 is %q", link)
	}
}

// TestPipe replaces a descriptor and ends its thread.
func TestPipe(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	var st unix.Stat_t
	if err := unix.Fstat(pipe[0], &st); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	path, err := unix.Open("/proc/self/fd/"+strconv.Itoa(pipe[0]), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(path)

	var fds FDs
	defer fds.Close()
	self, fd := ID(os.Getpid()), pipe[0]
	buf := make([]byte, 64)
	if _, err := fds.Link(self, fd, buf); err != nil {
		t.Fatal(err)
	}
	if _, ok := fds.Pipe(self, fd); ok {
		t.Error("the first use tells")
	}
	if inode, ok := fds.Pipe(self, fd); !ok || inode != st.Ino {
		t.Errorf("got %d, %v; want %d", inode, ok, st.Ino)
	}
	for _, other := range []int{path, int(null.Fd())} {
		if err := unix.Dup3(other, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if inode, ok := fds.Pipe(self, fd); !ok || inode != 0 {
			t.Errorf("after it was replaced: got %d, %v", inode, ok)
		}
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if _, ok := fds.Pipe(self, fd); ok {
		t.Error("after it was closed, it tells")
	}

	cmd := exec.Command("cat")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id := ID(cmd.Process.Pid)
	if _, err := fds.Link(id, 0, buf); err != nil {
		t.Fatal(err)
	}
	_, _ = fds.Pipe(id, 0)
	if inode, ok := fds.Pipe(id, 0); !ok || inode == 0 {
		t.Errorf("of another process: got %d, %v", inode, ok)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, ok := fds.Pipe(id, 0); ok {
		t.Error("after the process has ended, it tells")
	}
}

func TestTraceRefused(t *testing.T) {
	result := make(chan error)
	Go(func() {
		_, err := ID(os.Getpid()).Trace() // our own process
		result <- err
	})
	if err := <-result; !errors.Is(err, unix.EPERM) {
		t.Errorf("tracing ourselves: %v", err)
	}
}

// TestPresent looks at pages that are written, unwritten and unmapped.
func TestPresent(t *testing.T) {
	page := unix.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	memory[0] = 1
	addr := addressOf(memory)
	var fds FDs
	defer fds.Close()
	self := ID(unix.Getpid())
	for _, c := range []struct {
		name string
		addr uint64
		n    int
		want bool
	}{
		{"a written page", addr, page, true},
		{"its end and the next page", addr + uint64(page) - 1, 2, false},
		{"an unwritten page", addr + uint64(page), 8, false},
		{"nothing at the end of the address space", 1<<63 - 8, 16, false},
		{"an address of the kernel", ^uint64(0) - 8, 16, false},
		{"more than is looked at", addr, maxPages*page + 1, false},
	} {
		for _, write := range []bool{false, true} {
			if got := fds.Present(self, c.addr, uint64(c.n), write); got != c.want {
				t.Errorf("%s: present is %v (write %v)", c.name, got, write)
			}
		}
	}
	if fds.Present(1<<30, addr, 1, false) {
		t.Error("memory of a thread that does not exist")
	}
}
