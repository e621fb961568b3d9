package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// A session is a machine in this process. The hardware of its cards reports
// every access without a guard or a bound parent.
type session struct {
	*machine.Machine

	mu      sync.Mutex
	drivers []*vkms.Driver // of all plugs
	misuse  []error
}

// The goroutines that adopt the children of programs stay: the first program
// starts them before a test looks for leaks.
var firstChild sync.Once

// newSession returns a session whose cards are default cards, all unplugged.
func newSession(t *testing.T) *session {
	t.Helper()
	card := config.DefaultCard()
	card.Enabled = false
	return newSessionOf(t, []config.Card{card, card})
}

// newSessionOf returns a session with the described cards.
func newSessionOf(t *testing.T, cards []config.Card) *session {
	t.Helper()
	s := &session{}
	firstChild.Do(func() {
		m, err := machine.New(nil, machine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Start(exec.Command("true"))
		if err != nil {
			t.Fatal(err)
		}
		if status, err := p.Wait(); status != 0 || err != nil {
			t.Fatal(status, err)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	drmtest.NoLeaks(t)
	driver := machine.Driver{Name: config.VKMS, New: func(class *drm.Class, card config.Card) *bus.Driver {
		card.VKMS.Misuse = func(err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.misuse = append(s.misuse, err)
		}
		d := vkms.NewDriver(class, card.VKMS)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drivers = append(s.drivers, d)
		return d.BusDriver()
	}}
	var err error
	// This process adopts no orphans. Those that end are recognized by their
	// filters, and the commands that other tests start have filters, too.
	if s.Machine, err = machine.New(cards, machine.Options{Drivers: []machine.Driver{driver}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// card returns a card of the session.
func (s *session) card(t *testing.T, label string) *machine.Card {
	t.Helper()
	c, err := s.Card(label)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *session) plug(t *testing.T, label string) *machine.Card {
	t.Helper()
	c := s.card(t, label)
	if err := c.Plug(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *session) unplug(t *testing.T, label string) {
	t.Helper()
	if err := s.card(t, label).Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// end ends the session and checks that nothing is left of it. The programs must
// have ended.
func (s *session) end(t *testing.T) {
	t.Helper()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.drivers {
		if d.Device().State() != drm.Gone || d.Device().Guards() != 0 || d.Buffers().Objects() != 0 {
			t.Errorf("%s is %v, with %d guards and %d buffers", d.Device().Unique(), d.Device().State(), d.Device().Guards(), d.Buffers().Objects())
		}
	}
	if len(s.misuse) > 0 {
		t.Errorf("the hardware was touched %d times outside a guard with a bound parent; first: %v", len(s.misuse), s.misuse[0])
	}
}

// A client is a program of a session.
type client struct {
	process *machine.Process
	stdin   interface{ Close() error }
	lines   *bufio.Scanner
	stderr  strings.Builder
}

// start starts a program with pipes.
func (s *session) start(t *testing.T, program string, args ...string) *client {
	t.Helper()
	c := &client{}
	cmd := exec.Command(program, args...)
	cmd.Stderr = &c.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.process, err = s.Start(cmd); err != nil {
		t.Fatal(err)
	}
	c.stdin, c.lines = stdin, bufio.NewScanner(stdout)
	return c
}

// await reads lines until one begins with prefix, and returns it.
func (c *client) await(t *testing.T, prefix string) string {
	t.Helper()
	for c.lines.Scan() {
		if strings.HasPrefix(c.lines.Text(), prefix) {
			return c.lines.Text()
		}
	}
	t.Fatalf("the client ended before it said %q\n%s", prefix, &c.stderr)
	return ""
}

// end ends the input of the client and waits until the client, and everything
// that it has started, has ended.
func (c *client) end(t *testing.T) (status int) {
	t.Helper()
	c.stdin.Close()
	for c.lines.Scan() {
	}
	status, err := c.process.Wait()
	if err != nil {
		t.Error(err)
	}
	<-c.process.Done()
	return status
}

const (
	stormCycles  = 100
	stormThreads = 3
)

// TestStorm plugs and unplugs cards a hundred times while clients use them. The
// hardware is never touched outside a guard, calls fail only with ENODEV, no
// client gets SIGBUS, and nothing is left at the end.
func TestStorm(t *testing.T) {
	s := newSession(t)
	c := s.start(t, storm, "/dev/dri/card0", "3")
	for range stormCycles {
		card := s.plug(t, "card0")
		for range stormThreads {
			c.await(t, "working")
		}
		s.unplug(t, "card0")
		// As long as the clients hold the old card, the new one would be card1.
		await(t, "the clients close the card", func() bool { return card.Device().State() == drm.Gone })
	}
	c.stdin.Close()
	summary := c.await(t, "{")
	if status := c.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, &c.stderr)
	}
	var did struct{ Sessions, Calls, Gone int }
	if err := json.Unmarshal([]byte(summary), &did); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cycles: %s", stormCycles, summary)
	if did.Sessions < stormCycles*stormThreads || did.Gone < stormCycles {
		t.Errorf("the clients were not at work all the while: %s", summary)
	}
	s.end(t)
}

// TestStormCatchesMutant checks that TestStorm fails if a request runs without a
// guard.
func TestStormCatchesMutant(t *testing.T) {
	const file = "../../drm/guard.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const guarded = `	defer r.exit()
	defer d.recoverTo(&err, p)
	return f(dev)
`
	const mutant = `	if p.name() == "MODE_SETCRTC" {
		r.exit()
	} else {
		defer r.exit()
	}
	defer d.recoverTo(&err, p)
	return f(dev)
`
	if strings.Count(string(source), guarded) != 1 {
		t.Fatalf("%s does not have the text that the mutant changes", file)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, "guard.go")
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(source), guarded, mutant, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{abs: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-count=1", "-overlay", overlayFile, "-run", "^TestStorm$", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Errorf("a SETCRTC without a guard passes the storm:\n%s", out)
	} else if !strings.Contains(string(out), "outside a guard") && !strings.Contains(string(out), "fault address") {
		t.Errorf("the storm fails for another reason: %v\n%s", err, out)
	}
}

// TestUnplugUnderModetest unplugs a card on which modetest flips. modetest ends
// without a fatal signal, the client of the second card is not disturbed, and
// programs that start later find the second card.
func TestUnplugUnderModetest(t *testing.T) {
	s := newSession(t)
	card := s.plug(t, "card0")
	s.plug(t, "card1")
	other := s.start(t, storm, "/dev/dri/card1", "1")
	other.await(t, "working")
	flipping := s.start(t, "stdbuf", "-e", "L", "modetest", "-M", "vkms", "-s", connector+":1024x768", "-v")
	if err := card.WaitFrames(t.Context(), "", 3); err != nil {
		t.Fatal(err)
	}
	s.unplug(t, "card0")
	if status := flipping.end(t); status >= 128 {
		t.Errorf("modetest ended with status %d\n%s", status, &flipping.stderr)
	}
	if !strings.Contains(flipping.stderr.String(), "No such device") {
		t.Errorf("modetest was not told that the device is gone:\n%s", &flipping.stderr)
	}

	later := s.start(t, "modetest", "-M", "vkms", "-e")
	later.await(t, "52\t")
	if status := later.end(t); status != 0 {
		t.Errorf("a later modetest ended with status %d\n%s", status, &later.stderr)
	}
	other.stdin.Close()
	summary := other.await(t, "{")
	if status := other.end(t); status != 0 || !strings.Contains(summary, `"gone":0`) {
		t.Errorf("the client of the other card: status %d, %s\n%s", status, summary, &other.stderr)
	}
	s.end(t)
}

// await waits until done returns true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("30 s passed before %s", what)
		}
	}
}
