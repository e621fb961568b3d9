package conformance

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
)

// optionRuns are runs on a vgem device whose dma-bufs cannot seek, so that
// prime/share fails. want is a part of the output.
var optionRuns = map[string]struct {
	opts []Option
	fail bool
	want string
}{
	"one case":       {[]Option{Only("dumb/map")}, false, "--- PASS: TestOptionsChild/dumb/map "},
	"a group":        {[]Option{Only("prime")}, true, "--- FAIL: TestOptionsChild/prime/share"},
	"an unknown one": {[]Option{Only("dumb/m")}, true, `Only: no case "dumb/m"`},

	"a difference":          {[]Option{Only("prime/share"), Differs("prime/share", "no lseek")}, false, "differs: no lseek\n"},
	"no difference":         {[]Option{Only("dumb"), Differs("dumb/map", "no mmap")}, true, "passes, but is declared to differ: no mmap"},
	"an unknown difference": {[]Option{Differs("dumb", "no mmap")}, true, `Differs: no case "dumb"`},
}

// noSeek is a System without lseek(2).
type noSeek struct{ System }

func (noSeek) Seek(int, int64, int) (int64, error) { return 0, unix.ESPIPE }

// TestOptions checks the options of Run in a child for each run, because most
// runs have to fail.
func TestOptions(t *testing.T) {
	for name, run := range optionRuns {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestOptionsChild$", "-test.v")
			cmd.Env = append(os.Environ(), optionsEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != run.fail || !strings.Contains(string(out), run.want) {
				t.Errorf("failed: %v, want %v and %q in the output:\n%s", failed, run.fail, run.want, out)
			}
		})
	}
}

const optionsEnv = "CONFORMANCE_OPTIONS"

// TestOptionsChild is the child of TestOptions.
func TestOptionsChild(t *testing.T) {
	run, ok := optionRuns[os.Getenv(optionsEnv)]
	if !ok {
		return
	}
	class := drm.NewClass(drm.ClassOptions{})
	driver := vgem.NewDriver(class)
	dev := drmtest.Bind(t, bus.New("platform"), "vgem", driver.BusDriver())
	target := InProcess(class, dev, driver.BusDriver())
	target.System = noSeek{target.System}
	Run(t, target, run.opts...)
}

// TestExpectFailures checks that a declared difference collects the failures of
// a case, also those that end it, and still cleans up.
func TestExpectFailures(t *testing.T) {
	cleaned := false
	failures := newTester(t, Target{}, make(Coverage)).expectFailures(func(t *tester) {
		t.Cleanup(func() { cleaned = true })
		t.Errorf("first")
		t.Fatal("second")
		t.Errorf("third")
	})
	if got := strings.Join(failures, ", "); got != "first, second" || !cleaned {
		t.Errorf("failures %q, cleaned up: %v; want first, second, and true", got, cleaned)
	}
}
