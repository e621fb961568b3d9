package thread

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The kernel lets a thread look at its own process, and at others if it could
// trace them (ptrace(2), "PTRACE_MODE_READ"). With the credentials of the
// thread this process passes that check too, with two exceptions: it is not the
// thread's process, and it has no capabilities in the user namespace of the
// thread. mayInspect grants these two.

// mayInspect reports whether the thread may look at the process below which
// path lies, in the thread's /proc.
func (t ID) mayInspect(path string) bool {
	rest, ok := strings.CutPrefix(path, "/proc/")
	if !ok {
		return false
	}
	pid, _, _ := strings.Cut(rest, "/")
	var other inspected
	err := t.lookBy("/proc/"+pid, unix.O_PATH|unix.O_DIRECTORY, resolve, asOurselves, func(dir int) (err error) {
		other, err = inspect("/proc/self/fd/" + strconv.Itoa(dir))
		return err
	})
	if err != nil {
		return false
	}
	own, err := inspect(strings.TrimSuffix(t.path(""), "/"))
	if err != nil {
		return false
	}
	if own.pidNS == other.pidNS && own.process == other.process {
		return true
	}
	if own.userNS != other.userNS || t.InOurUserNamespace() {
		return false
	}
	sameIDs := own.uid == own.fsuid && other.uids == [3]string{own.fsuid, own.fsuid, own.fsuid}
	return own.effective&(1<<unix.CAP_SYS_PTRACE) != 0 || sameIDs && other.permitted&^own.effective == 0
}

// isOurs reports whether the directory at path, from the directory fd of a
// procfs, is that of this process or of a thread of it. No file that a program
// has mounted there is opened.
func isOurs(fd int, path string) bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS}
	dir, err := unix.Openat2(fd, path, &how)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	how.Flags = unix.O_RDONLY | unix.O_CLOEXEC
	status, err := unix.Openat2(dir, "status", &how)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(status), "status")
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "NStgid:"); ok {
			fields := strings.Fields(ids)
			if len(fields) == 0 || fields[len(fields)-1] != ownID() {
				return false
			}
		}
	}
	// Processes of other pid namespaces may have the same id.
	how.Flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	how.Resolve = unix.RESOLVE_NO_XDEV
	link, err := unix.Openat2(dir, "ns/pid", &how)
	if err != nil {
		return false
	}
	defer unix.Close(link)
	var buf [64]byte
	n, err := unix.Readlinkat(link, "", buf[:])
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && ours == string(buf[:n])
}

// ownID returns the id of this process in its own pid namespace.
var ownID = sync.OnceValue(func() string { return strconv.Itoa(os.Getpid()) })

// inspected is what mayInspect compares.
type inspected struct {
	pidNS, userNS        string
	process              string // id in its own pid namespace
	uid, fsuid           string
	uids                 [3]string // real, effective, saved
	effective, permitted uint64    // capabilities
}

func inspect(dir string) (i inspected, err error) {
	if i.pidNS, err = os.Readlink(dir + "/ns/pid"); err != nil {
		return i, err
	}
	if i.userNS, err = os.Readlink(dir + "/ns/user"); err != nil {
		return i, err
	}
	text, err := os.ReadFile(dir + "/status")
	if err != nil {
		return i, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case key == "NStgid" && len(fields) > 0:
			i.process = fields[len(fields)-1]
		case key == "Uid" && len(fields) == 4:
			i.uid, i.fsuid, i.uids = fields[1], fields[3], [3]string(fields[:3])
		case key == "CapEff" && len(fields) == 1:
			i.effective, err = strconv.ParseUint(fields[0], 16, 64)
		case key == "CapPrm" && len(fields) == 1:
			i.permitted, err = strconv.ParseUint(fields[0], 16, 64)
		}
		if err != nil {
			return i, err
		}
	}
	return i, nil
}
