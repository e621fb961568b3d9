package host

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/fence/swsync"
	"github.com/udrm/udrm/host/internal/vfs"
)

// Programs find the debugfs files of a device (drm.DebugfsFile) where the
// kernel has them: in a directory named like the device on its bus. Links named
// like its minors lead there.

const debugfsRoot = "/sys/kernel/debug"

// debugfsDev is the minor device number of the virtual debugfs. It differs from
// those of real file systems without a disk, which are small.
const debugfsDev = 0xfdeb6

func inDebugfs(path string) bool {
	rest, ok := strings.CutPrefix(path, debugfsRoot)
	return ok && (rest == "" || rest[0] == '/')
}

// addDebugfs adds the debugfs files of the devices, and a debugfs if none is
// mounted.
func addDebugfs(t *vfs.Tree, devices []*drm.Device) {
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Statfs(debugfsRoot, &fs) != nil || fs.Type != unix.DEBUGFS_MAGIC || unix.Stat(debugfsRoot, &st) != nil {
		t.AddDir(debugfsRoot)
		st.Mode = 0o700
	}
	t.Chmod(debugfsRoot, st.Mode&0o777)
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
