package configfs

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A Type describes the items of a kind: struct config_item_type. All functions
// may be nil.
type Type struct {
	Attributes []Attribute

	// Make makes the item of a mkdir in this one. nil: EPERM.
	Make func(name string) (*Item, error)
	// AllowLink is called for a symlink in this item to target. nil: EPERM.
	AllowLink func(target *Item) error
	// DropLink is called when the link is removed.
	DropLink func(target *Item)
	// Release is called when the item was removed.
	Release func()
}

// An Attribute is a file of an item.
type Attribute struct {
	Name  string
	Show  func() string
	Store func(data string) error
}

// An Item is a directory: struct config_group. Its parent and what is in it are
// guarded by FS.mu once it is part of a FS.
type Item struct {
	name   string
	typ    Type
	parent *Item // nil for the top, and once it is removed
	fixed  bool  // programs cannot remove it

	children []*Item
	links    []*link
	linked   int // links to it
}

// A link is a symbolic link in an item.
type link struct {
	name   string
	target *Item
}

// NewItem returns an item with those below it that come and go with it
// (configfs_add_default_group).
func NewItem(name string, typ Type, children ...*Item) *Item {
	i := &Item{name: name, typ: typ, children: children}
	for _, c := range children {
		c.parent, c.fixed = i, true
	}
	return i
}

// Name returns the name of the item.
func (i *Item) Name() string { return i.name }

// A FS is a file system. All methods may be called concurrently.
type FS struct {
	changes sync.Mutex

	mu  sync.Mutex
	top *Item
}

// New returns a file system with the items of subsystems at its top.
func New(subsystems ...*Item) *FS {
	return &FS{top: NewItem("", Type{}, subsystems...)}
}

func refuse(errno unix.Errno, what, format string, args ...any) error {
	return fmt.Errorf("configfs: %s: "+format+": %w", append(append([]any{what}, args...), errno)...)
}

// find returns the item at the path, such as vkms/desk. The caller holds mu.
func (f *FS) find(path string) *Item {
	item := f.top
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			continue
		}
		i := slices.IndexFunc(item.children, func(c *Item) bool { return c.name == name })
		if i < 0 {
			return nil
		}
		item = item.children[i]
	}
	return item
}

// has reports whether something in the item has the name. The caller holds mu.
func (i *Item) has(name string) bool {
	return slices.ContainsFunc(i.children, func(c *Item) bool { return c.name == name }) ||
		slices.ContainsFunc(i.links, func(l *link) bool { return l.name == name }) ||
		slices.ContainsFunc(i.typ.Attributes, func(a Attribute) bool { return a.Name == name })
}

// Mkdir makes an item in the one at dir. Errors: ENOENT, EEXIST, EPERM if programs
// make nothing there, and those of [Type.Make].
func (f *FS) Mkdir(dir, name string) error {
	what := "mkdir " + dir + "/" + name
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	parent := f.find(dir)
	exists := parent != nil && parent.has(name)
	f.mu.Unlock()
	switch {
	case parent == nil:
		return refuse(unix.ENOENT, what, "there is no %s", dir)
	case exists:
		return refuse(unix.EEXIST, what, "the name is taken")
	case parent.typ.Make == nil:
		return refuse(unix.EPERM, what, "nothing can be made there")
	}
	item, err := parent.typ.Make(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	item.parent = parent
	parent.children = append(parent.children, item)
	return nil
}

// Rmdir removes an item with those that come and go with it. Errors: ENOENT, EPERM
// for an item that no mkdir has made, EBUSY if there is a link to it, ENOTEMPTY if
// a program has made something in it.
func (f *FS) Rmdir(path string) error {
	what := "rmdir " + path
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	item := f.find(path)
	var err error
	switch {
	case item == nil:
		err = refuse(unix.ENOENT, what, "there is no such directory")
	case item == f.top || item.fixed:
		err = refuse(unix.EPERM, what, "no mkdir has made it")
	case item.linked > 0:
		err = refuse(unix.EBUSY, what, "there is a link to it")
	case !item.empty():
		err = refuse(unix.ENOTEMPTY, what, "remove what is in it first")
	}
	if err != nil {
		f.mu.Unlock()
		return err
	}
	parent := item.parent
	parent.children = slices.DeleteFunc(parent.children, func(c *Item) bool { return c == item })
	item.parent = nil
	f.mu.Unlock()
	item.release()
	return nil
}

// empty reports whether programs have made nothing in the item. The caller holds
// mu.
func (i *Item) empty() bool {
	return len(i.links) == 0 && !slices.ContainsFunc(i.children, func(c *Item) bool { return !c.fixed || !c.empty() })
}

// release tells the driver that the item is gone, those below it first.
func (i *Item) release() {
	for _, c := range i.children {
		c.release()
	}
	if i.typ.Release != nil {
		i.typ.Release()
	}
}

// Symlink makes a link in the item at dir to the one at target. Errors: ENOENT,
// EEXIST, EPERM if no links are allowed there, and those of [Type.AllowLink].
func (f *FS) Symlink(target, dir, name string) error {
	what := "link " + dir + "/" + name
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	from, to := f.find(dir), f.find(target)
	exists := from != nil && from.has(name)
	f.mu.Unlock()
	switch {
	case from == nil:
		return refuse(unix.ENOENT, what, "there is no %s", dir)
	case exists:
		return refuse(unix.EEXIST, what, "the name is taken")
	case from.typ.AllowLink == nil:
		return refuse(unix.EPERM, what, "there can be no links")
	case to == nil:
		return refuse(unix.ENOENT, what, "there is no %s", target)
	}
	if err := from.typ.AllowLink(to); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from.links = append(from.links, &link{name, to})
	to.linked++
	return nil
}

// Unlink removes a link. Errors: ENOENT; EPERM for an attribute.
func (f *FS) Unlink(dir, name string) error {
	what := "unlink " + dir + "/" + name
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	from := f.find(dir)
	if from == nil {
		f.mu.Unlock()
		return refuse(unix.ENOENT, what, "there is no %s", dir)
	}
	i := slices.IndexFunc(from.links, func(l *link) bool { return l.name == name })
	if i < 0 {
		exists := from.has(name)
		f.mu.Unlock()
		if exists {
			return refuse(unix.EPERM, what, "it is no link")
		}
		return refuse(unix.ENOENT, what, "there is no such link")
	}
	to := from.links[i].target
	from.links = slices.Delete(from.links, i, i+1)
	to.linked--
	f.mu.Unlock()
	if from.typ.DropLink != nil {
		from.typ.DropLink(to)
	}
	return nil
}

// A Visitor is told what is in a file system.
type Visitor struct {
	Dir  func(path string)
	File func(path string, a Attribute)
	// Link has the path of the item that the link leads to.
	Link func(path, target string)
}

// Walk tells v everything below the top, each directory before what is in it.
// Paths are like vkms/desk/enabled.
func (f *FS) Walk(v Visitor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var walk func(dir string, i *Item)
	walk = func(dir string, i *Item) {
		for _, a := range i.typ.Attributes {
			v.File(dir+a.Name, a)
		}
		for _, l := range i.links {
			v.Link(dir+l.name, l.target.path())
		}
		for _, c := range i.children {
			v.Dir(dir + c.name)
			walk(dir+c.name+"/", c)
		}
	}
	walk("", f.top)
}

// path returns the path of the item from the top. The caller holds FS.mu.
func (i *Item) path() string {
	if i.parent == nil || i.parent.name == "" {
		return i.name
	}
	return i.parent.path() + "/" + i.name
}
