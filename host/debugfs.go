package host

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence/swsync"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Programs find the files that a device has in debugfs (drm.DebugfsFile) where
// the kernel has them: in a directory named as the device on its bus, to which
// links lead that are named as its minors.

const debugfsRoot = "/sys/kernel/debug"

// debugfsDev is the minor device number of our debugfs: as of every file
// system without a disk, that of nothing else.
const debugfsDev = 0xfdeb6

func inDebugfs(path string) bool {
	rest, ok := strings.CutPrefix(path, debugfsRoot)
	return ok && (rest == "" || rest[0] == '/')
}

// addDebugfs adds a debugfs, if none is mounted, and what it says of the
// devices.
func addDebugfs(t *vfs.Tree, devices []*drm.Device) {
	var st unix.Statfs_t
	if unix.Statfs(debugfsRoot, &st) != nil || st.Type != unix.DEBUGFS_MAGIC {
		t.AddDir(debugfsRoot)
	}
	t.AddContent(debugfsRoot+"/sync/sw_sync", 0o666, vfs.Content{Open: swsync.Open})
	dri := debugfsRoot + "/dri"
	t.AddDir(dri)
	for _, d := range devices {
		dir := dri + "/" + d.Unique()
		t.AddDir(dir)
		for _, f := range d.DebugfsFiles() {
			t.AddContent(dir+"/"+f.Path, debugfsPerm(&f), vfs.Content{Show: f.Show, Store: f.Store, Open: f.Open})
		}
		for _, m := range []*drm.Minor{d.Primary(), d.Render()} {
			if m != nil {
				t.AddLink(dri+"/"+strconv.Itoa(m.Number()), d.Unique())
			}
		}
	}
}

func debugfsPerm(f *drm.DebugfsFile) (perm uint32) {
	if f.Show != nil || f.Open != nil {
		perm |= 0o444
	}
	if f.Store != nil {
		perm |= 0o200
	}
	return perm
}
