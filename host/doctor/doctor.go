// Package doctor finds out whether this machine can run a host, with a real
// device and a real program, and says what to do if it cannot.
package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/internal/pollfd"
)

// A Finding is one thing that a host needs from the machine.
type Finding struct {
	Name   string
	OK     bool
	Seen   string // what was found
	Advice string // what to do if it is not OK
}

// Examine tries what a host needs and returns the findings, up to the first
// failure that makes further ones pointless. client is a program whose main
// calls [Client].
func Examine(client *exec.Cmd) []Finding {
	arch, kernel := checkArch(), checkKernel()
	findings := []Finding{arch, kernel}
	if !arch.OK || !kernel.OK {
		return findings
	}
	listener := checkListener()
	findings = append(findings, listener)
	if !listener.OK {
		return findings
	}
	return append(append(findings, checkDMABuf(), checkMounts()), checkProgram(client)...)
}

func checkArch() Finding {
	return Finding{
		Name: "architecture", OK: slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH), Seen: runtime.GOARCH,
		Advice: "use a machine with x86-64 or arm64: mapping buffers needs code for each architecture",
	}
}

// The first Linux with SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV.
const minMajor, minMinor = 5, 19

func checkKernel() Finding {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return Finding{Name: "kernel", Seen: err.Error(), Advice: "report this: uname(2) cannot fail"}
	}
	release := unix.ByteSliceToString(uts.Release[:])
	major, minor := parseRelease(release)
	return Finding{
		Name: "kernel", OK: major > minMajor || major == minMajor && minor >= minMinor, Seen: "Linux " + release,
		Advice: fmt.Sprintf("use Linux %d.%d or newer: older ones lose or repeat system calls when signals arrive (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)", minMajor, minMinor),
	}
}

func parseRelease(release string) (major, minor int) {
	first, rest, _ := strings.Cut(release, ".")
	second := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		second = rest[:i]
	}
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}

func checkListener() Finding {
	f := Finding{Name: "seccomp notifications", Seen: "this process can receive system calls of programs"}
	switch err := host.CheckListener(); {
	case err == nil:
		f.OK = true
	case errors.Is(err, unix.EBUSY):
		f.Seen = err.Error()
		f.Advice = "start udrm outside of that supervisor: another udrm run, or a container runtime whose profile has SCMP_ACT_NOTIFY"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS):
		f.Seen = err.Error()
		f.Advice = "a sandbox forbids seccomp(2): allow it; in a container, use --security-opt seccomp=unconfined or a profile that allows it"
	default:
		f.Seen = err.Error()
		f.Advice = "use a kernel with CONFIG_SECCOMP_FILTER"
	}
	return f
}

func checkDMABuf() Finding {
	f := Finding{
		Name: "dma-bufs", OK: true, Seen: "pseudoterminals can be made",
		Advice: "mount devpts, provide /dev/ptmx, and raise kernel.pty.max above the number of terminals in use; otherwise cards work but cannot export buffers",
	}
	t, err := pollfd.NewTerminal()
	if err != nil {
		f.OK, f.Seen = false, err.Error()
		return f
	}
	t.Release()
	t.Close()
	return f
}

// checkMounts finds out whether the files of cards can be mounted. A host does
// without.
func checkMounts() Finding {
	f := Finding{Name: "files", OK: true, Seen: "calls on paths are answered; the files of cards can be mounted, too (--files=mounts)"}
	if err := host.CheckMounts(); err != nil {
		f.Seen = "calls on paths are answered; the files of cards cannot be mounted: " + err.Error()
	}
	return f
}

// checkProgram runs the client on a device.
func checkProgram(client *exec.Cmd) []Finding {
	start := Finding{
		Name: "program", Seen: "a program was started on a virtual card",
		Advice: "fix the error above",
	}
	class := drm.NewClass(drm.ClassOptions{})
	d, err := newDevice(class)
	if err != nil {
		start.Seen = err.Error()
		return []Finding{start}
	}
	defer d.close()
	h, err := host.New(class, host.Options{})
	if err != nil {
		start.Seen = err.Error()
		start.Advice = "make /dev/shm or the directory for temporary files writable"
		return []Finding{start}
	}
	defer h.Close()
	var out bytes.Buffer
	client.Stdout = &out
	p, err := h.Start(client)
	if err != nil {
		start.Seen = err.Error()
		return []Finding{start}
	}
	status, err := p.Wait()
	<-p.Done()
	start.OK = err == nil && status == 0
	if !start.OK {
		start.Seen = fmt.Sprintf("exit status %d, error %v", status, err)
	}
	return append([]Finding{start}, stepFindings(h, out.String())...)
}

// stepFindings explains the steps that the client reported.
func stepFindings(h *host.Host, out string) []Finding {
	steps := make(map[string]string)
	for line := range strings.Lines(out) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), " ")
		steps[name] = result
	}
	finding := func(name, step, seen, advice string, denial error) Finding {
		f := Finding{Name: name, OK: steps[step] == "ok", Seen: seen, Advice: advice}
		if !f.OK {
			f.Seen = step + ": " + steps[step]
		}
		if denial != nil {
			f.OK, f.Seen = false, denial.Error()
		}
		return f
	}
	memory := finding("memory of programs", "ioctl", "the memory of a program can be read and written (process_vm_readv)",
		"allow process_vm_readv and process_vm_writev: a sandbox around udrm forbids them; in a container, use --cap-add SYS_PTRACE or --security-opt seccomp=unconfined"+yama(),
		h.Denied(host.DenialMemory))
	if !memory.OK {
		return []Finding{memory}
	}
	const bug = "report this: it should work when the steps above do"
	return []Finding{
		memory,
		finding("opening", "open", "a program opens /dev/dri/card0", bug, nil),
		finding("events", "read", "a program reads an event", bug, nil),
		finding("mapping", "mmap", "a program maps a buffer (ptrace)",
			"allow ptrace: a sandbox around udrm forbids it; in a container, use --cap-add SYS_PTRACE"+yama(),
			h.Denied(host.DenialTrace)),
	}
}

// yama returns advice about the Yama security module if it may be the cause.
func yama() string {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	switch level := strings.TrimSpace(string(scope)); {
	case err != nil || level == "0" || level == "1": // 1 allows to trace descendants
		return ""
	case level == "2":
		return "; kernel.yama.ptrace_scope is 2: run udrm with CAP_SYS_PTRACE, or set it to 1"
	default:
		return "; kernel.yama.ptrace_scope is " + level + ", which forbids all tracing until the next boot: boot with 1"
	}
}
