package gate

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
)

// A Set serves gates. All methods may be called concurrently.
type Set struct {
	closed chan struct{}
	tid    int // of the thread that receives the signals; 0: not started

	mu    sync.Mutex
	gates map[int]*gate // by our descriptor
	files map[int]int   // how many gates each process has opened
	wg    sync.WaitGroup

	writers map[int]*writers // of the processes in files
	reads   reads

	searching sync.Mutex    // held while a gate looks at all processes
	searched  time.Time     // when that was done last
	search    time.Duration // how long it took
}

// NewSet returns a set without gates.
func NewSet() *Set {
	return &Set{closed: make(chan struct{}), gates: make(map[int]*gate), files: make(map[int]int), writers: make(map[int]*writers)}
}

// A File says what a gate does.
type File struct {
	// PID is the process that opens the file. It is the first one that is
	// looked for when a thread writes.
	PID int

	// Read makes the file readable: the program reads Content, and then the
	// end of the file.
	Read    bool
	Content string

	// Store takes what one write has written, at most 4,096 bytes. Its error
	// is that of the write.
	Store func(data string) error

	// Refused is told of the writes that Store refuses.
	Refused func(data string, err error)

	// Opened takes over our end, which does not block, when the gate is opened.
	// Writes come out of it from then on. stored, if it is not "", is one of
	// them that was stored already.
	Opened func(fd int, stored string)

	// Ended is called when the last copy of the program's end is closed, or
	// with the set. It is not called after Opened.
	Ended func()
}

// Open makes a gate. It returns the program's end, which the caller passes on
// and closes, and its inode.
func (s *Set) Open(f File) (theirs int, inode uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tid == 0 {
		s.startLocked()
	}
	g := &gate{File: f, set: s, event: make(chan struct{}, 1)}
	if f.Read {
		theirs, err = g.makeSocket()
	} else {
		theirs, err = g.makePipe()
	}
	if err != nil {
		return -1, 0, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(theirs, &st); err == nil {
		err = notify(g.fd, s.tid)
	}
	if err != nil {
		_ = unix.Close(g.fd)
		_ = unix.Close(theirs)
		return -1, 0, err
	}
	g.inode = st.Ino
	s.gates[g.fd] = g
	s.files[f.PID]++
	g.share = time.Duration(max(1, s.files[f.PID]/manyGates))
	s.wg.Go(g.run)
	return theirs, g.inode, nil
}

// makePipe makes a pipe whose only place is taken. A read takes one write.
func (g *gate) makePipe() (writeEnd int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		return -1, err
	}
	if _, err = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, 1); err == nil { // a page
		_, err = unix.Write(p[1], filling)
	}
	if err != nil {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
		return -1, err
	}
	g.fd, g.fillings, g.kind = p[0], 1, "pipe"
	return p[1], nil
}

// socketBuffer is the size of the buffer of a socket. No write may be larger.
const socketBuffer = 4 * maxWrite

// makeSocket makes a socket that keeps writes apart and takes none, from which
// the program reads the content and then the end of the file.
func (g *gate) makeSocket() (theirs int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if g.Content != "" {
		_, err = unix.Write(p[0], []byte(g.Content))
	}
	if err == nil {
		err = unix.Shutdown(p[0], unix.SHUT_WR)
	}
	if err == nil {
		err = unix.SetsockoptInt(p[1], unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer/2) // the kernel doubles it
	}
	for err == nil {
		if err = unix.Send(p[1], filling, unix.MSG_DONTWAIT); err == nil {
			g.fillings++
		}
	}
	if err != unix.EAGAIN {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
		return -1, err
	}
	g.fd, g.kind = p[0], "socket"
	return p[1], nil
}

// filling is what keeps a write from being taken.
var filling = []byte{0}

// startLocked starts the thread that receives the signals.
func (s *Set) startLocked() {
	started := make(chan struct{})
	s.wg.Add(1)
	thread.Go(func() {
		defer s.wg.Done()
		blockSignals()
		s.tid = unix.Gettid()
		close(started)
		for {
			fd := receive(time.Minute)
			select {
			case <-s.closed:
				return
			default:
				s.wake(fd)
			}
		}
	})
	<-started
}

// wake wakes the gate of a descriptor, or all of them.
func (s *Set) wake(fd int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.gates[fd]; g != nil {
		g.wake()
		return
	}
	for _, g := range s.gates {
		if fd < 0 {
			g.wake()
		}
	}
}

// beginSearch lets a gate look at all processes until end is called. end is nil
// while another one does so, and when that was done shortly before: all gates
// together spend at most an eighth of the time on it.
func (s *Set) beginSearch() (end func()) {
	const share = 8
	if !s.searching.TryLock() {
		return nil
	}
	start := time.Now()
	if start.Sub(s.searched) < share*s.search {
		s.searching.Unlock()
		return nil
	}
	return func() {
		s.searched, s.search = time.Now(), time.Since(start)
		s.searching.Unlock()
	}
}

// forget forgets a gate. Its descriptor is closed, or another's, after that.
func (s *Set) forget(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.gates, g.fd)
	if s.files[g.PID]--; s.files[g.PID] == 0 {
		delete(s.files, g.PID)
		delete(s.writers, g.PID)
	}
}

// Close ends all gates. It is called once.
func (s *Set) Close() {
	close(s.closed)
	s.mu.Lock()
	tid := s.tid
	s.mu.Unlock()
	if tid != 0 {
		_ = unix.Tgkill(unix.Getpid(), tid, signal)
	}
	s.wg.Wait()
}

// blockSignals blocks all signals but those of faults for the thread: each
// would interrupt a step of its work.
func blockSignals() {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^uint64(0)
	}
	for _, s := range []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP} {
		set.Val[(s-1)/64] &^= 1 << ((s - 1) % 64)
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &set, nil)
}
