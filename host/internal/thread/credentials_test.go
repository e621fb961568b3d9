package thread

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// process starts a process with those attributes that does nothing.
func process(t *testing.T, attr *syscall.SysProcAttr) ID {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	return ID(cmd.Process.Pid)
}

func TestAsSameCredentials(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	want := errors.New("of f")
	if err := process(t, nil).as(func() error { return want }); err != want {
		t.Errorf("as returned %v, want the error of f as it is", err)
	}
}

func TestAsOther(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("only root can take the credentials of another user: run this test as root")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with this test
	before, err := ID(unix.Gettid()).Credentials()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{4242}}
	for _, tc := range []struct {
		name string
		attr *syscall.SysProcAttr
		uid  int
	}{
		{"nobody", &syscall.SysProcAttr{Credential: nobody}, 65534},
		{"root of a user namespace", &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 65534, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 65534, Size: 1}},
			Credential:  &syscall.Credential{NoSetGroups: true},
		}, 65534},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runtime.LockOSThread()
			var open error
			var during Credentials
			id := process(t, tc.attr)
			if theirs, err := id.Credentials(); err != nil || theirs.UID != tc.uid || theirs.Capabilities != 0 {
				t.Errorf("its credentials are %+v, %v", theirs, err)
			}
			if err := id.as(func() (err error) {
				_, open = os.ReadFile(secret)
				during, err = ID(unix.Gettid()).Credentials()
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(open, unix.EACCES) {
				t.Errorf("a file of root's: %v, want EACCES", open)
			}
			if during.UID != tc.uid || tc.attr.Credential == nobody && !slices.Equal(during.Groups, []int{4242}) {
				t.Errorf("during as the credentials are %+v", during)
			}
			after, err := ID(unix.Gettid()).Credentials()
			if err != nil || !after.same(before) {
				t.Errorf("after as they are %+v, %v, before %+v", after, err, before)
			}
		})
	}
}
