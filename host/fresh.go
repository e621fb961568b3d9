package host

import (
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/host/internal/vfs"
)

// A freshFile is an empty file that the file server has for one test of Landlock,
// in the directory of a node. The kernel applies the same rules to both. It is not
// listed, and nothing is in it.
type freshFile struct {
	path string
	ino  uint64
}

// freshNode is what a freshFile is.
var freshNode = &vfs.Node{Kind: vfs.File, Perm: 0o666, Content: vfs.Content{Show: constant("")}}

// freshFiles are those that are there. The zero value is ready.
type freshFiles struct {
	mu   sync.Mutex
	last uint64
	has  map[string]bool
}

func (f *freshFiles) make(dir string) freshFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.has == nil {
		f.has = make(map[string]bool)
	}
	f.last++
	path := filepath.Join(dir, ".udrm-"+strconv.FormatUint(f.last, 10))
	f.has[path] = true
	return freshFile{path, inodeOf(path)}
}

func (f *freshFiles) remove(file freshFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.has, file.path)
}

func (f *freshFiles) is(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.has[path]
}

// has reports whether st is the status of a freshFile, as programs see it.
func (m *mounted) has(file freshFile, st *unix.Stat_t) bool {
	return file.path != "" && st.Dev == m.device(file.path) && st.Ino == file.ino
}
