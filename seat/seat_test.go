package seat

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A fakeCard is a device that is always there. onChange is called inside each
// request for or against the mastership.
type fakeCard struct {
	onChange func()

	mu     sync.Mutex
	master bool
}

func (c *fakeCard) set(master bool) error {
	if c.onChange != nil {
		c.onChange()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.master = master
	return nil
}

func (c *fakeCard) SetMaster() error { return c.set(true) }

func (c *fakeCard) DropMaster() error { return c.set(false) }

func (c *fakeCard) Descriptor() (int, error) { return -1, unix.EBADF }

func (c *fakeCard) isMaster() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.master
}

// open returns an opener of one card.
func (c *fakeCard) open(string, int) (int, Device, error) {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	return fd, c, err
}

// A listener is a client that writes down what it is told.
type listener struct {
	mu    sync.Mutex
	heard []string
}

func (l *listener) hear(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, what)
}

func (l *listener) Enable()  { l.hear("enable") }
func (l *listener) Disable() { l.hear("disable") }

func (l *listener) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !reflect.DeepEqual(l.heard, want) {
		t.Errorf("the client heard %q, want %q", l.heard, want)
	}
	l.heard = nil
}

func newSession(t *testing.T, s *Seat, l *listener) *Session {
	t.Helper()
	c, err := s.NewSession(l, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	return c
}

func openCard(t *testing.T, c *Session) int32 {
	t.Helper()
	o, err := c.OpenDevice("/dev/dri/card0")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(o.FD); err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func wantErrno(t *testing.T, err error, want unix.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
}

// TestPause pauses and resumes a seat with one session.
func TestPause(t *testing.T) {
	card, l := &fakeCard{}, &listener{}
	s := New(card.open, nil)
	c := newSession(t, s, l)
	l.want(t, "enable")
	wantErrno(t, c.Disabled(), unix.EBUSY)
	id := openCard(t, c)
	s.Pause()
	s.Pause()
	if card.isMaster() {
		t.Error("the session is the master after Pause")
	}
	_, err := c.OpenDevice("/dev/dri/card0")
	wantErrno(t, err, unix.EPERM)
	wantErrno(t, c.Switch(2), unix.EPERM)
	s.Resume() // before the client has answered
	if card.isMaster() {
		t.Error("the session is the master before it has answered")
	}
	l.want(t, "disable")
	if err := c.Disabled(); err != nil {
		t.Error(err)
	}
	l.want(t, "enable")
	s.Resume()
	if !card.isMaster() {
		t.Error("the session is not the master after Resume")
	}
	s.Revoke()
	if card.isMaster() {
		t.Error("the session is the master after Revoke")
	}
	s.Restore()
	if !card.isMaster() {
		t.Error("the session is not the master after Restore")
	}
	l.want(t)
	if err := c.CloseDevice(id); err != nil {
		t.Error(err)
	}
	wantErrno(t, c.CloseDevice(id), unix.EBADF)
	if card.isMaster() {
		t.Error("the session is the master after CloseDevice")
	}
	openCard(t, c)
	c.Close()
	c.Close()
	if card.isMaster() {
		t.Error("the session is the master after Close")
	}
	wantErrno(t, c.Disabled(), unix.EBUSY)
}

// TestSwitch switches between sessions and to an empty terminal.
func TestSwitch(t *testing.T) {
	s := New((&fakeCard{}).open, nil)
	var first, second listener
	a, b := newSession(t, s, &first), newSession(t, s, &second)
	first.want(t, "enable")
	second.want(t)
	wantErrno(t, a.Switch(0), unix.EINVAL)
	for _, n := range []int{a.number, b.number} {
		if err := a.Switch(n); err != nil {
			t.Fatal(err)
		}
	}
	first.want(t, "disable")
	second.want(t)
	if err := a.Disabled(); err != nil {
		t.Fatal(err)
	}
	second.want(t, "enable")
	if err := b.Switch(7); err != nil {
		t.Fatal(err)
	}
	if err := b.Disabled(); err != nil {
		t.Fatal(err)
	}
	second.want(t, "disable")
	if st := s.Status(); !st.Paused || len(st.Sessions) != 2 || st.Sessions[1].State != "inactive" {
		t.Errorf("the seat is %+v", st)
	}
	s.Resume()
	first.want(t)
	second.want(t, "enable")
	b.Close()
	first.want(t, "enable")
	a.Close()
}

// TestSteerInside steers the seat inside the requests that it sends itself, as a
// rule of package aim can.
func TestSteerInside(t *testing.T) {
	for _, action := range Actions {
		card, l := &fakeCard{}, &listener{}
		s := New(card.open, nil)
		c := newSession(t, s, l)
		openCard(t, c)
		depth := 0
		card.onChange = func() {
			if depth++; depth == 1 {
				if err := s.Do(action); err != nil {
					t.Error(err)
				}
			}
			depth--
		}
		for _, outer := range Actions {
			if err := s.Do(outer); err != nil {
				t.Error(err)
			}
			_ = c.Disabled()
		}
		c.Close()
		s.Resume()
		next := newSession(t, s, l)
		openCard(t, next)
		next.Close()
	}
	wantErr := CheckAction("hide")
	if wantErr == nil || !strings.Contains(wantErr.Error(), "pause") {
		t.Errorf("the error of an unknown action is %v", wantErr)
	}
}

// TestConcurrently steers a seat while sessions come and go. At the end, the last
// word decides who is the master.
func TestConcurrently(t *testing.T) {
	card := &fakeCard{}
	s := New(card.open, nil)
	var steering, clients sync.WaitGroup
	stop := make(chan struct{})
	for i := range 2 {
		steering.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
					_ = s.Do(Actions[n%len(Actions)])
				}
			}
		})
	}
	for range 4 {
		clients.Go(func() {
			for range 50 {
				c, err := s.NewSession(&listener{}, os.Getpid())
				if err != nil {
					t.Error(err)
					return
				}
				c.Start()
				if o, err := c.OpenDevice("/dev/dri/card0"); err == nil {
					_ = unix.Close(o.FD)
					_ = c.Disabled()
					_ = c.CloseDevice(o.ID)
				}
				c.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	steering.Wait()
	s.Resume()
	if st := s.Status(); st.Paused || len(st.Sessions) != 0 {
		t.Errorf("the seat is %+v", st)
	}
	c := newSession(t, s, &listener{})
	defer c.Close()
	openCard(t, c)
	if !card.isMaster() {
		t.Error("the only session is not the master")
	}
}

// TestLimits opens too many sessions and devices.
func TestLimits(t *testing.T) {
	s := New((&fakeCard{}).open, nil)
	var sessions []*Session
	for range MaxSessions {
		sessions = append(sessions, newSession(t, s, &listener{}))
	}
	_, err := s.NewSession(&listener{}, os.Getpid())
	wantErrno(t, err, unix.EMFILE)
	for range MaxDevices {
		openCard(t, sessions[0])
	}
	_, err = sessions[0].OpenDevice("/dev/dri/card0")
	wantErrno(t, err, unix.EMFILE)
	for _, c := range sessions {
		c.Close()
	}
}

// TestDirectory leaves a directory behind, as a process does that is killed. The
// next one removes it, and no other.
func TestDirectory(t *testing.T) {
	left, err := NewDirectory()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Listen(); err != nil {
		t.Fatal(err)
	}
	used, err := NewDirectory()
	if err != nil {
		t.Fatal(err)
	}
	left.locked.Close()
	last, err := NewDirectory()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left.path); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left.path, err)
	}
	for _, d := range []*Directory{used, last} {
		if st, err := os.Stat(d.path); err != nil || st.Mode().Perm() != 0o711 {
			t.Errorf("%s: %v, %v", d.path, st, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleSeat_Pause() {
	s := New((&fakeCard{}).open, nil)
	c, err := s.NewSession(printer{}, os.Getpid())
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Start()
	s.Pause()
	if err := c.Disabled(); err != nil {
		fmt.Println(err)
	}
	s.Resume()
	c.Close()
	// Output:
	// the session is active
	// the session has lost its cards
	// the session is active
}

// A printer is a client that prints what it is told.
type printer struct{}

func (printer) Enable()  { fmt.Println("the session is active") }
func (printer) Disable() { fmt.Println("the session has lost its cards") }
