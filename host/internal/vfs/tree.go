package vfs

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/udrm/udrm/drm"
)

// A Kind is the type of a node.
type Kind uint8

const (
	Dir  Kind = iota
	File      // its content is made when it is opened
	Link
	Char // a character device
)

// A Node is a virtual file.
type Node struct {
	Kind   Kind
	Perm   uint32 // permission bits
	Target string // Link: what it says
	Minor  int    // Char: with Open nil, a node of a card
	Major  int    // Char that is none
	Content
	Chardev *drm.Chardev // Char that is neither
	// Terminal: Char that is none of these, but a virtual terminal. Minor is its
	// number, 0 for that in the foreground.
	Terminal bool

	own      bool // Dir: hides what is really there
	hides    func(name string) bool
	children map[string]*Node
}

// A Content is what is in a File. One that has nothing of it is a socket.
type Content struct {
	Show  func() string           // what can be read, at this moment
	Store func(data string) error // takes what one write brought
	// Open serves a file that is a stream: what one read gives is what was
	// delivered to the sink at once. The Closer is closed with the file.
	Open func(drm.EventSink) (io.Closer, error)
}

// Socket reports whether the file is one that can only be looked at.
func (c *Content) Socket() bool { return c.Show == nil && c.Store == nil && c.Open == nil }

// Own reports whether the directory replaces what is really there, rather
// than adding to it.
func (n *Node) Own() bool { return n.own }

// A Tree is a set of virtual nodes. It may be read concurrently, not while it
// is being made.
type Tree struct{ root *Node }

// New returns a tree without nodes.
func New() *Tree { return &Tree{root: newDir(false)} }

func newDir(own bool) *Node {
	return &Node{Kind: Dir, Perm: 0o755, own: own, children: make(map[string]*Node)}
}

// AddDir adds an own directory. What is added below it comes later, and is
// own as well. Paths are absolute and clean, here and in all methods that
// follow; adding below a node that is not a directory is a mistake in the
// program.
func (t *Tree) AddDir(path string) { t.dir(path).own = true }

// Chmod sets the permissions of a directory.
func (t *Tree) Chmod(path string, perm uint32) { t.dir(path).Perm = perm }

// AddUnion adds a directory to what is really there, if it is there: one that
// stays although nothing virtual may be in it.
func (t *Tree) AddUnion(path string) { t.dir(path) }

// AddFile adds a file with the content that show returns at each opening.
func (t *Tree) AddFile(path string, perm uint32, show func() string) {
	t.AddContent(path, perm, Content{Show: show})
}

// AddContent adds a file that does more than show something.
func (t *Tree) AddContent(path string, perm uint32, c Content) {
	t.add(path, &Node{Kind: File, Perm: perm, Content: c})
}

// AddLink adds a symbolic link.
func (t *Tree) AddLink(path, target string) {
	t.add(path, &Node{Kind: Link, Perm: 0o777, Target: target})
}

// AddChar adds a character device.
func (t *Tree) AddChar(path string, perm uint32, minor int) {
	t.add(path, &Node{Kind: Char, Perm: perm, Minor: minor})
}

// AddDevice adds a character device that open serves.
func (t *Tree) AddDevice(path string, perm uint32, major, minor int, open func(drm.EventSink) (io.Closer, error)) {
	t.add(path, &Node{Kind: Char, Perm: perm, Major: major, Minor: minor, Content: Content{Open: open}})
}

// AddChardev adds a character device that dev serves.
func (t *Tree) AddChardev(path string, perm uint32, dev *drm.Chardev) {
	t.add(path, &Node{Kind: Char, Perm: perm, Major: dev.Major, Minor: dev.Minor, Chardev: dev})
}

// AddTerminal adds a virtual terminal.
func (t *Tree) AddTerminal(path string, perm uint32, major, minor int) {
	t.add(path, &Node{Kind: Char, Perm: perm, Major: major, Minor: minor, Terminal: true})
}

// Hide hides real entries of a directory that only adds.
func (t *Tree) Hide(path string, hides func(name string) bool) {
	t.dir(path).hides = hides
}

func (t *Tree) add(path string, n *Node) {
	i := strings.LastIndexByte(path, '/')
	t.dir(path[:i]).children[path[i+1:]] = n
}

func (t *Tree) dir(path string) *Node {
	n := t.root
	for c := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if c == "" {
			continue
		}
		next := n.children[c]
		if next == nil {
			next = newDir(n.own)
			n.children[c] = next
		}
		if next.Kind != Dir {
			panic(fmt.Sprintf("vfs: %s is not a directory on the way to %s", c, path))
		}
		n = next
	}
	return n
}

// Lookup returns the node at path, or nil. hidden says that no file is there: a
// real one does not show.
func (t *Tree) Lookup(path string) (n *Node, hidden bool) {
	n = t.root
	for c := range components(path) {
		next := n.children[c]
		if next == nil {
			return nil, n.own || n.hides != nil && n.hides(c)
		}
		n = next
	}
	return n, false
}

// Top returns the first file on the way to path that is not really there, or path
// itself. It is in a directory that is.
func (t *Tree) Top(path string) string {
	n := t.root
	end := 0
	for c := range components(path) {
		n = n.children[c]
		end += len("/") + len(c)
		if n == nil || n.Kind != Dir || n.own {
			break
		}
	}
	return path[:end]
}

// Relevant reports whether the walk of path may come across a virtual node,
// or one that is hidden. It is quick and errs on the side of true. path is
// clean; it is taken for absolute, and for free of real links.
func (t *Tree) Relevant(path string) bool {
	n := t.root
	for c := range components(path) {
		next := n.children[c]
		if next == nil {
			return n.own || n.hides != nil && n.hides(c)
		}
		if n = next; n.Kind != Dir {
			return true
		}
	}
	return true
}

// An Entry is a name in a directory.
type Entry struct {
	Name   string
	Kind   Kind
	Target string // of a link
}

// Entries returns the names in a virtual directory, sorted, without those
// that are really there.
func (n *Node) Entries() []Entry {
	entries := make([]Entry, 0, len(n.children))
	for name, c := range n.children {
		entries = append(entries, Entry{Name: name, Kind: c.Kind, Target: c.Target})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

// Shows reports whether a real entry of the directory is seen: it is not
// hidden, and no virtual one has its name.
func (n *Node) Shows(name string) bool {
	return !n.own && n.children[name] == nil && (n.hides == nil || !n.hides(name))
}

// components yields the names in a clean path.
func components(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for path = strings.Trim(path, "/"); path != ""; {
			c, rest, _ := strings.Cut(path, "/")
			if !yield(c) {
				return
			}
			path = rest
		}
	}
}

// Hides reports whether the directory may hide real entries by their names.
func (n *Node) Hides() bool { return n.hides != nil }
