package udev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

// A substitute sends events over Unix sockets that read like netlink's.
//
// A program gets one end of a pair of sockets that keep messages apart. This
// process sends from the other end, whose abstract name reads like the struct
// sockaddr_nl of the kernel. libudev looks at the group and the pid in it, not
// at the family. No other process can send to the program's end, because that
// is connected. The program's bind to a netlink address only notes the groups.
//
// Socket options of netlink fail on these sockets, and getsockname tells what
// they are.
type substitute struct {
	named atomic.Uint64 // how many names were given

	mu       sync.Mutex          // held while an event is sent: all listeners hear one order
	seqnum   uint64              // of the last event
	monitors map[uint64]*monitor // by the inode of the program's end
	wg       sync.WaitGroup
}

// A monitor is a socket of a program.
type monitor struct {
	end  *os.File      // ours, charged to account
	fd   int           // of end; valid while the monitor is in monitors
	wake chan struct{} // has an element when send must look at queue

	account *drm.Account

	// Guarded by substitute.mu.
	groups uint32   // 0 until it is bound
	queue  [][]byte // what the socket's buffer had no room for; sent in order
}

// maxQueued bounds the messages that wait for a monitor, besides those in the
// socket's buffer. Further ones are dropped. A process may have thousands of
// monitors that it does not read.
const maxQueued = 128

func newSubstitute() *substitute {
	return &substitute{seqnum: 1000, monitors: make(map[uint64]*monitor)}
}

func (s *substitute) Open(account *drm.Account, typeAndFlags int) (int, error) {
	if err := account.Charge(drm.Descriptors, 1, unix.EMFILE); err != nil {
		return -1, err
	}
	fd, err := s.open(account, typeAndFlags)
	if err != nil {
		account.Refund(drm.Descriptors, 1)
	}
	return fd, err
}

func (s *substitute) open(account *drm.Account, typeAndFlags int) (int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	ours, theirs := pair[0], pair[1]
	fail := func(err error) (int, error) { return -1, errors.Join(err, unix.Close(ours), unix.Close(theirs)) }
	if err := s.name(ours); err != nil {
		return fail(err)
	}
	var st unix.Stat_t
	if err := errors.Join(unix.Fstat(theirs, &st), unix.SetNonblock(ours, true),
		unix.SetNonblock(theirs, typeAndFlags&unix.SOCK_NONBLOCK != 0)); err != nil {
		return fail(err)
	}
	m := &monitor{end: os.NewFile(uintptr(ours), "uevents"), fd: ours, wake: make(chan struct{}, 1), account: account}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.monitors[st.Ino] = m
	s.wg.Go(func() { s.send(m) })
	s.wg.Go(func() { s.follow(st.Ino, m) })
	return theirs, nil
}

// name binds a socket to a name that reads like a struct sockaddr_nl of the
// kernel after the family: {pad u16; pid, groups u32}. A suffix makes the name
// unique.
func (s *substitute) name(socket int) error {
	var rest [10]byte // pid 0 is the kernel
	binary.NativeEndian.PutUint32(rest[6:], groupKernel)
	for {
		// The first byte, 0, makes the name abstract; x/sys writes it as '@'.
		name := "@" + string(rest[1:]) + fmt.Sprintf("udrm-%d-%d", unix.Getpid(), s.named.Add(1))
		if err := unix.Bind(socket, &unix.SockaddrUnix{Name: name}); err != unix.EADDRINUSE {
			return err
		}
	}
}

// send sends the messages in the queue of a monitor, and waits while the program
// does not read. A message leaves the queue when it is sent, so that none
// overtakes it.
func (s *substitute) send(m *monitor) {
	for range m.wake {
		for {
			s.mu.Lock()
			if len(m.queue) == 0 {
				s.mu.Unlock()
				break
			}
			msg := m.queue[0]
			s.mu.Unlock()
			if _, err := m.end.Write(msg); err != nil {
				return // closed
			}
			s.mu.Lock()
			m.queue = m.queue[1:]
			s.mu.Unlock()
		}
	}
}

// deliver sends a message at once, if the program has read enough, or queues it.
// It reports whether there was room. s.mu is held.
func (m *monitor) deliver(msg []byte) bool {
	if len(m.queue) == 0 {
		for {
			err := unix.Send(m.fd, msg, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if err == unix.EINTR {
				continue
			}
			if err != unix.EAGAIN {
				return true // sent, or the program has closed its end
			}
			break
		}
	}
	if len(m.queue) >= maxQueued {
		return false
	}
	m.queue = append(m.queue, msg)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// follow waits until the program has closed its end, and forgets the monitor.
func (s *substitute) follow(inode uint64, m *monitor) {
	var none [1]byte
	_, err := m.end.Read(none[:])
	for err == nil { // what a program sends goes nowhere
		_, err = m.end.Read(none[:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.monitors[inode] == m {
		delete(s.monitors, inode)
	}
	close(m.wake)
	_ = m.end.Close()
	m.account.Refund(drm.Descriptors, 1)
}

func (s *substitute) Table() string { return "" }

func (s *substitute) Bind(inode uint64, groups uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.monitors[inode]
	if m != nil {
		m.groups |= groups
	}
	return m != nil
}

func (s *substitute) Send(e *Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seqnum++
	messages := map[uint32][]byte{
		groupKernel: append(e.kernelMessage(), nulTerminated([]string{seqnumField(s.seqnum)})...),
		groupUdev:   e.udevMessage(s.seqnum),
	}
	lost := 0
	// A program with a socket for each group must find the kernel's message first.
	for _, group := range [...]uint32{groupKernel, groupUdev} {
		for _, m := range s.monitors {
			if m.groups&group != 0 && !m.deliver(messages[group]) {
				lost++
			}
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d messages to programs that do not read: %w", lost, unix.ENOBUFS)
	}
	return nil
}

func (s *substitute) Close() {
	s.mu.Lock()
	for _, m := range s.monitors {
		_ = m.end.Close() // ends follow
	}
	s.mu.Unlock()
	s.wg.Wait()
}
