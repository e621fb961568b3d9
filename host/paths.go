package host

import (
	"bytes"
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/snapshot"
	"github.com/udrm/udrm/host/internal/vfs"
	"github.com/udrm/udrm/internal/pollfd"
)

// A place is where a path of the program leads.
type place struct {
	vfs.Place
	// native says that the kernel finds the same, so it runs the call. It also
	// holds for a directory that has virtual entries besides real ones, except
	// that the kernel does not list them.
	native bool
}

// errNative says that a path does not lead through virtual files.
var errNative = errors.New("host: not a virtual path")

// place resolves the path at addr, from the directory dirfd if it is relative.
// errNative says that the kernel must resolve it; any other error is the
// program's.
func (c *call) place(dirfd int32, addr uint64, follow bool) (place, error) {
	rules := vfs.Rules{NoFollow: !follow}
	return c.placeBy(dirfd, addr, rules)
}

func (c *call) placeBy(dirfd int32, addr uint64, rules vfs.Rules) (place, error) {
	raw, err := c.readString(addr)
	if err != nil || len(raw) == 0 {
		c.host.deny(DenialMemory, c.n.PID, err)
		return place{}, errNative // the kernel knows the right error
	}
	return c.placeOf(dirfd, raw, rules)
}

// placeOf resolves a path.
func (c *call) placeOf(dirfd int32, raw []byte, rules vfs.Rules) (p place, err error) {
	// Earlier writes take effect before this call is answered.
	c.host.attributes.Drain(c)
	tree := c.host.tree.Load()
	base, private := "/", false
	full := raw
	if raw[0] != '/' || rules.InRoot {
		if base, private, err = c.base(dirfd); err != nil {
			return place{}, err
		}
		full = append(append([]byte(base), '/'), raw...)
	}
	if !private && !relevant(tree, full) && !c.linkedTo(tree, full, bytes.IndexByte(raw, '/') >= 0, !rules.NoFollow) {
		return place{}, errNative
	}
	onlyMagic := false
	if !private {
		sees, err := c.seesDevices()
		// The links of /proc lead to descriptors, which a program has in every root.
		if !sees && !isShortage(err) && base == "/" && bytes.HasPrefix(raw, []byte("/proc/")) {
			sees, onlyMagic = true, true
		}
		if sees && raw[0] != '/' {
			sees, err = c.isDirectory(dirfd)
		}
		if isShortage(err) {
			return place{}, err // the kernel would say that there is no such file
		}
		if !sees {
			return place{}, errNative
		}
	}
	c.fromOurs = private
	at, err := tree.Walk(base, string(raw), rules, c)
	if onlyMagic && (err != nil || !at.Magic && !isMagic(at.Path) && !isFDInfo(at.Path)) {
		return place{}, errNative
	}
	switch {
	case (err == unix.EACCES || err == unix.EPERM || err == errMoved) && !private:
		return place{}, errNative // the kernel knows better
	case err != nil:
		return place{}, err
	}
	if at.Node != nil {
		if err := c.mayTraverse(base, at.Path); err != nil {
			return place{}, err
		}
	}
	p = place{Place: at}
	p.native = !private && !at.Virtual && !at.Magic && c.real(at)
	if p.native && at.Node == nil && !isMagic(at.Path) && !isFDInfo(at.Path) && !isNetlinkTable(at.Path) {
		return place{}, errNative
	}
	return p, nil
}

// seesDevices reports whether the program has the /dev that the host has: the
// same file system, or a bind mount of it. In a container or a root without
// it there are no devices, as with a kernel.
func (c *call) seesDevices() (bool, error) {
	if c.host.everyRoot {
		return true, nil
	}
	var st unix.Stat_t
	err := c.tid().Identify("/dev", &st)
	return err == nil && pollfd.IDOf(&st) == c.host.dev, err
}

// isShortage reports whether a look at a file of a program has failed because this
// process or the machine has no descriptor or no memory left for it.
func isShortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// atPath serves a call on the file that the path at addr leads to: on an open
// file, when that is a link of /proc, on a virtual file, or, by the program's
// own thread, on a real file at the end of a path that the kernel does not know.
func (c *call) atPath(dirfd int32, addr uint64, follow bool, onOpened func(opened), onVirtual func(place), onReal func(path string)) {
	p, err := c.place(dirfd, addr, follow)
	c.atPlace(p, err, onOpened, onVirtual, onReal)
}

// atPlace is atPath for a path that is resolved, with that error.
func (c *call) atPlace(p place, err error, onOpened func(opened), onVirtual func(place), onReal func(path string)) {
	switch {
	case err == errNative, err == nil && p.native:
		c.proceed()
	case err != nil:
		c.fail(err)
	case p.Magic:
		o, _, err := c.magic(p.Path)
		if err != nil {
			c.fail(err)
			return
		}
		onOpened(o)
	case p.Node == nil, p.Node.Kind == vfs.Dir && c.real(p.Place):
		onReal(p.Path)
	default:
		onVirtual(p)
	}
}

// real reports whether a real file is at the end of a walk: no virtual one is,
// or a directory that only adds virtual entries.
func (c *call) real(at vfs.Place) bool {
	if at.Node == nil {
		return true
	}
	if at.Node.Kind != vfs.Dir || at.Node.Own() {
		return false
	}
	var st unix.Stat_t
	return c.tid().Identify(at.Path, &st) == nil
}

// base returns the directory from which relative paths start. private says
// that it is a directory of the host, in which the kernel would find nothing.
func (c *call) base(dirfd int32) (base string, private bool, err error) {
	var link []byte
	at, identify := c.tid().CWDPath(), c.tid().IdentifyCWD
	if dirfd == unix.AT_FDCWD {
		link, err = c.tid().CWD(c.linkBuf[:])
	} else {
		link, err = c.tid().FD(int(dirfd), c.linkBuf[:])
		at, identify = c.tid().FDPath(dirfd), func(st *unix.Stat_t) error { return c.tid().IdentifyFD(dirfd, st) }
	}
	if err != nil || len(link) == 0 || link[0] != '/' {
		return "", false, errNative
	}
	o := c.host.openedAs(link, at, identify)
	if o.path != "" {
		if snapshot.Named(link) {
			return "", false, unix.ENOTDIR
		}
		return o.path, true, nil
	}
	link, ok := c.inRoot(link)
	if !ok {
		return "", false, errNative
	}
	return string(link), false, nil
}

// inRoot turns a path in the root of this process, as a link of /proc has it, into
// one in the program's root. ok is false if it is outside of that.
func (c *call) inRoot(path []byte) (inside []byte, ok bool) {
	var buf [unix.PathMax]byte
	root, err := c.tid().RootLink(buf[:])
	if err != nil {
		return nil, false
	}
	if len(root) <= 1 {
		return path, true
	}
	rest, ok := bytes.CutPrefix(path, root)
	switch {
	case !ok, len(rest) > 0 && rest[0] != '/':
		return nil, false
	case len(rest) == 0:
		return []byte("/"), true
	}
	return rest, true
}

// isDirectory reports whether relative paths can start at dirfd.
func (c *call) isDirectory(dirfd int32) (bool, error) {
	if dirfd == unix.AT_FDCWD {
		return true, nil
	}
	var st unix.Stat_t
	err := c.tid().IdentifyFD(dirfd, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}

// relevant reports whether a path may lead through virtual files. It is called
// for every path that a program uses, most of which have nothing in common
// with virtual ones: it must be fast.
func relevant(tree *vfs.Tree, raw []byte) bool {
	messy := bytes.Contains(raw, []byte("//")) || bytes.Contains(raw, []byte("/."))
	p := raw
	if messy {
		p = []byte(path.Clean(string(raw)))
	}
	if i := bytes.Index(raw, []byte("/..")); i > 0 && relevant(tree, raw[:i]) {
		return true // through virtual files, wherever it ends
	}
	switch {
	case bytes.HasPrefix(p, []byte("/sys")):
	case bytes.HasPrefix(p, []byte("/dev")):
	case bytes.HasPrefix(p, []byte("/run/udev")), bytes.HasPrefix(p, []byte("/var/run/udev")), bytes.HasPrefix(p, []byte("/run/modprobe.d")):
		return true
	case bytes.HasPrefix(p, []byte("/run/systemd")):
	case bytes.HasPrefix(p, []byte("/proc/")):
		return bytes.Contains(p, []byte("/fd/")) || bytes.Contains(p, []byte("/fdinfo/")) || bytes.Contains(p, []byte("/cwd")) || bytes.Contains(p, []byte("/root")) ||
			bytes.HasSuffix(p, []byte("/net/netlink"))
	default:
		return false
	}
	if messy && bytes.Contains(raw, []byte("/..")) {
		return true // the part before it may be a link
	}
	if rest, ok := bytes.CutPrefix(p, []byte("/dev/")); ok && (bytes.HasPrefix(rest, []byte("fd/")) || bytes.HasPrefix(rest, []byte("std"))) {
		return true
	}
	return tree.Relevant(string(p))
}
