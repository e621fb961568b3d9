package host

import (
	"bytes"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/thread"
	"github.com/udrm/udrm/host/internal/vfs"
)

// maxRealLinks bounds the chain of real links that leads to a virtual file.
const maxRealLinks = 4

// packaged are the directories in which only packages install files: no user
// and no udev rule puts a link to a card there. Most paths of programs lie
// there, and looking for a link would cost a sixth more.
var packaged = [...]string{"/usr/", "/lib", "/etc/", "/bin/", "/sbin/", "/opt/", "/proc/", "/sys/", "/nix/"}

func isPackaged(path []byte) bool {
	for _, prefix := range packaged {
		if bytes.HasPrefix(path, []byte(prefix)) {
			return true
		}
	}
	return false
}

// linkedTo reports whether a real link leads to virtual files, directly or
// through others: one at the end of the path if follow is set, or one on the way,
// behind which nothing real is. above says that there can be one on the way.
func (c *call) linkedTo(tree *vfs.Tree, full []byte, above, follow bool) bool {
	if isPackaged(full) {
		return false
	}
	for range maxRealLinks {
		target, err := "", unix.ENOENT
		if follow {
			target, err = c.linkHint(full)
		}
		switch {
		case err == unix.EINVAL:
			return false // in most cases: it is not a link
		case err == 0 && len(target) > 0:
			full, above = linkTarget(full, target), true
		case !above:
			return false
		default:
			if full = c.throughLink(full); full == nil {
				return false
			}
		}
		if relevant(tree, full) {
			return true
		}
	}
	return false
}

func (c *call) linkHint(path []byte) (target string, errno unix.Errno) {
	target, err := c.tid().LinkHint(string(path))
	if err != nil {
		return "", errnoOf(err)
	}
	return target, 0
}

// throughLink returns another path of the file at full, if a link is on the way,
// or nil. The program can exchange the link: this is only a hint.
func (c *call) throughLink(full []byte) []byte {
	end := bytes.LastIndexByte(full, '/')
	for range maxDepth {
		if end <= 0 {
			return nil
		}
		dir := full[:end]
		if c.plain.is(c.tid(), dir) {
			return nil
		}
		if real, err := c.tid().DirectoryHint(string(dir)); err == nil {
			inside, ok := c.inRoot([]byte(real))
			if ok && !bytes.Equal(inside, dir) {
				return slices.Concat(inside, full[end:])
			}
			c.plain.set(c.tid(), dir) // in most cases
			return nil
		}
		if target, errno := c.linkHint(dir); errno == 0 && len(target) > 0 {
			return slices.Concat(linkTarget(dir, target), full[end:])
		}
		end = bytes.LastIndexByte(dir, '/')
	}
	return nil
}

// maxDepth bounds the directories of a path that are looked at.
const maxDepth = 40

// A plainDir is a directory that a thread has used, and to which no link leads.
// Programs use the files of a directory one after another.
type plainDir struct {
	tid  thread.ID
	path []byte
	seen time.Time
}

// plainFor is how long a directory counts as plain: a program that replaces it
// by a link to a virtual one takes longer to notice.
const plainFor = 20 * time.Millisecond

func (d *plainDir) is(tid thread.ID, path []byte) bool {
	return d.tid == tid && bytes.Equal(d.path, path) && time.Since(d.seen) < plainFor
}

func (d *plainDir) set(tid thread.ID, path []byte) {
	d.tid, d.path, d.seen = tid, append(d.path[:0], path...), time.Now()
}

// linkTarget returns where the link at path leads.
func linkTarget(path []byte, target string) []byte {
	if target[0] == '/' {
		return []byte(target)
	}
	return slices.Concat(path[:bytes.LastIndexByte(path, '/')+1], []byte(target))
}
