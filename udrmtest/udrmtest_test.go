package udrmtest_test

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/machine/picture"
	"github.com/udrm/udrm/udrmtest"
)

// modetest is a client that flips between two pictures, on the connector of the
// kernel's vkms, until it gets SIGINT.
var modetest = []string{"-M", "vkms", "-s", "Virtual-1:1024x768", "-v"}

func TestFrames(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{})
	p := m.Start("modetest", modetest...)
	card := m.Card("card0")
	card.WaitFrames(5)
	if n := card.Frames(); n < 5 {
		t.Errorf("%d frames after the fifth", n)
	}
	p.Signal(os.Interrupt)
	p.WantExit(130)
}

// TestStep steps the clock: each vblank shows one frame, and only in Step.
func TestStep(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{StepClock: true})
	m.Start("modetest", modetest...)
	card := m.Card("card0")
	m.Step(1) // the modeset
	var sizes []image.Point
	for i := range 3 {
		m.Step(1)
		if n := card.Frames(); n != i+2 {
			t.Errorf("%d frames after %d steps", n, i+2)
		}
		sizes = append(sizes, card.Screenshot().Rect.Size())
	}
	if want := fmt.Sprint([]image.Point{{1024, 768}, {1024, 768}, {1024, 768}}); fmt.Sprint(sizes) != want {
		t.Errorf("the pictures have the sizes %v, want %s", sizes, want)
	}
}

// TestReplug plugs a card in again while a program has the old one open: the
// label stays, the node is another one.
func TestReplug(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{Cards: 2})
	p := m.Start("sh", "-c", "exec 3<>/dev/dri/card0; echo open; read line; ls /dev/dri; read line")
	p.WaitOutput("open")
	card := m.Card("card0")
	if card.Path() != "/dev/dri/card0" || m.Card("card1").Path() != "/dev/dri/card1" {
		t.Errorf("the cards are %s and %s", card.Path(), m.Card("card1").Path())
	}
	card.Unplug()
	if node := card.Machine().Node(); node != "" {
		t.Errorf("the unplugged card is %s", node)
	}
	card.Plug()
	if card.Path() != "/dev/dri/card2" || card.Machine().Label() != "card0" || card.Machine().String() != "card0 (/dev/dri/card2)" {
		t.Errorf("the card is %s, called %s", card.Path(), card.Machine())
	}
	card.Unbind()
	card.Bind()
}

// TestMonitors pulls a monitor and plugs another one in.
func TestMonitors(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{Monitors: []string{"1920x1080,DP", "1280x720,HDMI-A"}})
	card := m.Card("card0")
	status := func() string {
		p := m.Start("sh", "-c", "cd /sys/class/drm; cat card0-DP-1/status card0-DP-1/modes card0-HDMI-A-1/modes")
		p.WantExit(0)
		return strings.Join(strings.Fields(p.Output()), " ")
	}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "connected 1920x1080 1280x720"},
		{func() { card.Disconnect("DP-1") }, "disconnected 1280x720"},
		{func() { card.Connect("DP-1", "Beamer:800x600") }, "connected 800x600 1280x720"},
		{func() { card.Connect("DP-1", "") }, "connected 1920x1080 1280x720"},
	} {
		step.do()
		if got := status(); got != step.want {
			t.Errorf("programs see %q, want %q", got, step.want)
		}
	}
}

// TestHub adds a connector, as a hub of DisplayPort MST does, and removes it.
func TestHub(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{Monitors: []string{"1920x1080,DP"}})
	card := m.Card("card0")
	name := card.AddConnector("DP", "800x600")
	p := m.Start("cat", "/sys/class/drm/card0-"+name+"/modes")
	p.WantExit(0)
	if got := p.Output(); got != "800x600\n" {
		t.Errorf("%s has the modes %q", name, got)
	}
	card.RemoveConnector(name)
	m.Start("test", "-e", "/sys/class/drm/card0-"+name).WantExit(1)
}

// TestWaitPicture waits for a picture of another size than that of the console.
func TestWaitPicture(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{})
	m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:800x600")
	screen := m.Card("card0").On("Virtual-1")
	shown := screen.WaitPicture(func(p *image.NRGBA) bool { return p.Bounds().Dx() == 800 })
	if !reflect.DeepEqual(shown, screen.Screenshot()) {
		t.Error("WaitPicture returned another picture than the one that is shown")
	}
}

// TestLeftoversEnd leaves a daemon behind: it ends with the test.
func TestLeftoversEnd(t *testing.T) {
	pid := ""
	t.Run("daemon", func(t *testing.T) {
		p := udrmtest.New(t, udrmtest.Options{}).Start("sh", "-c", "setsid sleep 1000 </dev/dri/card0 & echo $!")
		p.WantExit(0)
		p.WaitOutput("\n")
		pid = strings.TrimSpace(p.Output())
	})
	if _, err := os.Stat("/proc/" + pid); pid == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("process %q lives on: %v", pid, err)
	}
}

// A failure records how a test fails.
type failure struct {
	testing.TB
	said string
}

func (f *failure) Helper() {}

func (f *failure) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(f)
}

func (f *failure) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

// fails returns the message with which test fails.
func fails(t *testing.T, test func(t testing.TB)) (said string) {
	t.Helper()
	f := &failure{TB: t}
	defer func() {
		if p := recover(); p != nil && p != f {
			panic(p)
		}
		if said = f.said; said == "" {
			t.Error("the test does not fail")
		}
	}()
	test(f)
	return ""
}

// TestWantPicture compares pictures, with a difference or without.
func TestWantPicture(t *testing.T) {
	dir := t.TempDir()
	golden := filepath.Join(dir, "golden.png")
	said := fails(t, func(t testing.TB) {
		m := udrmtest.New(t, udrmtest.Options{Timeout: 5_000_000_000})
		m.Start("modetest", "-M", "vkms", "-s", "Virtual-1:1024x768")
		card := m.Card("card0")
		shown := card.Screenshot()
		shown.Pix[shown.PixOffset(7, 5)] ^= 3
		if err := picture.Write(golden, shown); err != nil {
			t.Fatal(err)
		}
		card.WantPictureLike(golden, udrmtest.Compare{Tolerance: 3})
		card.WantPicture(golden)
	})
	if want := "1 of 786432 pixels differ, the first at 7,5, by at most 3 of 255"; !strings.Contains(said, want) {
		t.Errorf("the test fails with %q, want %q", said, want)
	}
	for _, name := range []string{"golden.got.png", "golden.diff.png"} {
		if p, err := picture.Read(filepath.Join(dir, name)); err != nil || p.Rect.Size() != image.Pt(1024, 768) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailures checks the messages of failures.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		want string
		test func(m *udrmtest.Machine)
	}{
		{"there is no card7: only card0 is described", func(m *udrmtest.Machine) { m.Card("card7") }},
		{"card0 has no connector DP-1; it has Virtual-1", func(m *udrmtest.Machine) { m.Card("card0").On("DP-1") }},
		{"leave out the type of the connector", func(m *udrmtest.Machine) { m.Card("card0").Connect("Virtual-1", "800x600,DP") }},
		{"card0 is already plugged", func(m *udrmtest.Machine) { m.Card("card0").Plug() }},
		{"waiting for frame 1: card0 shows no picture (timed out after 100ms)", func(m *udrmtest.Machine) { m.Card("card0").WaitFrames(1) }},
		{"waiting for frame 1: card0 shows no picture, and the card is unplugged", func(m *udrmtest.Machine) {
			m.Card("card0").Unplug()
			m.Card("card0").WaitFrames(1)
		}},
		{"there is no golden picture testdata/none.png; run go test -update to write it", func(m *udrmtest.Machine) { m.Card("card0").WantPicture("testdata/none.png") }},
		{"false ended with status 1, want 0", func(m *udrmtest.Machine) { m.Start("false").WantExit(0) }},
		{"sleep has not ended: timed out after 100ms", func(m *udrmtest.Machine) { m.Start("sleep", "1000").WantExit(0) }},
		{`true ended and has not printed "hello"`, func(m *udrmtest.Machine) { m.Start("true").WaitOutput("hello") }},
		{"its mode is real; set it to step first", func(m *udrmtest.Machine) { m.Step(1) }},
		{"cannot start no-such-program", func(m *udrmtest.Machine) { m.Start("no-such-program") }},
	} {
		var opts udrmtest.Options
		if strings.Contains(tc.want, "timed out") {
			opts.Timeout = 100_000_000
		}
		said := fails(t, func(t testing.TB) { tc.test(udrmtest.New(t, opts)) })
		if !strings.HasPrefix(said, "udrmtest: ") || !strings.Contains(said, tc.want) {
			t.Errorf("the test fails with %q, want %q", said, tc.want)
		}
	}
}

// TestStartCmd starts a command with a file as its output and another directory.
func TestStartCmd(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cmd := exec.Command("pwd")
	cmd.Dir, cmd.Stdout = "/", &out
	p := udrmtest.New(t, udrmtest.Options{}).StartCmd(cmd)
	p.WantExit(0)
	if out.String() != "/\n" {
		t.Errorf("the program printed %q", &out)
	}
	p.Signal(unix.SIGTERM) // too late for any effect
}

// TestStartCmdFails starts a program that there is not, and looks for pipes that
// stay open. It does not run in parallel with other tests, which open some.
func TestStartCmdFails(t *testing.T) {
	f := &failure{TB: t}
	m := udrmtest.New(f, udrmtest.Options{})
	pipes := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if target, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(target, "pipe:") {
				n++
			}
		}
		return n
	}
	before := pipes()
	for range 5 {
		func() {
			defer func() {
				if p := recover(); p != f {
					t.Fatalf("starting no program panicked with %v, want a failure of the test", p)
				}
			}()
			m.Start("no-such-program")
		}()
	}
	if after := pipes(); after > before {
		t.Errorf("%d pipes are open, %d were before", after, before)
	}
}

// TestCrash checks that a crash fails its test, unless the test has waited for the
// end of the program.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		script string
		wait   bool
		want   string
	}{
		{"kill -SEGV $$", false, "udrmtest: sh crashed with SIGSEGV; if this is right, say so: WantExit(139)\n"},
		{"kill -SEGV $$", true, ""},
		{"exit 1", false, ""},
		{"kill -TERM $$", false, ""},
	} {
		r := &report{TB: t}
		p := udrmtest.New(r, udrmtest.Options{}).Start("sh", "-c", tc.script)
		<-p.Exited()
		if tc.wait {
			p.WantExit(139)
		}
		for _, f := range slices.Backward(r.cleanup) {
			f()
		}
		if r.said.String() != tc.want {
			t.Errorf("%s: the test fails with\n%swant\n%s", tc.script, &r.said, tc.want)
		}
	}
}
