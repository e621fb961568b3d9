package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/host"
)

// withMounts returns false where the files of cards cannot be mounted, after
// checking that udrm says so.
func withMounts(t *testing.T) bool {
	t.Helper()
	if host.CheckMounts() == nil {
		return true
	}
	r := run(t, "run", "--files=mounts", "--", "true")
	if r.exit != statusFailure || !strings.Contains(r.stderr, "the virtual files cannot be mounted: ") {
		t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
	}
	return false
}

const statusFailure = 125

// TestMounts checks what a program sees of the files of a card that are mounts.
func TestMounts(t *testing.T) {
	if !withMounts(t) {
		return
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "dri")
	if err := os.Symlink("/dev/dri", link); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ what, script, want string }{
		{"the status of a node", "stat -c '%F %t:%T' /dev/dri/card0", "character special file e2:0"},
		{"an open for reading and writing", "exec 5<>/dev/dri/card0; readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"an open for reading", "exec 5</dev/dri/card0; readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"an open by a link to the directory", "exec 5<>" + link + "/card0; readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"an open for reading by a link", "exec 5<" + link + "/card0; readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"an open from the directory", "cd /dev/dri; exec 5<card0; readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"a node that is not there", "(exec 5</dev/dri/card7) 2>&1 | grep -c No.such", "1"},
		{"a path below a node", "cat /dev/dri/card0/x 2>&1 | grep -c Not.a.directory", "1"},
		{"a path below a node, for writing", "(exec 5<>/dev/dri/card0/x) || echo refused", "refused"},
		{"a file", "cat /sys/class/drm/card0/dev", "226:0"},
		{"a working directory", "cd /sys/class/drm/card0 && pwd -P", "/sys/devices/faux/vkms/drm/card0"},
		{"a real directory beside it", "test -e /sys/class/net/lo/mtu && echo yes", "yes"},
		{"the real file of another name", "cat /sys/devices/virtual/net/lo/ifindex", "1"},
		{"a write that is refused", "echo garbage >/sys/class/drm/card0/uevent || echo refused", "refused"},
		{"a write", "echo change >/sys/class/drm/card0/uevent && echo taken", "taken"},
		{"the file system", "stat -f -c %T /sys/class/drm", "sysfs"},
		{"the file system of a union", "stat -f -c %T /sys/class", "sysfs"},
		{"a bind mount", "touch " + dir + "/node && mount --bind /sys/class/drm/card0/dev " + dir + "/node && cat " + dir + "/node", "226:0"},
		{"a bind mount of the directory", "mkdir " + dir + "/bound && mount --bind /dev/dri " + dir + "/bound && exec 5<>" + dir + "/bound/card0 && readlink /proc/$$/fd/5", "/dev/dri/card0"},
		{"a device beside it", "stat -c '%F %t:%T' /dev/null && : >/dev/null && echo written", "character special file 1:3\nwritten"},
		{"modules of the machine", "ls /sys/module >" + dir + "/modules && test $(ls -d /sys/module/* | wc -l) = $(wc -l <" + dir + "/modules) && echo all", "all"},
		{"a socket in a virtual directory", "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/dev/dri/x\")' 2>&1 | grep -c not.permitted", "1"},
		{"a descriptor with O_PATH", `python3 -c "
import errno, fcntl, os
card = os.open('/dev/dri/card0', os.O_RDWR)
path = os.open('/proc/self/fd/%d' % card, os.O_PATH)
for fd in card, path:
    try:
        print(fcntl.ioctl(fd, 0x641e))  # SET_MASTER
    except OSError as e:
        print(errno.errorcode[e.errno])"`, "0\nEBADF"},
		{"a pseudoterminal", "script -qc 'echo hello' /dev/null", "hello"},
		{"a client", "modetest -M vkms -c | grep -c Virtual-1", "1"},
		{"udev", "udevadm info -q name /dev/dri/card0", "dri/card0"},
		{"a card that comes and goes", udrm + " plug card1 && exec 5</dev/dri/card1 && " + udrm + " unplug card1 && ls /dev/dri && ls /sys/class/drm | grep -c card1", "card0\n0"},
		{"the last card that goes", udrm + " unplug card0; ls -d /dev/dri /dev/fb0 2>&1 | grep -c No.such; ls /dev | grep -c dri; " + udrm + " plug card0 && ls /dev/dri /dev/fb0", "2\n0\n/dev/fb0\n\n/dev/dri:\ncard0"},
		{"a card in place of the last one", udrm + " unplug card0 && " + udrm + " plug card1 && exec 5</dev/dri/card0 && ls /dev/dri && " + udrm + " unplug card1 && ls /dev/dri || echo none", "card0\nnone"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			r := run(t, "run", "--files=mounts", "--", "sh", "-c", tc.script)
			if got := strings.TrimSpace(r.stdout); got != tc.want {
				t.Errorf("got %q, want %q\n%s", got, tc.want, r.stderr)
			}
		})
	}
}

// TestNetlinkTable checks that /proc lists a socket for uevents, if it is a netlink
// socket.
func TestNetlinkTable(t *testing.T) {
	const script = `
import os, socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15)
s.bind((0, 1))
inode = str(os.fstat(s.fileno()).st_ino)
try:
    want = [["15", str(s.getsockname()[0]), "00000001"]]
except OSError:
    want = [] # a substitute
for path in "/proc/net/netlink", "/proc/self/net/netlink", "/proc/%d/net/netlink" % os.getpid():
    with open(path) as table:
        got = [line.split()[1:4] for line in table if line.split()[-1] == inode]
    print("right" if got == want else (path, got, want))
`
	r := run(t, "run", "--files=calls", "--", "python3", "-c", script)
	if want := "right\nright\nright\n"; r.stdout != want {
		t.Errorf("got %q, want %q\n%s", r.stdout, want, r.stderr)
	}
}

// TestMountsOfModules unloads a driver and loads it again. The modules of the
// machine stay.
func TestMountsOfModules(t *testing.T) {
	if !withMounts(t) {
		return
	}
	const script = `
import ctypes, os
def modules():
    return set(os.listdir("/sys/module"))
before = modules()
assert ctypes.CDLL(None).syscall(176, b"vgem", 0) == 0
print(before - modules())
open("/sys/bus/platform/drivers/vgem/bind", "w").write("vgem")
print(before - modules(), sorted(os.listdir("/dev/dri")))
print(open("/sys/module/vgem/initstate").read())
`
	r := run(t, "run", "--files=mounts", "--driver=vgem", "--", "python3", "-c", script)
	if want := "{'vgem'}\nset() ['by-path', 'card0', 'renderD128']\nlive\n\n"; r.stdout != want {
		t.Errorf("got %q, want %q\n%s", r.stdout, want, r.stderr)
	}
}

// TestMountsOfTheKilled kills udrm. Its programs end, and no mount is left.
func TestMountsOfTheKilled(t *testing.T) {
	if !withMounts(t) {
		return
	}
	cmd := command(t, "run", "--files=mounts", "--", "sh", "-c", "ls /sys/class/drm; kill -KILL $PPID; exec sleep 1000")
	if out, err := cmd.Output(); !strings.Contains(string(out), "card0\n") || err == nil {
		t.Errorf("got %q, %v", out, err)
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "fuse.udrm") {
		t.Errorf("a mount is left:\n%s", text)
	}
}

// TestMountsWatched checks that inotify tells of a node that comes and goes.
func TestMountsWatched(t *testing.T) {
	if !withMounts(t) {
		return
	}
	const watch = `
import ctypes, os, struct, subprocess
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(0)
assert libc.inotify_add_watch(fd, b"/dev/dri", 0x100 | 0x200) > 0
subprocess.run(["UDRM", "plug", "card1"], check=True)
subprocess.run(["UDRM", "unplug", "card1"], check=True)
seen = []
while len(seen) < 2:
    data = os.read(fd, 4096)
    while data:
        _, mask, _, size = struct.unpack_from("iIII", data)
        seen.append((hex(mask), data[16:16 + size].rstrip(b"\0").decode()))
        data = data[16 + size:]
print(seen)
`
	r := finish(t, exec.Command(udrm, "run", "--files=mounts", "--", "python3", "-c", strings.ReplaceAll(watch, "UDRM", udrm)))
	if want := "[('0x100', 'card1'), ('0x200', 'card1')]\n"; r.stdout != want {
		t.Errorf("got %q, want %q\n%s", r.stdout, want, r.stderr)
	}
}

// TestFilesAuto checks that auto mounts the files where that is possible and shows as
// much as calls.
func TestFilesAuto(t *testing.T) {
	for _, tc := range []struct {
		flags []string
		want  bool
	}{
		{nil, runtime.GOARCH == "amd64" && host.CheckMounts() == nil},
		{[]string{"--every-root"}, false},
	} {
		args := slices.Concat([]string{"run", "-v", "--files=auto"}, tc.flags, []string{"--", "modetest", "-M", "vkms", "-c"})
		r := run(t, args...)
		if r.exit != 0 || !strings.Contains(r.stdout, "Virtual-1") || strings.Contains(r.stderr, "files are mounted") != tc.want {
			t.Errorf("%q: exit %d, want mounts: %t\n%s%s", args, r.exit, tc.want, r.stdout, r.stderr)
		}
	}
}

// TestMountsRefused runs udrm where it may make mounts, but cannot use them.
func TestMountsRefused(t *testing.T) {
	if !withMounts(t) {
		return
	}
	for what, script := range map[string]string{
		"a working directory that is gone":              `cd $(mktemp -d) && rmdir $PWD`,
		"a new root":                                    `mount -t tmpfs root $0 && for d in /*; do mkdir $0$d && mount --rbind $d $0$d; done && set -- chroot $0 "$@"`,
		"a user namespace that lacks the owner of /dev": `set -- setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount "$@"`,
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command("unshare", "--mount", "sh", "-ec", script+`; exec "$@"`, t.TempDir(), udrm, "run", "--files=auto", "--", "modetest", "-M", "vkms", "-c")
			if r := finish(t, cmd); r.exit != 0 || !strings.Contains(r.stdout, "Virtual-1") {
				t.Errorf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
			}
		})
	}
}
