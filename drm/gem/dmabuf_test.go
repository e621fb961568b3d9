package gem_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/gem"
	"github.com/udrm/udrm/drm/uapi"
)

// terminal returns a descriptor of a terminal that is not a dma-buf.
func terminal(t testing.TB) int32 {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return int32(fd)
}

func poll(t testing.TB, fd int32, events int16, timeout time.Duration) int16 {
	t.Helper()
	fds := []unix.PollFd{{Fd: fd, Events: events}}
	for {
		_, err := unix.Poll(fds, int(timeout.Milliseconds()))
		switch err {
		case nil:
			return fds[0].Revents
		case unix.EINTR:
		default:
			t.Fatal(err)
		}
	}
}

// isPolled fails unless poll and epoll report that state of a dma-buf.
func isPolled(t testing.TB, what string, fd int32, read, write bool) {
	t.Helper()
	var want int16
	if read {
		want |= unix.POLLIN
	}
	if write {
		want |= unix.POLLOUT
	}
	if got := poll(t, fd, unix.POLLIN|unix.POLLOUT, 0); got != want {
		t.Errorf("%s: poll says %#x, want %#x", what, got, want)
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ep)
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT}); err != nil {
		t.Fatal(err)
	}
	var got [1]unix.EpollEvent
	n, err := unix.EpollWait(ep, got[:], 0)
	if err != nil || (n == 1) != (want != 0) || got[0].Events != uint32(want) {
		t.Errorf("%s: epoll says %#x (%v), want %#x", what, got[0].Events, err, want)
	}
}

func lookup(t testing.TB, m *gem.Manager, c *drmtest.Client, handle uint32) *gem.Object {
	t.Helper()
	o, err := m.Lookup(c.File, handle)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A dma-buf is readable while no work writes it, and writable while no work
// uses it.
func TestPollTellsTheFences(t *testing.T) {
	m, dev, _ := newDevice(t)
	_, otherDev, _ := newDevice(t)
	c, other := drmtest.Open(t, dev.Primary()), drmtest.Open(t, otherDev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	o := lookup(t, m, c, dumb.Handle)
	defer o.Put()
	newFence := func() *fence.Fence { return fence.NewContext("test", "test").New() }

	early := newFence()
	if err := o.Reserve(early, true); err != nil {
		t.Fatal(err)
	}
	fd := export(t, c, dumb.Handle, uapi.RDWR)
	isPolled(t, "written before it was exported", fd, false, false)
	early.Signal(nil)
	isPolled(t, "idle", fd, true, true)

	reader, writer := newFence(), newFence()
	importFence(t, c, fd, reader, uapi.DMABufSyncRead)
	isPolled(t, "read", fd, true, false)
	importFence(t, c, fd, writer, uapi.DMABufSyncWrite)
	isPolled(t, "read and written", fd, false, false)
	for _, write := range []bool{false, true} {
		if err := o.Reserve(newFence(), write); !errors.Is(err, unix.EBUSY) {
			t.Errorf("work that writes: %v: %v, want EBUSY", write, err)
		}
	}
	reader.Signal(nil)
	isPolled(t, "written", fd, false, false)

	// The fences belong to the buffer: another device sees them, without a
	// handle here.
	if _, err := importFD(other, fd); err != nil {
		t.Fatal(err)
	}
	if err := drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}); err != nil {
		t.Fatal(err)
	}
	isPolled(t, "written, and imported elsewhere", fd, false, false)
	later := newFence()
	if again := export(t, other, 1, 0); true {
		importFence(t, c, again, later, uapi.DMABufSyncRead)
	}
	woken := make(chan int16)
	go func() { woken <- poll(t, fd, unix.POLLIN, time.Minute) }()
	writer.Signal(nil)
	if got := <-woken; got != unix.POLLIN {
		t.Errorf("a sleeper wakes with %#x", got)
	}
	isPolled(t, "read again", fd, true, false)
	go func() { woken <- poll(t, fd, unix.POLLOUT, time.Minute) }()
	later.Signal(unix.EIO)
	if got := <-woken; got != unix.POLLOUT {
		t.Errorf("a sleeper wakes with %#x", got)
	}
	isPolled(t, "idle again", fd, true, true)
}

// Nothing that a client does to the descriptor changes what poll reports.
func TestDescriptorOfDMABuf(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, uapi.RDWR)
	var b [8]byte
	if n, err := unix.Read(int(fd), b[:]); err != unix.EBADF {
		t.Errorf("read: %d, %v, want EBADF", n, err)
	}
	if n, err := unix.Write(int(fd), b[:]); err != unix.EBADF {
		t.Errorf("write: %d, %v, want EBADF", n, err)
	}
	isPolled(t, "idle", fd, true, true)

	d := gem.LookupDMABuf(statOf(t, fd))
	for _, tc := range []struct {
		offset, length uint64
		err            error
	}{
		{0, dumb.Size, nil},
		{4096, dumb.Size - 4096, nil},
		{0, dumb.Size + 1, unix.EINVAL},
		{4096, dumb.Size, unix.EINVAL},
		{^uint64(4095), 4096, unix.EINVAL},
	} {
		if _, err := mapDMABuf(t, fd, tc.offset, tc.length); !errors.Is(err, tc.err) {
			t.Errorf("mapping %d bytes at %#x: %v, want %v", tc.length, tc.offset, err, tc.err)
		}
	}
	for _, tc := range []struct {
		offset int64
		whence int
		want   int64
		err    error
	}{
		{0, unix.SEEK_END, int64(dumb.Size), nil},
		{0, unix.SEEK_SET, 0, nil},
		{1, unix.SEEK_SET, 0, unix.EINVAL},
		{-1, unix.SEEK_END, 0, unix.EINVAL},
		{0, unix.SEEK_CUR, 0, unix.EINVAL},
	} {
		if got, err := d.Seek(tc.offset, tc.whence); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("seeking to %d from %d: %d, %v; want %d, %v", tc.offset, tc.whence, got, err, tc.want, tc.err)
		}
	}

	// The last descriptor ends it, not the last handle.
	dup, err := unix.Dup(int(fd))
	if err != nil {
		t.Fatal(err)
	}
	c.File.Close()
	if err := unix.Dup2(dup, int(fd)); err != nil {
		t.Fatal(err)
	}
	unix.Close(dup)
	if m.Objects() != 1 {
		t.Error("the buffer is gone while there is a descriptor of it")
	}
	if err := unix.Dup2(int(terminal(t)), int(fd)); err != nil {
		t.Fatal(err)
	}
	if n := m.Objects(); n != 0 {
		t.Errorf("%d buffers are left", n)
	}
	if _, err := d.Mmap(0, 4096); !errors.Is(err, unix.EBADF) {
		t.Errorf("mapping a dma-buf that has ended: %v, want EBADF", err)
	}
}

func TestNameOfDMABuf(t *testing.T) {
	_, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	d := gem.LookupDMABuf(statOf(t, fd))
	setName := func(cmd uint32, addr uint64) error {
		t.Helper()
		ok, err := gem.DMABufIoctl(t.Context(), c, fd, cmd, addr)
		if !ok {
			t.Fatal("it is no dma-buf")
		}
		return err
	}
	longest := strings.Repeat("x", uapi.DMABufNameLen-1)
	for _, tc := range []struct {
		cmd  uint32
		text string
		err  error
		want string // the name from then on
	}{
		{uapi.DMABufSetNameA, "first\x00rest", nil, "first"},
		{uapi.DMABufSetNameB, longest + "\x00", nil, longest},
		{uapi.DMABufSetNameB, longest + "x\x00", unix.EINVAL, longest},
		{uapi.DMABufSetNameB, "\x00", nil, ""},
	} {
		err := setName(tc.cmd, drmtest.PutSlice(c.Arena, []byte(tc.text)))
		if !errors.Is(err, tc.err) || d.Name() != tc.want {
			t.Errorf("naming it %q: %v, and the name is %q; want %v, %q", tc.text, err, d.Name(), tc.err, tc.want)
		}
	}
	if err := setName(uapi.DMABufSetNameB, 0); !errors.Is(err, unix.EFAULT) {
		t.Errorf("a name at 0: %v, want EFAULT", err)
	}
}

// A buffer that comes back to its device through its dma-buf is exported as the
// same file, by which other clients know it.
func TestExportOfWhatCameBack(t *testing.T) {
	m, dev, _ := newDevice(t)
	c := drmtest.Open(t, dev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	if err := drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}); err != nil {
		t.Fatal(err)
	}
	handle, err := importFD(c, fd)
	if err != nil {
		t.Fatal(err)
	}
	again := export(t, c, handle, uapi.RDWR)
	if a, b := statOf(t, fd), statOf(t, again); a.Ino != b.Ino {
		t.Errorf("it is file %d, and was %d", b.Ino, a.Ino)
	}
	c.File.Close()
	for _, fd := range []int32{fd, again} {
		if err := unix.Dup2(int(terminal(t)), int(fd)); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.Objects(); n != 0 || gem.DMABufs() != 0 {
		t.Errorf("%d buffers and %d dma-bufs are left", n, gem.DMABufs())
	}
}

// A process without free descriptors reports the state of a buffer late and
// works on.
func TestPollWithoutDescriptors(t *testing.T) {
	m, dev, _ := newDevice(t)
	_, otherDev, _ := newDevice(t)
	c, other := drmtest.Open(t, dev.Primary()), drmtest.Open(t, otherDev.Primary())
	dumb := createDumb(t, c, 64, 64, 32)
	fd := export(t, c, dumb.Handle, 0)
	o := lookup(t, m, c, dumb.Handle)
	defer o.Put()
	// From here on only the descriptor holds the pts.
	if err := drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 1 // poll takes only one as well
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	f := fence.NewContext("test", "test").New()
	err := o.Reserve(f, true)
	if got := poll(t, fd, unix.POLLIN, 0); got != 0 {
		t.Errorf("a buffer that is written can be read: %#x", got)
	}
	if _, err := importFD(other, fd); !errors.Is(err, unix.EMFILE) {
		t.Errorf("importing it: %v, want EMFILE", err)
	}
	if err := errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		t.Fatal(err)
	}
	for poll(t, fd, unix.POLLOUT, 0) != 0 {
		time.Sleep(time.Millisecond)
	}
	f.Signal(nil)
	isPolled(t, "idle", fd, true, true)
}

// Exports, imports, fences and closes at the same time.
func TestDMABufStorm(t *testing.T) {
	m, dev, _ := newDevice(t)
	other, otherDev, _ := newDevice(t)
	before := gem.DMABufs()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			a, b := drmtest.Open(t, dev.Primary()), drmtest.Open(t, otherDev.Primary())
			defer a.File.Close()
			defer b.File.Close()
			for range 50 {
				dumb := createDumb(t, a, 8, 8, 32)
				var inner sync.WaitGroup
				for range 3 {
					inner.Go(func() {
						arg := uapi.PrimeHandle{Handle: dumb.Handle, Flags: uapi.Cloexec}
						if drmtest.Ioctl(a, uapi.IoctlPrimeHandleToFD, &arg) != nil {
							return // closed already
						}
						f := fence.NewContext("test", "test").New()
						importFence(t, a, arg.FD, f, uapi.DMABufSyncRW)
						handle, err := importFD(b, arg.FD)
						unix.Close(int(arg.FD))
						f.Signal(nil)
						if err == nil {
							_ = drmtest.Ioctl(b, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: handle})
						}
					})
				}
				inner.Go(func() { _ = drmtest.Ioctl(a, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}) })
				inner.Wait()
			}
		})
	}
	clients.Wait()
	if m.Objects() != 0 || other.Objects() != 0 {
		t.Errorf("%d and %d buffers are left", m.Objects(), other.Objects())
	}
	if n := gem.DMABufs(); n > before {
		t.Errorf("%d dma-bufs are left", n-before)
	}
}

func BenchmarkExportAndClose(b *testing.B) {
	_, dev, _ := newDevice(b)
	c := drmtest.Open(b, dev.Primary())
	for b.Loop() {
		dumb := createDumb(b, c, 64, 64, 32)
		arg := uapi.PrimeHandle{Handle: dumb.Handle, Flags: uapi.Cloexec}
		if err := drmtest.Ioctl(c, uapi.IoctlPrimeHandleToFD, &arg); err != nil {
			b.Fatal(err)
		}
		unix.Close(int(arg.FD))
		if err := drmtest.Ioctl(c, uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFence adds and signals a fence of a buffer with a dma-buf.
func BenchmarkFence(b *testing.B) {
	m, dev, _ := newDevice(b)
	c := drmtest.Open(b, dev.Primary())
	dumb := createDumb(b, c, 64, 64, 32)
	export(b, c, dumb.Handle, 0)
	o := lookup(b, m, c, dumb.Handle)
	defer o.Put()
	for b.Loop() {
		f := fence.NewContext("test", "test").New()
		if err := o.Reserve(f, true); err != nil {
			b.Fatal(err)
		}
		f.Signal(nil)
	}
}
