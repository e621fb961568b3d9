package conformance

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vgem"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host"
)

var (
	card    = flag.String("card", "", "run the cases against the card with this `node`, and no other test")
	unplug  = flag.Bool("unplug", false, "with -card: allow cases to unbind the driver of the card, and to bind it again")
	other   = flag.String("other", "", "with -card: the `node` of another card, to share buffers with")
	partial = flag.Bool("partial", false, "with -card: accept a card that does not meet the needs of some cases")

	differs []Option
)

func init() {
	flag.Func("differs", "with -card: expect a case to fail, as `NAME=REASON`; may be repeated", func(s string) error {
		name, reason, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("want NAME=REASON")
		}
		differs = append(differs, Differs(name, reason))
		return nil
	})
}

// TestMain runs TestCard only with -card, and all other tests only without.
func TestMain(m *testing.M) {
	flag.Parse()
	if *askHub != "" {
		if err := askTheHub(*askHub, flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	choice := "test.skip"
	if *card != "" {
		choice = "test.run"
		if run := flag.Lookup(choice).Value.String(); strings.HasPrefix(strings.TrimPrefix(run, "^"), "TestCard") {
			os.Exit(m.Run())
		}
	}
	if err := flag.Set(choice, "^TestCard$"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(runTests(m))
}

// programDir is readable for all users.
var programDir string

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "udrm-conformance-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programDir = dir
	return m.Run()
}

// TestCard runs the cases against a card by real system calls, which a kernel
// serves or, in the child of TestHost, a host.
func TestCard(t *testing.T) {
	target, err := Card(*card, *unplug)
	if err != nil {
		t.Fatal(err)
	}
	target.Partial, target.Other = *partial, *other
	target.useCommands(*card)
	Run(t, target, differs...)
}

// full returns a display with everything that cases need.
func full() vkms.Config {
	config := vkms.DefaultConfig()
	config.Overlay, config.Syncobj, config.Render = true, true, true
	config.Formats = []uint32{uapi.FormatNV12}
	config.Topology = vkms.NewTopology(2, []vkms.Connector{
		{Type: uapi.ModeConnectorHDMIA}, {Type: uapi.ModeConnectorDisplayPort},
		{Type: uapi.ModeConnectorHDMIA, Status: uapi.ModeDisconnected},
	}, &config)
	return config
}

func TestInProcess(t *testing.T) {
	drmtest.NoLeaks(t)
	class := drm.NewClass(drm.ClassOptions{})
	driver := vkms.NewDriver(class, full())
	dev := drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
	buffers, served := driver.Buffers().Objects(), driver.Device().Ioctls()
	target := InProcess(class, dev, driver.BusDriver())
	target.Other = plugOther(t, class)
	h := &hub{display: driver}
	target.AddConnector, target.RemoveConnector = h.add, h.remove
	before, _, err := target.Nodes()
	if err != nil {
		t.Fatal(err)
	}
	covered := Run(t, target)
	if after, _, err := target.Nodes(); after != before || err != nil {
		t.Errorf("after the cases the node is %q (%v), want %s", after, err, before)
	}
	noBuffersLeft(t, driver, buffers)
	if !strings.Contains(flag.Lookup("test.run").Value.String(), "/") { // else only some cases ran
		checkCoverage(t, covered, served)
	}
}

// plugOther plugs in another device and returns the path of its node.
func plugOther(t *testing.T, class *drm.Class) string {
	t.Helper()
	driver := vgem.NewDriver(class)
	drmtest.Bind(t, bus.New("platform"), "vgem", driver.BusDriver())
	return nodeDir + driver.Device().Name()
}

// neverSucceed are requests that this device always refuses, with the reason.
var neverSucceed = map[uint32]string{
	uapi.IoctlSetUnique:   "legacy request from before kernel modesetting",
	uapi.IoctlModeDirtyFB: "the display scans out buffers directly",
}

// checkCoverage checks that the cases sent every request that the device
// serves. Each must have succeeded, and must have been refused for a bad
// pointer, for a client without permission, and on an unplugged device. A new
// request of udrm therefore needs a case.
func checkCoverage(t *testing.T, covered Coverage, served []uint32) {
	rules := make(map[uint32]rule)
	for _, r := range requests {
		rules[r.cmd] = r.rules
		if !slices.Contains(served, r.cmd) {
			t.Errorf("%s is in requests.go, but the device does not serve it", uapi.IoctlName(r.cmd))
		}
	}
	for _, cmd := range served {
		rule, known := rules[cmd]
		if !known {
			t.Errorf("%s is served, but missing in requests.go", uapi.IoctlName(cmd))
			continue
		}
		want := []unix.Errno{unix.ENODEV}
		if neverSucceed[cmd] == "" {
			want = append(want, 0)
		}
		if uapi.IOCDir(cmd) != uapi.IOCNone {
			want = append(want, unix.EFAULT)
		}
		if rule != forRender {
			want = append(want, unix.EACCES)
		}
		checkAnswers(t, covered, cmd, want...)
	}
	for _, cmd := range []uint32{
		uapi.DMABufIoctlSync, uapi.DMABufIoctlExportSyncFile, uapi.DMABufIoctlImportSyncFile, uapi.SyncIOCMerge, uapi.SyncIOCFileInfo,
	} {
		checkAnswers(t, covered, cmd, 0, unix.EFAULT, unix.EINVAL)
	}
}

func checkAnswers(t *testing.T, covered Coverage, cmd uint32, want ...unix.Errno) {
	t.Helper()
	for _, errno := range want {
		if covered[cmd][errno] == 0 {
			t.Errorf("no case makes %s return %s, only %s", uapi.IoctlName(cmd), names([]unix.Errno{errno}), names(covered.Errnos(cmd)))
		}
	}
}

// noBuffersLeft checks that the clients left no buffer behind. before are the
// buffers that there were without clients: that of the console.
func noBuffersLeft(t *testing.T, driver *vkms.Driver, before int) {
	t.Helper()
	if n := driver.Buffers().Objects(); n != before {
		t.Errorf("%d buffers are left", n-before)
	}
}

// child runs this program again, under a host with a display of the given
// configuration, with -card and args, as user. It returns the exit status and
// the output.
func child(t *testing.T, config vkms.Config, opts host.Options, user *syscall.SysProcAttr, args ...string) (status int, out string) {
	t.Helper()
	class := drm.NewClass(drm.ClassOptions{})
	driver := vkms.NewDriver(class, config)
	drmtest.Bind(t, bus.New("platform"), "vkms", driver.BusDriver())
	buffers, other := driver.Buffers().Objects(), plugOther(t, class)
	opts.EveryUser = true // the cases use debugfs
	h, err := host.New(class, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		noBuffersLeft(t, driver, buffers)
	}()
	args = append((&hub{display: driver}).serve(t), args...)
	cmd := exec.Command(program(t), append([]string{"-card", "/dev/dri/card0", "-unplug", "-other", other, "-test.v", "-test.timeout=120s"}, args...)...)
	cmd.SysProcAttr = user
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	status, err = p.Wait()
	<-p.Done()
	if err != nil {
		t.Error(err)
	}
	if name := driver.Device().Name(); name != "card0" {
		t.Errorf("the device that was plugged in last is %s, want card0", name)
	}
	return status, text.String()
}

// program returns a copy of this program that all users can run.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(programDir, "conformance.test")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var passed = regexp.MustCompile(`(?m)^ *--- PASS: TestCard/(\S+) `)

// TestHost runs all cases by the system calls of a program, as root and as the
// user nobody, who lacks CAP_SYS_ADMIN.
func TestHost(t *testing.T) {
	for _, tc := range []struct {
		name  string
		user  *syscall.SysProcAttr
		args  []string
		lacks Needs
	}{
		{"root", nil, nil, 0},
		{"nobody", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}, []string{"-partial"}, NeedAdmin},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, out := child(t, full(), host.Options{}, tc.user, tc.args...)
			if status != 0 {
				t.Errorf("exit status %d", status)
			}
			ran := make(map[string]bool)
			for _, m := range passed.FindAllStringSubmatch(out, -1) {
				ran[m[1]] = true
			}
			for _, c := range Cases() {
				if c.Property() != "" {
					continue // see TestStandardProperties
				}
				if applies := c.Needs&tc.lacks == 0; ran[c.Name] != applies {
					t.Errorf("%s passed: %v, want %v", c.Name, ran[c.Name], applies)
				}
				if c.Needs&tc.lacks != 0 && !strings.Contains(out, "\t"+c.Name+"\n") {
					t.Errorf("%s did not run, but the summary does not list it", c.Name)
				}
			}
			if t.Failed() {
				t.Logf("output of the program:\n%s", out)
			}
		})
	}
}

// TestHangUp runs the unplug cases under a host that delivers hang-ups.
func TestHangUp(t *testing.T) {
	status, out := child(t, full(), host.Options{HangUp: true}, nil, "-test.run=^TestCard$/^unplug$")
	if n := len(passed.FindAllString(out, -1)); status != 0 || n != len(unplugCases) {
		t.Errorf("exit status %d, %d of %d cases passed:\n%s", status, n, len(unplugCases), out)
	}
}

// TestNothingIsLeftOutSilently checks that a case with an unmet need fails and
// names it, unless the caller passes -partial.
func TestNothingIsLeftOutSilently(t *testing.T) {
	part := "-test.run=^TestCard$/^(version|syncobj)$"
	status, out := child(t, vkms.DefaultConfig(), host.Options{}, nil, part)
	if want := "the device lacks sync objects (capability 0x13 is 0x0)"; status != 1 || !strings.Contains(out, want) {
		t.Errorf("exit status %d, want 1 and %q:\n%s", status, want, out)
	}
	status, out = child(t, vkms.DefaultConfig(), host.Options{}, nil, part, "-partial")
	want := "the device lacks sync objects (capability 0x13 is 0x0):\n\tsyncobj/create-and-destroy\n"
	if plain := strings.ReplaceAll(out, "        ", ""); status != 0 || !strings.Contains(plain, want) {
		t.Errorf("with -partial: exit status %d, want 0 and %q:\n%s", status, want, out)
	}
}
