package host_test

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/seccomp"
)

// refusedVariable makes the test binary refuse the calls of refuseCalls.
const refusedVariable = "UDRM_TEST_REFUSED"

// refuseCalls refuses the calls that the seccomp profile of Docker 20.10 refuses
// and that a host would make.
func refuseCalls() error {
	if os.Getenv(refusedVariable) == "" {
		return nil
	}
	f := &seccomp.Filter{Arch: seccomp.NativeArch, Limit: seccomp.NativeLimit}
	for _, nr := range []uint32{unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP} {
		f.Traps = append(f.Traps, seccomp.Trap{NR: nr, Errno: unix.EPERM})
	}
	return seccomp.InstallOnAll(f)
}

// TestOldContainer runs other tests where the host may not use process_vm_readv.
func TestOldContainer(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestClient$/^same_user$/^(basic|events|map|chdir)", "-test.v")
	cmd.Env = append(os.Environ(), refusedVariable+"=1", clientVariable+"="+client)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
