package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/seccomp"
	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/internal/pollfd"
)

// A Finding is one thing that a host needs of the machine, and whether the
// machine has it.
type Finding struct {
	Name   string
	OK     bool
	Seen   string // what was found
	Advice string // what to do, when it is not OK
}

// Doctor tries whether this machine can run a [Host], with a real device and
// a real program. client is that program: its main calls [DoctorClient]. It
// returns the findings up to the first that makes the others pointless.
func Doctor(client *exec.Cmd) []Finding {
	findings := []Finding{checkArch(), checkKernel()}
	if !findings[1].OK || !findings[0].OK {
		return findings
	}
	listener := checkListener()
	findings = append(findings, listener)
	if !listener.OK {
		return findings
	}
	return append(append(findings, checkDMABuf()), checkProgram(client)...)
}

func checkDMABuf() Finding {
	f := Finding{
		Name: "dma-bufs", OK: true, Seen: "pseudoterminals can be made",
		Advice: "mount devpts, with /dev/ptmx, and let kernel.pty.max be more than the terminals in use: without, cards work but for exporting buffers",
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

func checkArch() Finding {
	return Finding{
		Name: "architecture", OK: runtime.GOARCH == "amd64", Seen: runtime.GOARCH,
		Advice: "use a machine with x86-64: mapping buffers needs code for each architecture",
	}
}

// WAIT_KILLABLE_RECV came with it.
const minMajor, minMinor = 5, 19

func checkKernel() Finding {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return Finding{Name: "kernel", Seen: err.Error(), Advice: "this should not happen"}
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

// checkListener installs the filter, on a thread that ends right afterwards.
func checkListener() Finding {
	result := make(chan error)
	thread.Go(func() {
		l, err := seccomp.Install(filter)
		if err == nil {
			// Nothing that this thread still does is handed over.
			err = l.Close()
		}
		result <- err
	})
	f := Finding{Name: "seccomp notifications", Seen: "this process may hand system calls over"}
	switch err := <-result; {
	case err == nil:
		f.OK = true
	case errors.Is(err, unix.EBUSY):
		f.Seen = err.Error()
		f.Advice = "start udrm outside of that supervisor: of another udrm run, or of a container runtime that uses seccomp notifications (in its profile: SCMP_ACT_NOTIFY)"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS):
		f.Seen = err.Error()
		f.Advice = "a sandbox forbids seccomp(2): allow it, in a container with --security-opt seccomp=unconfined or with a profile of your own"
	default:
		f.Seen = err.Error()
		f.Advice = "use a kernel with CONFIG_SECCOMP_FILTER"
	}
	return f
}

// checkProgram runs the client on a device.
func checkProgram(client *exec.Cmd) []Finding {
	start := Finding{
		Name: "program", Seen: "a program was started on a virtual card",
		Advice: "see what was seen",
	}
	class := drm.NewClass(drm.ClassOptions{})
	d, err := newDoctorDevice(class)
	if err != nil {
		start.Seen = err.Error()
		return []Finding{start}
	}
	defer d.close()
	h, err := New(class, Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		start.Seen = err.Error()
		start.Advice = "see that /dev/shm or the directory for temporary files can be written to"
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
		start.Seen = fmt.Sprintf("its exit status was %d, %v", status, err)
	}
	return append([]Finding{start}, h.findings(out.String())...)
}

// findings says what the steps of the client mean.
func (h *Host) findings(out string) []Finding {
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
	memory := finding("memory of programs", "ioctl", "a program's memory can be read and written (process_vm_readv)",
		"allow process_vm_readv and process_vm_writev: a sandbox around udrm forbids them; in a container use --cap-add SYS_PTRACE or --security-opt seccomp=unconfined"+yama(),
		h.denied(denialMemory))
	if !memory.OK {
		return []Finding{memory}
	}
	return []Finding{
		memory,
		finding("opening", "open", "a program opens /dev/dri/card0", "this should work when the above does: report it", nil),
		finding("events", "read", "a program reads an event", "this should work when the above does: report it", nil),
		finding("mapping", "mmap", "a program maps a buffer (ptrace)",
			"allow ptrace: a sandbox around udrm forbids it; in a container use --cap-add SYS_PTRACE"+yama(),
			h.denied(denialTrace)),
	}
}

// yama says what the Yama security module has to do with it, if it has.
func yama() string {
	scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	switch level := strings.TrimSpace(string(scope)); {
	case err != nil || level == "0" || level == "1": // 1: descendants may be traced, and all programs of ours are
		return ""
	case level == "2":
		return "; kernel.yama.ptrace_scope is 2: run udrm with CAP_SYS_PTRACE, or set it to 1"
	default:
		return "; kernel.yama.ptrace_scope is " + level + ", which forbids all tracing until the next boot: boot with 1"
	}
}

// doctorPart is the device that the doctor's client uses: one buffer, and a
// request that sends an event.
type doctorPart struct{ memfd int }

type doctorDevice struct {
	part   doctorPart
	device *bus.Device
}

const (
	doctorEvent  = 0x40 // the number of the request
	doctorBuffer = 4096
)

func newDoctorDevice(class *drm.Class) (*doctorDevice, error) {
	memfd, err := unix.MemfdCreate("udrm doctor", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	d := &doctorDevice{part: doctorPart{memfd}}
	if err = unix.Ftruncate(memfd, doctorBuffer); err == nil {
		d.device, err = bus.New("platform").Add("doctor")
	}
	if err == nil {
		err = d.device.Bind(doctorDriver(class, &d.part))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a card: %w", err), unix.Close(memfd))
	}
	return d, nil
}

func (d *doctorDevice) close() {
	_ = d.device.Remove(context.Background())
	_ = unix.Close(d.part.memfd)
}

func doctorDriver(class *drm.Class, part *doctorPart) *bus.Driver {
	return &bus.Driver{Name: "doctor", Probe: func(parent *bus.BoundDevice) error {
		u, err := drm.NewDevice(class, &drm.Driver{Info: drm.DriverInfo{Name: "doctor"}}, parent, nil)
		if err == nil {
			err = u.Attach(part)
		}
		if err == nil {
			_, err = u.Register(nil)
		}
		return err
	}}
}

func (p *doctorPart) Ioctls() []drm.Ioctl {
	return []drm.Ioctl{drm.NewIoctl(uapi.IOWR(doctorEvent, 8), 0,
		func(_ *drm.RegisteredDevice, req *drm.Request, arg *uint64) error {
			e, err := req.File.ReserveEvent(32)
			if err != nil {
				return err
			}
			e.Send(make([]byte, 32))
			*arg++
			return nil
		})}
}

func (p *doctorPart) Mmap(_ *drm.RegisteredDevice, _ *drm.File, offset, _ uint64) (drm.Mapping, bool, error) {
	return drm.Mapping{FD: p.memfd, Release: func() {}}, offset == drm.FakeOffsetMin, nil
}

// DoctorClient is the program that [Doctor] starts: it opens the card, sends
// a request, reads an event, maps a buffer and writes to it, and says on out
// how each of them went. It returns the exit status.
func DoctorClient(out io.Writer) int {
	say := func(step string, err error) {
		result := "ok"
		if err != nil {
			result = err.Error()
		}
		fmt.Fprintln(out, step, result)
	}
	fd, err := unix.Open("/dev/dri/card0", unix.O_RDWR|unix.O_CLOEXEC, 0)
	say("open", err)
	if err != nil {
		say("ioctl", err)
		return 0
	}
	n, err := unix.IoctlGetInt(fd, uint(uapi.IOWR(doctorEvent, 8)))
	if err == nil && n != 1 {
		err = fmt.Errorf("the answer is %d", n)
	}
	say("ioctl", err)
	var event [64]byte
	size, err := unix.Read(fd, event[:])
	if err == nil && size != 32 {
		err = fmt.Errorf("an event of %d bytes", size)
	}
	say("read", err)
	buffer, err := unix.Mmap(fd, drm.FakeOffsetMin, doctorBuffer, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		buffer[0] = 1
	}
	say("mmap", err)
	return 0
}
