package vfs

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// Real is what is really there, as the program sees it.
type Real interface {
	// Readlink reads a symbolic link. EINVAL when path is something else,
	// [ErrUnknown] when it cannot be known, and [ErrMagic] for a link of /proc that leads to a virtual file that is
	// open and not to a path.
	Readlink(path string) (string, error)
}

// ErrMagic is what [Real].Readlink returns for the link of an open file.
var ErrMagic = errors.New("vfs: the link leads to an open file")

// ErrUnknown is what [Real].Readlink returns for a path at which it cannot look.
// The walk ends there: the rest of the path is taken for real.
const ErrUnknown = unix.EAGAIN

// Rules restrict a walk, as flags of open(2) and openat2(2) do.
type Rules struct {
	NoFollow   bool // do not follow a link at the end
	NoSymlinks bool // RESOLVE_NO_SYMLINKS: ELOOP for any link
	Beneath    bool // RESOLVE_BENEATH: EXDEV for leaving the base
	InRoot     bool // RESOLVE_IN_ROOT: the base is the root

	// Crosses reports whether two files lie in different file systems. If it is
	// not nil, EXDEV for a step from one to the other: RESOLVE_NO_XDEV.
	Crosses func(from, to string) bool
}

// crosses reports whether the rules forbid the step.
func (r *Rules) crosses(from, to string) bool { return r.Crosses != nil && r.Crosses(from, to) }

// A Place is where a walk ends.
type Place struct {
	Path    string // absolute, without links on the way
	Node    *Node  // the virtual node, nil when what is there is real, or nothing
	Magic   bool   // Path is a link of /proc to an open virtual file
	Virtual bool   // the way led through virtual nodes: the kernel may not find it
}

const maxLinks = 40

// Walk follows path by the rules, from the directory base when it is relative.
// A link before a slash is always followed. Errors: ENOENT, ENOTDIR, ELOOP and
// EXDEV as virtual nodes and the rules decide, and the errors of real for a
// directory on the way. A missing last component is no error if it would be
// real.
func (t *Tree) Walk(base, path string, rules Rules, real Real) (Place, error) {
	cur, rest, root := base, path, "/"
	if rules.InRoot {
		root = base
	}
	var virtual bool
	if strings.HasPrefix(path, "/") {
		if rules.Beneath {
			return Place{}, unix.EXDEV
		}
		cur = root
	}
	for links := 0; ; {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			n, _ := t.Lookup(cur)
			return Place{Path: cur, Node: n, Virtual: virtual}, nil
		}
		c, after, slash := strings.Cut(rest, "/")
		last := strings.Trim(after, "/") == ""
		final := last && !slash // nothing asks for it to be a directory
		switch c {
		case ".":
			rest = after
			continue
		case "..":
			if cur == base && rules.Beneath {
				return Place{}, unix.EXDEV
			}
			if cur == root {
				rest = after
				continue
			}
			n, _ := t.Lookup(cur)
			if n == nil {
				// A file has no parent, and one must be able to enter a
				// directory to leave it.
				if _, err := real.Readlink(join(cur, ".")); err != unix.EINVAL && err != ErrUnknown {
					return Place{Path: cur, Virtual: virtual}, err
				}
			} else if !virtual {
				// Out of a directory that is not really there?
				virtual = n.own
				if !n.own && cur != "/" {
					_, err := real.Readlink(cur)
					virtual = err == unix.ENOENT
				}
			}
			if rules.crosses(cur, parent(cur)) {
				return Place{}, unix.EXDEV
			}
			cur, rest = parent(cur), after
			continue
		}
		p := join(cur, c)
		n, hidden := t.Lookup(p)
		at := Place{Path: p, Node: n, Virtual: virtual}
		var target string
		switch {
		case hidden:
			return at, unix.ENOENT
		case n != nil && n.Kind != Link && rules.crosses(cur, p):
			return at, unix.EXDEV
		case n != nil && n.Kind == Dir:
			cur, rest = p, after
			continue
		case n != nil && n.Kind != Link:
			if !final {
				return at, unix.ENOTDIR
			}
			return at, nil
		case final && rules.NoFollow:
			return at, nil
		case n != nil:
			target, virtual = n.Target, true
		default:
			var err error
			target, err = real.Readlink(p)
			switch {
			case err == unix.EINVAL && !final && rules.crosses(cur, p), errors.Is(err, ErrMagic) && rules.Crosses != nil:
				return at, unix.EXDEV // no link of /proc leads to /proc
			case err == unix.EINVAL, err != nil && last && !errors.Is(err, ErrMagic):
				cur, rest = p, after
				continue
			case errors.Is(err, ErrMagic) && final:
				at.Magic = true
				return at, nil
			case errors.Is(err, ErrMagic):
				return at, unix.ENOTDIR
			case err == ErrUnknown:
				at.Path = join(p, strings.TrimLeft(after, "/"))
				return at, nil
			case err != nil:
				return at, err
			}
		}
		if links++; links > maxLinks || rules.NoSymlinks {
			return at, unix.ELOOP
		}
		if strings.HasPrefix(target, "/") {
			if rules.Beneath {
				return at, unix.EXDEV
			}
			if rules.crosses(cur, root) {
				return at, unix.EXDEV
			}
			cur = root
		}
		rest = target
		if slash {
			rest += "/" + after
		}
	}
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

func parent(dir string) string {
	if i := strings.LastIndexByte(dir, '/'); i > 0 {
		return dir[:i]
	}
	return "/"
}
