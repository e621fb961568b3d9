package vfs

import (
	"errors"
	"path"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// real is a small real file tree: it maps paths to the targets of links.
// Directories are "", other files "file", and "unknown" cannot be looked at.
type real map[string]string

func (r real) Readlink(p string) (string, error) {
	dir, isDir := strings.CutSuffix(p, "/.")
	target, ok := r[dir]
	switch {
	case !ok:
		return "", unix.ENOENT
	case target == "magic":
		return "", ErrMagic
	case target == "unknown":
		return "", ErrUnknown
	case target == "file" && isDir:
		return "", unix.ENOTDIR
	case target == "", target == "file":
		return "", unix.EINVAL
	}
	return target, nil
}

func (r real) Shows(string) bool { return true }

func testTree() *Tree {
	t := New()
	t.AddDir("/sys/class/drm")
	t.AddDir("/sys/devices/platform/vkms")
	t.AddFile("/sys/devices/platform/vkms/uevent", 0o444, func() string { return "" })
	t.AddFile("/sys/devices/platform/vkms/drm/card0/dev", 0o444, func() string { return "226:0\n" })
	t.AddLink("/sys/devices/platform/vkms/drm/card0/device", "../../../vkms")
	t.AddLink("/sys/devices/platform/vkms/subsystem", "../../../bus/platform")
	t.AddLink("/sys/class/drm/card0", "../../devices/platform/vkms/drm/card0")
	t.AddLink("/sys/bus/platform/devices/vkms", "../../../devices/platform/vkms")
	t.AddDir("/dev/dri")
	t.AddChar("/dev/dri/card0", 0o660, 0)
	t.AddLink("/dev/dri/abs", "/dev/dri/card0")
	t.AddLink("/dev/dri/loop", "loop")
	t.AddLink("/dev/dri/out", "/etc/passwd")
	t.AddLink("/sys/dev/char/226:0", "../../devices/platform/vkms/drm/card0")
	t.AddFile("/run/udev/data/c226:0", 0o644, nil) // there is no real /run/udev
	t.Hide("/sys/dev/char", func(name string) bool { return strings.HasPrefix(name, "226:") })
	return t
}

var testReal = real{
	"/sys": "", "/sys/class": "", "/sys/class/net": "", "/sys/devices": "", "/sys/devices/platform": "",
	"/sys/class/net/eth0":              "../../devices/pci/net/eth0",
	"/sys/devices/pci":                 "",
	"/sys/devices/pci/net":             "",
	"/sys/devices/pci/net/eth0":        "",
	"/sys/devices/pci/net/eth0/device": "../../../pci",
	"/sys/bus":                         "", "/sys/bus/platform": "", "/sys/bus/platform/devices": "", "/sys/bus/platform/drivers": "",
	"/dev": "", "/dev/null": "file", "/dev/fd": "/proc/self/fd", "/etc": "", "/etc/passwd": "file",
	"/proc": "", "/proc/self": "12", "/proc/12": "", "/proc/12/fd": "", "/proc/12/fd/3": "magic", "/proc/12/fd/4": "/dev/dri",
	"/mnt": "", "/mnt/slow": "unknown", "/home": "", "/home/link": "/dev", "/home/a": "b", "/home/b": "a",
	"/sys/dev": "", "/sys/dev/char": "", "/sys/dev/char/226:128": "../../real", "/sys/dev/char/1:3": "../../mem",
}

func TestWalk(t *testing.T) {
	tree := testTree()
	for _, c := range []struct {
		base, path string
		follow     bool
		want       string // the path
		kind       string // dir, file, link, char, real, magic
		virtual    bool
		err        error
	}{
		{"/", "/dev/dri/card0", true, "/dev/dri/card0", "char", false, nil},
		{"/dev", "dri/card0", true, "/dev/dri/card0", "char", false, nil},
		{"/dev/dri", "card0", true, "/dev/dri/card0", "char", false, nil},
		{"/dev/dri", ".", true, "/dev/dri", "dir", false, nil},
		{"/dev/dri", "..", true, "/dev", "dir", true, nil},
		{"/dev/dri", "../null", true, "/dev/null", "real", true, nil},
		{"/", "/dev/null", true, "/dev/null", "real", false, nil},
		{"/", "/dev/null/../dri/card0", true, "", "", false, unix.ENOTDIR},
		{"/dev/null", "../dri/card0", true, "", "", false, unix.ENOTDIR},
		{"/", "/etc/passwd/../../dev/dri/card0", true, "", "", false, unix.ENOTDIR},
		{"/", "/no/../dev/dri/card0", true, "", "", false, unix.ENOENT},
		{"/", "/mnt/slow", true, "/mnt/slow", "real", false, nil},
		{"/", "/mnt/slow/x/../y", true, "/mnt/slow/x/../y", "real", false, nil},
		{"/dev/dri", "../../mnt/slow/x", true, "/mnt/slow/x", "real", true, nil},
		{"/", "/etc/../dev/dri/card0", true, "/dev/dri/card0", "char", false, nil},
		{"/", "/dev//./dri/../dri/card0", true, "/dev/dri/card0", "char", true, nil},
		{"/", "/run/udev/data/../data", true, "/run/udev/data", "dir", true, nil},
		{"/", "/sys/class/../class", true, "/sys/class", "dir", false, nil},
		{"/", "/dev/dri/card0/", true, "", "", false, unix.ENOTDIR},
		{"/", "/dev/dri/card0/x", true, "", "", false, unix.ENOTDIR},
		{"/", "/dev/dri/card1", true, "", "", false, unix.ENOENT},
		{"/", "/dev/dri/card1/x", true, "", "", false, unix.ENOENT},
		{"/", "/dev/dri/abs", true, "/dev/dri/card0", "char", true, nil},
		{"/", "/dev/dri/abs", false, "/dev/dri/abs", "link", false, nil},
		{"/", "/dev/dri/loop", true, "", "", false, unix.ELOOP},
		{"/", "/dev/dri/loop", false, "/dev/dri/loop", "link", false, nil},
		{"/", "/home/a", true, "", "", false, unix.ELOOP},
		{"/", "/dev/dri/out", true, "/etc/passwd", "real", true, nil},
		{"/", "/sys/class/drm/card0", true, "/sys/devices/platform/vkms/drm/card0", "dir", true, nil},
		{"/", "/sys/class/drm/card0", false, "/sys/class/drm/card0", "link", false, nil},
		{"/", "/sys/class/drm/card0/", false, "/sys/devices/platform/vkms/drm/card0", "dir", true, nil},
		{"/", "/sys/class/drm/card0/device/uevent", true, "/sys/devices/platform/vkms/uevent", "file", true, nil},
		{"/", "/sys/class/drm/card0/device/subsystem", true, "/sys/bus/platform", "dir", true, nil},
		{"/", "/sys/class/drm/card0/device/subsystem/drivers", true, "/sys/bus/platform/drivers", "real", true, nil},
		{"/", "/sys/class/drm/card0/device/subsystem/devices/vkms", true, "/sys/devices/platform/vkms", "dir", true, nil},
		{"/", "/sys/class", true, "/sys/class", "dir", false, nil},
		{"/", "/sys/class/net/eth0", true, "/sys/devices/pci/net/eth0", "real", false, nil},
		{"/", "/sys/class/net/eth0", false, "/sys/class/net/eth0", "real", false, nil},
		{"/", "/sys/class/net/eth0/../../../platform/vkms", true, "/sys/devices/platform/vkms", "dir", false, nil},
		{"/", "/sys/class/net/eth0/device/../platform/vkms/uevent", true, "/sys/devices/platform/vkms/uevent", "file", false, nil},
		{"/", "/sys/dev/char/226:0", true, "/sys/devices/platform/vkms/drm/card0", "dir", true, nil},
		{"/", "/sys/dev/char/226:128", true, "", "", false, unix.ENOENT},
		{"/", "/sys/dev/char/1:3", false, "/sys/dev/char/1:3", "real", false, nil},
		{"/", "/proc/self/fd/3", true, "/proc/12/fd/3", "magic", false, nil},
		{"/", "/proc/self/fd/3", false, "/proc/12/fd/3", "real", false, nil},
		{"/", "/dev/fd/3", true, "/proc/12/fd/3", "magic", false, nil},
		{"/", "/proc/self/fd/3/x", true, "", "", false, unix.ENOTDIR},
		{"/", "/proc/self/fd/4/card0", true, "/dev/dri/card0", "char", false, nil},
		{"/home", "link/dri/card0", true, "/dev/dri/card0", "char", false, nil},
		{"/", "/no/such/thing", true, "", "", false, unix.ENOENT},
		{"/", "/etc/new", true, "/etc/new", "real", false, nil},
		{"/", "/", true, "/", "dir", false, nil},
		{"/", "/..", true, "/", "dir", false, nil},
		{"/", "../../dev/dri", true, "/dev/dri", "dir", false, nil},
	} {
		at, err := tree.Walk(c.base, c.path, Rules{NoFollow: !c.follow}, testReal)
		if err != nil || c.err != nil {
			if !errors.Is(err, c.err) || err == nil {
				t.Errorf("%s, %s: %+v, %v; want %v", c.base, c.path, at, err, c.err)
			}
			continue
		}
		kind := "real"
		switch {
		case at.Magic:
			kind = "magic"
		case at.Node != nil:
			kind = [...]string{"dir", "file", "link", "char"}[at.Node.Kind]
		}
		if at.Path != c.want || kind != c.kind || at.Virtual != c.virtual {
			t.Errorf("%s, %s: %s %s, virtual %v; want %s %s, %v", c.base, c.path, kind, at.Path, at.Virtual, c.kind, c.want, c.virtual)
		}
	}
}

// TestRules walks by the rules of openat2(2).
func TestRules(t *testing.T) {
	tree := testTree()
	for _, c := range []struct {
		base, path string
		rules      Rules
		want       string
		err        error
	}{
		{"/dev/dri", "card0", Rules{Beneath: true}, "/dev/dri/card0", nil},
		{"/dev/dri", "..", Rules{Beneath: true}, "", unix.EXDEV},
		{"/dev/dri", "../null", Rules{Beneath: true}, "", unix.EXDEV},
		{"/dev", "dri/../null", Rules{Beneath: true}, "/dev/null", nil},
		{"/dev/dri", "/dev/dri/card0", Rules{Beneath: true}, "", unix.EXDEV},
		{"/dev/dri", "abs", Rules{Beneath: true}, "", unix.EXDEV},
		{"/sys", "class/drm/card0/dev", Rules{Beneath: true}, "/sys/devices/platform/vkms/drm/card0/dev", nil},
		{"/sys/class/drm", "card0/dev", Rules{Beneath: true}, "", unix.EXDEV},
		{"/sys", "class/drm/card0/dev", Rules{NoSymlinks: true}, "", unix.ELOOP},
		{"/sys", "class/drm/card0", Rules{NoSymlinks: true, NoFollow: true}, "/sys/class/drm/card0", nil},
		{"/dev/dri", "../../../card0", Rules{InRoot: true}, "/dev/dri/card0", nil},
		{"/dev/dri", "/card0", Rules{InRoot: true}, "/dev/dri/card0", nil},
		{"/dev/dri", "out", Rules{InRoot: true}, "", unix.ENOENT},
	} {
		at, err := tree.Walk(c.base, c.path, c.rules, testReal)
		if err != nil || c.err != nil {
			if !errors.Is(err, c.err) || err == nil {
				t.Errorf("%s, %s, %+v: %+v, %v; want %v", c.base, c.path, c.rules, at, err, c.err)
			}
		} else if at.Path != c.want {
			t.Errorf("%s, %s, %+v: %s, want %s", c.base, c.path, c.rules, at.Path, c.want)
		}
	}
}

func TestRelevant(t *testing.T) {
	tree := testTree()
	for p, want := range map[string]bool{
		"/sys/class/drm": true, "/sys/class/drm/card0/x/y": true, "/sys/class": true, "/sys/class/net": false,
		"/dev/dri/card0": true, "/dev/null": false, "/usr/lib/libc.so": false, "/sys/dev/char/226:128": true,
		"/sys/dev/char/1:3": false, "/sys/bus/platform/devices/vkms/uevent": true, "/sys/devices/system/cpu": false,
	} {
		if got := tree.Relevant(p); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func TestShows(t *testing.T) {
	tree := testTree()
	for _, c := range []struct {
		dir, name string
		want      bool
	}{
		{"/sys/class", "net", true},
		{"/sys/class", "drm", false}, // a virtual one is there
		{"/sys/dev/char", "226:1", false},
		{"/sys/dev/char", "1:3", true},
		{"/dev/dri", "card1", false},
	} {
		n, _ := tree.Lookup(c.dir)
		if got := n.Shows(c.name); got != c.want {
			t.Errorf("%s of %s: %v", c.name, c.dir, got)
		}
	}
}

// FuzzWalk checks that every walk ends at a clean path, and that a path that is
// not relevant never meets a virtual node.
func FuzzWalk(f *testing.F) {
	for _, p := range []string{"/dev/dri/card0", "/sys/class/drm/card0/device/subsystem/../..", "dri/../..//.", "/proc/self/fd/4/loop/"} {
		f.Add("/dev", p, true)
	}
	tree := testTree()
	f.Fuzz(func(t *testing.T, base, p string, follow bool) {
		base = path.Clean("/" + base)
		at, err := tree.Walk(base, p, Rules{NoFollow: !follow}, testReal)
		if err != nil {
			return
		}
		if at.Path != path.Clean(at.Path) || !strings.HasPrefix(at.Path, "/") {
			t.Errorf("%q, %q leads to %q", base, p, at.Path)
		}
		if n, hidden := tree.Lookup(at.Path); n != at.Node || hidden {
			t.Errorf("%q, %q leads to %q, where %v is, not %v", base, p, at.Path, n, at.Node)
		}
	})
}
