package host_test

import (
	_ "embed"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// kernelAnswers is what Linux 6.18 said to root in "answers /dev/net/tun
// /sys/class/mem/null/dev /sys/class/mem/null FILE" of testprogs/host: a real node, a
// real file of sysfs and the directory of a real class. The other files have the
// lines that differ from it with --files=calls and --files=mounts.
//
//go:embed testdata/answers.txt
var kernelAnswers string

//go:embed testdata/answers-calls.txt
var callsAnswers string

//go:embed testdata/answers-mounts.txt
var mountsAnswers string

// othersAnswers are the answers that another user than root got, where they differ.
//
//go:embed testdata/answers-others.txt
var othersAnswers string

// TestAnswers makes the calls of the file interface on virtual files, and compares
// the answers with those of a kernel's files.
func TestAnswers(t *testing.T) {
	t.Run("calls", func(t *testing.T) { testAnswers(t, nil, callsAnswers) })
	t.Run("mounts", func(t *testing.T) {
		if err := host.CheckMounts(); err != nil {
			if os.Getenv("UDRM_FILES") == "mounts" {
				t.Fatal(err)
			}
			return // TestResolve checks what a host says then
		}
		testAnswers(t, fusefs.Serve, mountsAnswers)
	})
}

func testAnswers(t *testing.T, server host.FileServer, differences string) {
	got := answers(t, server, nil)
	want := parseAnswers(kernelAnswers)
	for call, answer := range parseAnswers(differences) {
		if want[call] == answer {
			t.Errorf("%s: %s is no difference any more", call, answer)
		}
		want[call] = answer
	}
	for _, call := range slices.Sorted(maps.Keys(want)) {
		if got[call] != want[call] {
			t.Errorf("%s: %s, want %s", call, got[call], want[call])
		}
	}
}

// answers returns the answers of a host to a user.
func answers(t *testing.T, server host.FileServer, attr *syscall.SysProcAttr) map[string]string {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	drmtest.Bind(t, bus.New("platform"), "vkms", vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612)).BusDriver())
	h, err := host.New(class, host.Options{Logger: logger, FileServer: server})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	dir, err := os.MkdirTemp("", "udrm-answers") // that of the test is closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return parseAnswers(run(t, h, asUser(exec.Command(client, "answers",
		"/dev/dri/card0", "/sys/class/drm/card0/dev", "/sys/class/drm/card0", filepath.Join(dir, "file")), attr)))
}

// TestAnswersToOthers makes the calls as another user than that of the host.
func TestAnswersToOthers(t *testing.T) {
	for _, user := range users {
		if user.attr == nil {
			continue
		}
		got := answers(t, nil, user.attr)
		want, known := parseAnswers(othersAnswers), parseAnswers(callsAnswers)
		for _, call := range slices.Sorted(maps.Keys(want)) {
			if _, differs := known[call]; !differs && got[call] != want[call] {
				t.Errorf("%s: %s, want %s", call, got[call], want[call])
			}
		}
	}
}

// parseAnswers returns the answers by call.
func parseAnswers(text string) map[string]string {
	answers := make(map[string]string)
	for line := range strings.Lines(text) {
		i := strings.LastIndex(line, ": ")
		answers[line[:i]] = strings.TrimSpace(line[i+2:])
	}
	return answers
}
