package thread

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Texts is memory that programs can read and cannot change, for arguments of
// calls that a [Tracee] makes. Other threads of the program, and processes that
// share its memory, could change arguments in ordinary memory between the moment
// when they are written and that when the kernel reads them.
//
// Invariant: at the address that [Tracee.ShowTexts] returns, the program has the
// texts as long as it has that memory.
//
// Why it holds: the texts are in a memfd that only this process can write. It is
// mapped shared, so that not even ptrace can make a private copy of a page, and
// sealed with mseal(2), so that no thread can replace the mapping. ShowTexts
// checks what is mapped after the seal.
type Texts struct {
	fd     int // open for reading
	dev    string
	inode  uint64
	memory []byte // this process's mapping

	mu   sync.Mutex
	free []int
}

// textSize is the size of one text. numTexts is more than the calls that a
// process serves at a time.
const (
	textSize = 2 * unix.PathMax
	numTexts = 512
)

// A Text is one text. It is released after its use.
type Text struct {
	texts *Texts
	i     int
}

// NewTexts returns new texts. ENOSYS before Linux 6.10, which has no mseal.
func NewTexts() (*Texts, error) {
	if _, _, errno := unix.Syscall(unix.SYS_MSEAL, 0, 0, 0); errno != 0 { // of no memory
		return nil, fmt.Errorf("mseal: %w", errno)
	}
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	memfd, err := unix.MemfdCreate("udrm texts", flags)
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	defer unix.Close(memfd)
	t := &Texts{}
	for i := range numTexts {
		t.free = append(t.free, i)
	}
	var st unix.Stat_t
	if err := unix.Ftruncate(memfd, textSize*numTexts); err != nil {
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	if err := unix.Fstat(memfd, &st); err != nil {
		return nil, fmt.Errorf("fstat: %w", err)
	}
	t.dev, t.inode = fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev)), st.Ino
	if t.memory, err = unix.Mmap(memfd, 0, textSize*numTexts, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	const seals = unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	_, err = unix.FcntlInt(uintptr(memfd), unix.F_ADD_SEALS, seals)
	if err == nil {
		t.fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", memfd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		_ = unix.Munmap(t.memory)
		return nil, err
	}
	return t, nil
}

// Close frees the texts. No method may be running.
func (t *Texts) Close() {
	_ = unix.Munmap(t.memory)
	_ = unix.Close(t.fd)
}

// FD returns the descriptor of which the program gets a copy for ShowTexts.
func (t *Texts) FD() int { return t.fd }

// Take returns a text with that content, or nil when none is free.
func (t *Texts) Take(content []byte) *Text {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == 0 {
		return nil
	}
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	copy(t.memory[i*textSize:(i+1)*textSize], content)
	return &Text{t, i}
}

// Offset returns where the text begins.
func (t *Text) Offset() uint64 { return uint64(t.i) * textSize }

// Release gives the text back.
func (t *Text) Release() {
	t.texts.mu.Lock()
	defer t.texts.mu.Unlock()
	t.texts.free = append(t.texts.free, t.i)
}

// ShowTexts makes the program have the texts in its memory, for good, and
// returns their address. fd is the program's descriptor of them. If result is
// negative, it is the error of a call that the program may not make.
func (x *Tracee) ShowTexts(t *Texts, fd int) (result int64, err error) {
	addr, found := t.in(x.id, 0)
	if !found {
		result, err := x.Syscall(unix.SYS_MMAP, [6]uint64{0, textSize * numTexts, unix.PROT_READ, unix.MAP_SHARED, uint64(fd), 0})
		if err != nil || result < 0 {
			return result, err
		}
		addr = uint64(result)
	}
	result, err = x.Syscall(unix.SYS_MSEAL, [6]uint64{addr, textSize * numTexts})
	if err != nil || result < 0 {
		return result, err
	}
	if _, found := t.in(x.id, addr); !found {
		return -int64(unix.EACCES), nil // another thread has mapped something else
	}
	return int64(addr), nil
}

// in returns where the texts are in the memory of a thread, for reading only:
// at addr, or anywhere if that is 0.
func (t *Texts) in(id ID, addr uint64) (at uint64, found bool) {
	maps, err := os.ReadFile(id.path("maps"))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(maps) {
		// Range, rights, offset, device, inode.
		fields := strings.Fields(string(line))
		if len(fields) < 5 || fields[1] != "r--s" || fields[3] != t.dev || fields[4] != strconv.FormatUint(t.inode, 10) {
			continue
		}
		first, last, _ := strings.Cut(fields[0], "-")
		at, err1 := strconv.ParseUint(first, 16, 64)
		end, err2 := strconv.ParseUint(last, 16, 64)
		offset, err3 := strconv.ParseUint(fields[2], 16, 64)
		if err1 == nil && err2 == nil && err3 == nil && offset == 0 && end-at == textSize*numTexts && (addr == 0 || at == addr) {
			return at, true
		}
	}
	return 0, false
}
