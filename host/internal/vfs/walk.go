package vfs

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// Real is what is really there, as the program sees it.
type Real interface {
	// Readlink reads a symbolic link. EINVAL when path is something else,
	// [ErrUnknown] when it cannot be known, and [ErrMagic] for a link of /proc that
	// leads to an open virtual file, not to a path.
	Readlink(path string) (string, error)

	// Shows reports whether the program sees what the tree has at path, a [Tree.Top].
	// In place of the real directory that this is in, it can have another one.
	Shows(path string) bool
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
	w := walk{tree: t, rules: rules, real: real, base: base, root: "/", cur: base}
	if rules.InRoot {
		w.root = base
	}
	if strings.HasPrefix(path, "/") {
		if rules.Beneath {
			return Place{}, unix.EXDEV
		}
		w.cur = w.root
	}
	rest := path
	for links := 0; ; {
		rest = strings.TrimLeft(rest, "/")
		if rest == "" {
			n, _ := w.lookup(w.cur)
			return Place{Path: w.cur, Node: n, Virtual: w.virtual}, nil
		}
		c, after, slash := strings.Cut(rest, "/")
		last := strings.Trim(after, "/") == ""
		final := last && !slash // nothing asks for it to be a directory
		switch c {
		case ".":
			rest = after
			continue
		case "..":
			if at, err := w.up(); err != nil {
				return at, err
			}
			rest = after
			continue
		}
		p := join(w.cur, c)
		n, hidden := w.lookup(p)
		at := Place{Path: p, Node: n, Virtual: w.virtual}
		var target string
		switch {
		case hidden:
			return at, unix.ENOENT
		case n != nil && n.Kind != Link && rules.crosses(w.cur, p):
			return at, unix.EXDEV
		case n != nil && n.Kind == Dir:
			w.cur, rest = p, after
			continue
		case n != nil && n.Kind != Link:
			if !final {
				return at, unix.ENOTDIR
			}
			return at, nil
		case final && rules.NoFollow:
			return at, nil
		case n != nil:
			target, w.virtual = n.Target, true
		default:
			var err error
			target, err = real.Readlink(p)
			switch {
			case err == unix.EINVAL && !final && rules.crosses(w.cur, p), errors.Is(err, ErrMagic) && rules.Crosses != nil:
				return at, unix.EXDEV // no link of /proc leads to /proc
			case err == unix.EINVAL, err != nil && last && !errors.Is(err, ErrMagic):
				w.cur, rest = p, after
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
			if rules.crosses(w.cur, w.root) {
				return at, unix.EXDEV
			}
			w.cur = w.root
		}
		rest = target
		if slash {
			rest += "/" + after
		}
	}
}

// A walk is the state of [Tree.Walk].
type walk struct {
	tree       *Tree
	rules      Rules
	real       Real
	base, root string
	cur        string // the directory that it has reached
	virtual    bool   // see Place
	shown      string // what Real.Shows was asked for, and showed
}

// lookup is [Tree.Lookup] as the program sees it.
func (w *walk) lookup(p string) (n *Node, hidden bool) {
	n, hidden = w.tree.Lookup(p)
	if n == nil && !hidden || n != nil && n.Kind == Dir && !n.own {
		return n, hidden // what is really there
	}
	if top := w.tree.Top(p); top != w.shown {
		if !w.real.Shows(top) {
			return nil, false
		}
		w.shown = top
	}
	return n, hidden
}

// up goes to the parent directory, unless the walk has reached its root.
func (w *walk) up() (Place, error) {
	if w.cur == w.base && w.rules.Beneath {
		return Place{}, unix.EXDEV
	}
	if w.cur == w.root {
		return Place{}, nil
	}
	n, _ := w.lookup(w.cur)
	if n == nil {
		// A file has no parent, and one must be able to enter a directory to
		// leave it.
		if _, err := w.real.Readlink(join(w.cur, ".")); err != unix.EINVAL && err != ErrUnknown {
			return Place{Path: w.cur, Virtual: w.virtual}, err
		}
	} else if !w.virtual {
		// Out of a directory that is not really there?
		w.virtual = n.own
		if !n.own && w.cur != "/" {
			_, err := w.real.Readlink(w.cur)
			w.virtual = err == unix.ENOENT
		}
	}
	if w.rules.crosses(w.cur, parent(w.cur)) {
		return Place{}, unix.EXDEV
	}
	w.cur = parent(w.cur)
	return Place{}, nil
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
