package main

import (
	"bufio"
	"encoding/json"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/config"
)

// A session is a host in this process with one card, whose hardware tells of
// every access without a guard or a bound parent.
type session struct {
	*cards
	host *host.Host

	mu     sync.Mutex
	misuse []error
}

// From its first supervised child on, a process looks after adopted ones: the
// goroutines for that stay.
var firstChild sync.Once

func newSession(t *testing.T) *session {
	t.Helper()
	s := &session{}
	var err error
	firstChild.Do(func() {
		h, err := host.New(drm.NewClass(drm.ClassOptions{}), host.Options{AdoptOrphans: true})
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Start(exec.Command("true"))
		if err != nil {
			t.Fatal(err)
		}
		if status, err := p.Wait(); status != 0 || err != nil {
			t.Fatal(status, err)
		}
		<-p.Done()
		h.Close()
	})
	drmtest.NoLeaks(t)
	card := config.DefaultCard()
	if s.cards, err = newCards(nil, &card); err != nil {
		t.Fatal(err)
	}
	card.VKMS.Misuse = func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.misuse = append(s.misuse, err)
	}
	if s.host, err = host.New(s.class, host.Options{AdoptOrphans: true}); err != nil {
		t.Fatal(err)
	}
	return s
}

// end ends the session, and looks for what it should not leave behind. The
// programs must have ended.
func (s *session) end(t *testing.T) {
	t.Helper()
	if err := s.removeAll(); err != nil {
		t.Error(err)
	}
	if err := s.host.Close(); err != nil {
		t.Error(err)
	}
	for name, d := range s.drivers {
		if d.Device().State() != drm.Gone || d.Device().Guards() != 0 || d.Buffers().Objects() != 0 {
			t.Errorf("%s is %v, with %d guards and %d buffers", name, d.Device().State(), d.Device().Guards(), d.Buffers().Objects())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.misuse) > 0 {
		t.Errorf("the hardware was touched %d times outside a guard with a bound parent; first: %v", len(s.misuse), s.misuse[0])
	}
}

// A client is a program under the host of a session.
type client struct {
	process *host.Process
	stdin   interface{ Close() error }
	lines   *bufio.Scanner
	stderr  strings.Builder
}

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
	if c.process, err = s.host.Start(cmd); err != nil {
		t.Fatal(err)
	}
	c.stdin, c.lines = stdin, bufio.NewScanner(stdout)
	return c
}

// await reads lines to the one that begins with prefix.
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

// end ends the client's input, and waits for it and all it has started.
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

// Cards come and go a hundred times under clients at work: no access to
// hardware outside a guard, no call that fails in another way than ENODEV, no
// SIGBUS, nothing left behind.
func TestStorm(t *testing.T) {
	s := newSession(t)
	c := s.start(t, storm, "/dev/dri/card0", "3")
	for range stormCycles {
		if err := s.plug("card0"); err != nil {
			t.Fatal(err)
		}
		for range stormThreads {
			c.await(t, "working")
		}
		if err := s.unplug("card0"); err != nil {
			t.Fatal(err)
		}
		// As long as the clients hold the old card, a new one would be card1.
		await(t, "the clients close the card", func() bool { return s.device("card0").State() == drm.Gone })
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

// The storm must catch a request that runs without a guard.
func TestStormCatchesMutant(t *testing.T) {
	const file = "../../drm/guard.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const guarded = `	defer guard.Exit()
	defer d.recoverTo(&err, what, client)
	return f(guard.Device())
`
	const mutant = `	dev := guard.Device()
	if what == "MODE_SETCRTC" {
		guard.Exit()
	} else {
		defer guard.Exit()
	}
	defer d.recoverTo(&err, what, client)
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

// modetest flips on the first card when it is unplugged: modetest goes on to
// its end without a fatal signal, the second card is not disturbed, and
// programs that start later find the second card.
func TestUnplugUnderModetest(t *testing.T) {
	s := newSession(t)
	for _, card := range []string{"card0", "card1"} {
		if err := s.plug(card); err != nil {
			t.Fatal(err)
		}
	}
	other := s.start(t, storm, "/dev/dri/card1", "1")
	other.await(t, "working")
	flipping := s.start(t, "stdbuf", "-e", "L", "modetest", "-M", "vkms", "-s", connector+":1024x768", "-v")
	waitForFlips(t, s.driver("card0"))

	if err := s.unplug("card0"); err != nil {
		t.Fatal(err)
	}
	if status := flipping.end(t); status >= 128 {
		t.Errorf("modetest ended with status %d\n%s", status, &flipping.stderr)
	}
	if !strings.Contains(flipping.stderr.String(), "No such device") {
		t.Errorf("modetest was not told that the device is gone:\n%s", &flipping.stderr)
	}

	later := s.start(t, "modetest", "-M", "vkms", "-e")
	later.await(t, "40\t")
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

// waitForFlips waits until the display has shown two pictures.
func waitForFlips(t *testing.T, d *vkms.Driver) {
	t.Helper()
	seen := make(map[color.NRGBA]bool)
	await(t, "modetest flips", func() bool {
		if picture, err := d.Screenshot(); err == nil {
			seen[picture.NRGBAAt(0, 0)] = true
		}
		return len(seen) == 2
	})
}

// await waits until done.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("30 s passed before %s", what)
		}
	}
}
