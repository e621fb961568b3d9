package thread

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// opening are the functions that take paths.
var opening = map[string][]string{
	"os": {"Open", "OpenFile", "OpenInRoot", "OpenRoot", "Create", "ReadFile", "WriteFile", "ReadDir", "Readlink", "Stat", "Lstat",
		"Mkdir", "MkdirAll", "MkdirTemp", "CreateTemp", "Remove", "RemoveAll", "Rename", "Link", "Symlink", "Chmod", "Chown", "Lchown", "Chtimes", "Truncate", "DirFS", "Chdir"},
	"unix": {"Open", "Openat", "Openat2", "OpenTree", "Creat", "Stat", "Lstat", "Fstatat", "Statx", "Statfs", "Readlink", "Readlinkat",
		"Access", "Faccessat", "Faccessat2", "Chmod", "Fchmodat", "Fchmodat2", "Chown", "Lchown", "Fchownat", "Chdir", "Mknod", "Mknodat", "Mkdir", "Mkdirat",
		"Unlink", "Unlinkat", "Rename", "Renameat", "Renameat2", "Link", "Linkat", "Symlink", "Symlinkat", "Truncate", "Utimes", "UtimesNanoAt",
		"Getxattr", "Lgetxattr", "InotifyAddWatch", "NameToHandleAt", "Mount", "Chroot", "PivotRoot"},
	"filepath": {"Glob", "EvalSymlinks", "Walk", "WalkDir"},
}

// allowed says which paths the files of package host and below use. None is a
// path that a program gave, except in root.go.
var allowed = map[string]string{
	"internal/thread/root.go": "the paths of programs, confined",

	"internal/thread/prompt.go": "what root.go looks at, confined; /proc/TID",

	"internal/thread/alarm.go":       "/proc/TID",
	"internal/thread/credentials.go": "/proc/TID",
	"internal/gate/gate.go":          "/proc, /proc/PID/task",
	"internal/thread/fds.go":         "/proc/TID",
	"internal/thread/inspect.go":     "/proc/TID",
	"internal/thread/memory.go":      "/proc/TID",
	"internal/thread/proc.go":        "/proc/TID",
	"internal/thread/relay_begin.go": "/proc/self",
	"internal/thread/room.go":        "/proc of the host",
	"internal/thread/texts.go":       "/proc/self/fd, /proc/TID",
	"internal/thread/statx.go":       "/proc/TID, and what root.go opened",
	"internal/thread/withheld.go":    "/proc/TID",
	"internal/cgroup/cgroup.go":      "/proc/self/cgroup, and /sys/fs/cgroup of the host",
	"internal/child/adopt.go":        "/proc/PID",
	"internal/child/ending.go":       "/proc/PID",
	"internal/files/proof.go":        "/proc/self/fd, /proc/sys, and links of /proc/TID/fd, which it does not open",
	"internal/cleaner/callers.go":    "/proc of the host",
	"internal/cleaner/processes.go":  "/proc of the host",
	"internal/cleaner/remove.go":     "the private directory and the sockets of the host",
	"internal/cleaner/run.go":        "/proc of the host",
	"internal/confine/oom.go":        "/proc of the host",
	"internal/mounts/cover.go":       "directories of the tree, in the namespace before programs run in it",
	"internal/mounts/change.go":      "names of the tree in directories that a tmpfs covers; no link at the end is followed",
	"internal/mounts/namespace.go":   "/dev/fuse, /proc/thread-self, the working directory of this process",
	"internal/launcher/launcher.go":  "/proc/self, /dev/null",
	"internal/launcher/network.go":   "/proc/self",
	"internal/launcher/run.go":       "/proc/self, the working directory that the starter of a program chose",
	"internal/udev/netlink.go":       "/proc/thread-self",
	"internal/udev/process.go":       "/proc/self",
	"internal/shadow/detached.go":    "the private directory",
	"internal/shadow/shadow.go":      "the private directory",
	"internal/shadow/fresh.go":       "the private directory",
	"internal/snapshot/snapshot.go":  "/proc/self/fd",
	"announce.go":                    "names of the tree, below the root of the mounts",
	"chardev.go":                     "/proc/self/fd",
	"debugfs.go":                     "/sys/kernel/debug of the host",
	"descriptors_unsafe.go":          "/proc/sys",
	"host.go":                        "/dev of the host",
	"inject.go":                      "/proc/self/fd",
	"mounts.go":                      "directories of the tree, of the host",
	"mountview.go":                   "directories of the tree, of the host",
	"process.go":                     "the working directory that the starter of a program chose",
	"proclinks.go":                   "/proc of the host",
	"virtualfiles.go":                "directories of the tree, of the host, and names in them; no link is followed",
	"stat.go":                        "/dev, /sys and /run of the host",
	"udevd.go":                       "/run/udev of the host",
}

// TestOneWayToFiles checks that this process resolves the paths of programs in
// one place: no other file of package host calls a function that takes a path,
// except for the files above.
func TestOneWayToFiles(t *testing.T) {
	const top = "../.."
	calls := make(map[string][]string)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "doctor" {
			return errOr(err, fs.SkipDir)
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Obj == nil && slices.Contains(opening[pkg.Name], sel.Sel.Name) {
				calls[name] = append(calls[name], pkg.Name+"."+sel.Sel.Name)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if allowed[name] == "" {
			t.Errorf("host/%s calls %s: let the program's own thread open its files, or look at them in root.go",
				name, strings.Join(calls[name], ", "))
		}
	}
	for name := range allowed {
		if len(calls[name]) == 0 {
			t.Errorf("host/%s takes no path any more: remove it from the list", name)
		}
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
