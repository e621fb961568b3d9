//go:build srcu_membarrier && linux

package srcu

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newStriped returns a domain as it is where membarrier(2) is refused.
func newStriped() *Domain {
	defer func(was bool) { membarriers = was }(membarriers)
	membarriers = false
	return NewDomain()
}

// variants has the pair of the default build, without what the tag adds to it.
func variants(pairs int) map[string]func() {
	d := newStriped()
	return map[string]func(){"striped": func() {
		for range pairs {
			s, ok := enterStriped(d)
			if !ok {
				panic("closed")
			}
			s.word.Exit()
		}
	}}
}

//go:noinline
func enterStriped(d *Domain) (Section, bool) {
	s := d.state.Load()
	if s > stateIndex {
		return Section{}, false
	}
	w := d.word(uintptr(s))
	if w.enter() {
		return Section{w}, true
	}
	return Section{}, false
}

// refused is set in a process that a filter forbids membarrier(2).
const refused = "SRCU_TEST_MEMBARRIER_REFUSED"

// refuseMembarrier installs a seccomp filter on all threads of this process.
func refuseMembarrier(t *testing.T, errno unix.Errno) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_MEMBARRIER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal("no_new_privs:", err)
	}
	if _, _, err := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); err != 0 {
		t.Fatal("seccomp:", err)
	}
}

// Between procPin and procUnpin there is one store, an increment of 8 bytes,
// and the load of what may have changed comes after.
func TestPerPPlainIncrement(t *testing.T) {
	program := filepath.Join(t.TempDir(), "srcu.test")
	if out, err := exec.Command("go", "test", "-c", "-tags=srcu_membarrier", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	for function, second := range map[string]string{`srcu.\(\*Domain\).Enter$`: `CMPQ \w+, \$0x1`, `srcu.Section.Exit$`: `TESTQ`} {
		out, err := exec.Command("go", "tool", "objdump", "-s", function, program).CombinedOutput()
		if err != nil {
			t.Fatalf("go tool objdump: %v\n%s", err, out)
		}
		_, after, _ := strings.Cut(string(out), "CALL runtime.procPin(SB)")
		pinned, after, ok := strings.Cut(after, "CALL runtime.procUnpin(SB)")
		after, _, _ = strings.Cut(after, "RET")
		if !ok || len(regexp.MustCompile(`\tINCQ [^\t]*\(\w+\)`).FindAllString(pinned, -1)) != 1 ||
			!regexp.MustCompile(`(?s)MOVQ 0\(\w+\), \w+.*`+second).MatchString(after) {
			t.Errorf("not as it must be:\n%s", out)
		}
	}
}

// Where membarrier(2) is refused from the start domains use stripes; where it
// is refused later, domains that were made before still work. It takes three
// processes: this one, one that installs a filter and then replaces itself by
// one that starts with it.
func TestPerPRefused(t *testing.T) {
	switch os.Getenv(refused) {
	case "":
		if !membarriers {
			t.Fatal("this machine refuses membarrier(2), which these tests need")
		}
		for _, errno := range []string{"ENOSYS", "EPERM"} {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPerPRefused$", "-test.v")
			cmd.Env = append(os.Environ(), refused+"="+errno)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "in stripes") {
				t.Errorf("%s: %v\n%s", errno, err, out)
			}
		}
	case "ENOSYS", "EPERM":
		d := NewDomain()
		refuseMembarrier(t, map[string]unix.Errno{"ENOSYS": unix.ENOSYS, "EPERM": unix.EPERM}[os.Getenv(refused)])
		if membarrier(membarrierPrivateExpedited) == 0 {
			t.Fatal("the filter does not work")
		}
		if !d.isPerP() {
			t.Fatal("the domain was made before membarrier was refused, and uses stripes")
		}
		s := enter(t, d)
		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		if d.Synchronize(cancelled) == nil {
			t.Error("Synchronize missed a section")
		}
		s.Exit()
		if err := d.Synchronize(context.Background()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			return
		}
		t.Setenv(refused, "start")
		err := unix.Exec("/proc/self/exe", []string{os.Args[0], "-test.v",
			"-test.run=^Test(PerPRefused|Scripts|Late|StressUnplug|NoAllocation|ExitTooMany|Errors)"}, os.Environ())
		t.Fatal("exec:", err)
	case "start":
		if membarriers || NewDomain().isPerP() {
			t.Error("membarrier(2) is refused, and a domain relies on it")
		}
		t.Log("in stripes")
	}
}

// Ps that come after the domain was made share a slot.
func TestPerPMoreProcs(t *testing.T) {
	var d *Domain
	atProcs(1, func() { d = NewDomain() })
	if !d.isPerP() {
		t.Fatal("this machine refuses membarrier(2), which these tests need")
	}
	atProcs(4, func() {
		for d.shared.count[0].enters == 0 || d.shared.count[0].exits == 0 {
			done := make(chan bool)
			for range 4 {
				go func() {
					for range 1000 {
						if s, ok := d.Enter(); ok {
							runtime.Gosched()
							s.Exit()
						} else {
							t.Error("Enter failed on an open domain")
						}
					}
					done <- true
				}()
			}
			for range 4 {
				<-done
			}
			if n := d.Sections(); n != 0 {
				t.Fatalf("%d sections are open, want none", n)
			}
		}
		synctest.Test(t, func(t *testing.T) {
			d := NewShutDomain()
			d.slots = d.slots[:1]
			runScript(t, real{d}, scripts[len(scripts)-1].script)
		})
		d.Close()
		if err := d.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if _, ok := d.enterElsewhere(); ok {
			t.Error("a section began in a closed domain")
		}
	})
}

// Enters that read the state before Close and are counted after it fail; a
// waiter is told when they are counted out again.
func TestPerPLateEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDomain()
		if !d.isPerP() {
			t.Fatal("this machine refuses membarrier(2), which these tests need")
		}
		d.slots[0].count[0].enters++ // as far as its first step
		d.Close()
		done := false
		go func() {
			if err := d.Drain(context.Background()); err != nil {
				t.Error(err)
			}
			done = true
		}()
		synctest.Wait()
		if done {
			t.Error("Drain missed what could have been a section")
		}
		if _, ok := d.index[0].late(); ok { // the rest
			t.Error("a section began in a closed domain")
		}
		synctest.Wait()
		if !done {
			t.Error("Drain waits, and no section is open")
		}
	})
}

// A waiter notices an exit too many.
func TestPerPExitTooMany(t *testing.T) {
	d := NewDomain()
	s := enter(t, d)
	s.Exit()
	s.Exit()
	defer func() {
		if msg, _ := recover().(string); !strings.Contains(msg, "exactly once") {
			t.Errorf("panic %q does not say what is wrong", msg)
		}
	}()
	err := d.Synchronize(context.Background())
	t.Error("no panic, but", err)
}

// Each slot is a cache line.
func TestPerPCacheLines(t *testing.T) {
	for _, procs := range []int{1, 2, 3, 7, 13, 64} {
		atProcs(procs, func() {
			d := NewDomain()
			if len(d.slots) != procs {
				t.Errorf("GOMAXPROCS %d: %d slots", procs, len(d.slots))
			}
			for _, p := range []unsafe.Pointer{unsafe.Pointer(&d.slots[0]), unsafe.Pointer(&d.index), unsafe.Pointer(&d.shared)} {
				if uintptr(p)%lineSize != 0 {
					t.Errorf("GOMAXPROCS %d: %p is not where a line begins", procs, p)
				}
			}
			if unsafe.Sizeof(d.slots[0]) != lineSize {
				t.Error("a slot is not a line")
			}
		})
	}
}
