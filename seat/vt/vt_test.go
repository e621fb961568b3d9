package vt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/seat"
)

// A process is one that sends requests with an argument in memory.
type process struct {
	drm.Caller
	pid    int
	memory []byte
}

func (p *process) Client() drm.Client { return drm.Client{PID: p.pid} }

func (p *process) CopyFromUser(dst []byte, addr uint64) error {
	if addr == 0 {
		return unix.EFAULT
	}
	copy(dst, append(p.memory, make([]byte, len(dst))...))
	return nil
}

func (p *process) CopyToUser(addr uint64, src []byte) error {
	if addr == 0 {
		return unix.EFAULT
	}
	p.memory = append([]byte(nil), src...)
	return nil
}

// A rig is the terminals of a seat, and a process.
type rig struct {
	t testing.TB
	*Terminals
	process
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s := seat.New(nil, nil)
	r := &rig{t: t, Terminals: New(s, nil), process: process{pid: os.Getpid()}}
	t.Cleanup(func() {
		if err := r.Terminals.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// open opens a terminal until the end of the test.
func (r *rig) open(number int) (fd int) {
	r.t.Helper()
	fd, err := r.Open(number, unix.O_RDWR)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// ask sends a request with an argument that is a number.
func (r *rig) ask(number int, cmd uint32, arg uint64) error {
	_, err := r.Ioctl(r.t.Context(), &r.process, number, cmd, arg)
	return err
}

func (r *rig) want(number int, cmd uint32, arg uint64, want error) {
	r.t.Helper()
	if err := r.ask(number, cmd, arg); !errors.Is(err, want) {
		r.t.Errorf("terminal %d: request %#x with %d: %v, want %v", number, cmd, arg, err, want)
	}
}

// get sends a request that returns an int.
func (r *rig) get(number int, cmd uint32) int {
	r.t.Helper()
	r.memory = nil
	r.want(number, cmd, 1, nil)
	return int(int32(binary.NativeEndian.Uint32(append(r.memory, 0, 0, 0, 0))))
}

// control makes the process of the rig the owner of a terminal.
func (r *rig) control(number int) {
	r.t.Helper()
	r.memory = mode{modeProcess, 0, int16(unix.SIGUSR1), int16(unix.SIGUSR2)}.encode()
	r.want(number, vtSetMode, 1, nil)
}

// TestRequests checks the requests that switch nothing, against what the kernel
// answers.
func TestRequests(t *testing.T) {
	r := newRig(t)
	r.open(1)
	for _, tc := range []struct {
		cmd  uint32
		arg  uint64
		want error
	}{
		{kdSetMode, 4, unix.EINVAL}, {kdSKBMode, 5, unix.EINVAL}, {kdSKBMeta, 5, unix.EINVAL}, {kdSKBLED, 8, unix.EINVAL},
		{kdGKBType, 0, unix.EFAULT}, {kdGetMode, 0, unix.EFAULT}, {vtSetMode, 0, unix.EFAULT}, {vtGetState, 0, unix.EFAULT},
		{vtRelDisp, 1, unix.EINVAL}, {vtActivate, 0, unix.ENXIO}, {vtActivate, Count + 1, unix.ENXIO}, {vtWaitActive, 0, unix.ENXIO},
		{vtDisallocate, Count + 1, unix.ENXIO}, {vtDisallocate, 1, unix.EBUSY}, {vtDisallocate, 9, nil}, {vtDisallocate, 0, nil},
		{kdMapDisp, 0, unix.EINVAL}, {0x5604, 0, unix.ENOTTY}, {0x4bff, 0, unix.ENOTTY},
		{kdSetMode, kdText1, nil}, {vtLockSwitch, 0, nil}, {vtUnlock, 0, nil},
	} {
		r.want(1, tc.cmd, tc.arg, tc.want)
	}
	r.memory = []byte{7}
	r.want(1, vtSetMode, 1, unix.EINVAL)
	for cmd, want := range map[uint32]int{kdGKBType: kbType101, kdGetMode: kdText, kdGKBMode: kbUnicode, kdGKBMeta: metaPrefix, vtOpenQuery: 2, kdGKBDiacr: 0} {
		if got := r.get(1, cmd); got != want {
			t.Errorf("request %#x returns %d, want %d", cmd, got, want)
		}
	}
	r.want(1, kdSetMode, kdGraphics, nil)
	r.want(1, kdSKBMode, kbOff, nil)
	if got := r.get(1, kdGetMode); got != kdGraphics {
		t.Errorf("the mode is %d", got)
	}
	if got := r.get(1, kdGKBMode); got != kbOff {
		t.Errorf("the keyboard mode is %d", got)
	}
}

// TestFile checks the file of a terminal: writes do not wait, and a terminal that
// is closed is free.
func TestFile(t *testing.T) {
	r := newRig(t)
	fd, err := r.Open(0, unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	r.open(3)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || r.Number(st.Dev, st.Ino) != 1 || r.NumberOfDevice(st.Rdev) != 1 {
		t.Errorf("the number is %d, %d: %v", r.Number(st.Dev, st.Ino), r.NumberOfDevice(st.Rdev), err)
	}
	for range 64 {
		if _, err := unix.Write(fd, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err != nil || size.Row != rows || size.Col != columns {
		t.Errorf("the size is %v, %v", size, err)
	}
	if got := r.get(1, vtOpenQuery); got != 2 {
		t.Errorf("terminal %d is free, want 2", got)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	if got := r.get(3, vtOpenQuery); got != 1 {
		t.Errorf("terminal %d is free, want 1", got)
	}
	again := r.open(1)
	if _, err := unix.Write(again, make([]byte, 1<<16)); err != nil {
		t.Error(err)
	}
	if _, err := r.Open(Count+1, unix.O_RDWR); !errors.Is(err, unix.ENXIO) {
		t.Errorf("terminal %d: %v", Count+1, err)
	}
}

// TestSwitch switches between a terminal that a process controls and others.
func TestSwitch(t *testing.T) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	heard := func(want unix.Signal) {
		t.Helper()
		if got := <-signals; got != want {
			t.Errorf("the signal is %v, want %v", got, want)
		}
	}
	r := newRig(t)
	r.open(5)
	r.want(5, vtActivate, 5, nil)
	r.want(5, vtWaitActive, 5, nil)
	r.control(5)
	r.control(5)
	front := func(want int) {
		t.Helper()
		if got := r.seat.Front(); got != want {
			t.Errorf("terminal %d is in the foreground, want %d", got, want)
		}
	}
	for range 2 { // the second time the process is asked again
		r.seat.Pause()
		heard(unix.SIGUSR1)
	}
	front(5)
	r.want(5, vtRelDisp, 1, nil)
	front(seat.Terminals)
	r.want(5, vtRelDisp, 1, unix.EINVAL)
	r.seat.Resume()
	heard(unix.SIGUSR2)
	r.want(5, vtRelDisp, ackAcquired, nil)
	front(5)

	r.want(5, vtActivate, 6, nil)
	heard(unix.SIGUSR1)
	r.want(5, vtRelDisp, 0, nil)
	front(5)
	r.want(5, vtLockSwitch, 0, nil)
	r.want(5, vtActivate, 6, nil)
	front(5)
	r.want(5, vtUnlock, 0, nil)
	r.want(5, vtActivate, 6, nil)
	heard(unix.SIGUSR1)
	r.want(5, vtRelDisp, 1, nil)
	front(6)
	r.seat.Resume()
	heard(unix.SIGUSR2)

	// Without an owner, a terminal is switched at once, unless a program draws.
	r.memory = mode{}.encode()
	r.want(5, vtSetMode, 1, nil)
	r.want(5, kdSetMode, kdGraphics, nil)
	r.want(5, vtActivate, 6, nil)
	front(5)
	r.want(5, kdSetMode, kdText, nil)
	r.want(5, vtActivate, 6, nil)
	front(6)
}

// TestOwnerDies ends the process that controls a terminal: the next one can have
// it.
func TestOwnerDies(t *testing.T) {
	r := newRig(t)
	r.open(1)
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	r.control(1)
	if !r.seat.HasSession(1) {
		t.Error("the terminal has no session")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for r.seat.HasSession(1) {
		time.Sleep(time.Millisecond)
	}
	r.pid = os.Getpid()
	r.control(1)
}

// FuzzRequests sends requests of 7 bytes each: the type, the number, the argument,
// and 4 bytes of memory, which stand for any size. None may panic or hold the
// terminals up.
func FuzzRequests(f *testing.F) {
	f.Add([]byte{'V', 0, 1, 0, 0, 0, 0, 'V', 2, 1, modeProcess, 0, 0, 0, 'V', 6, 5, 0, 0, 0, 0, 'V', 5, 1, 0, 0, 0, 0})
	f.Add([]byte{'V', 15, 1, 9, 0, 0, 0, 'V', 8, 0, 0, 0, 0, 0, 'V', 3, 1, 0, 0, 0, 0, 'V', 7, 9, 0, 0, 0, 0})
	f.Add([]byte{'K', 0x3a, 1, 0, 0, 0, 0, 'V', 6, 2, 0, 0, 0, 0, 'K', 0x46, 1, 1, 0, 0, 0, 'T', 0x1c, 1, tioclGetForeground, 0, 0, 0})
	cmd := exec.Command("sleep", "1000") // gets the signals
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := newRig(t)
		r.pid = cmd.Process.Pid
		r.open(1)
		ended, cancel := context.WithCancel(t.Context())
		cancel() // waits end at once
		for len(sent) >= 7 {
			r.memory = append(append([]byte(nil), sent[3:7]...), make([]byte, 16)...)
			_, err := r.Ioctl(ended, &r.process, 1, uint32(sent[0])<<8|uint32(sent[1]), uint64(sent[2]))
			var errno unix.Errno
			if err != nil && !errors.As(err, &errno) {
				t.Errorf("%v has no errno", err)
			}
			sent = sent[7:]
		}
	})
}

func Example() {
	terminals := New(seat.New(nil, nil), nil)
	defer terminals.Close()
	fd, err := terminals.Open(0, unix.O_RDWR) // /dev/tty0
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("terminal", terminals.Number(st.Dev, st.Ino))
	// Output: terminal 1
}
