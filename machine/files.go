package machine

import (
	"os"
	"runtime"
	"strings"

	"github.com/udrm/udrm/host"
	"github.com/udrm/udrm/machine/fusefs"
)

// Files is a way in which programs see the files of the cards.
type Files string

const (
	// Calls answers all calls on paths.
	Calls Files = "calls"

	// Mounts mounts the files in a namespace of the programs. Other calls on paths
	// are then nearly as fast as without udrm. It takes CAP_SYS_ADMIN and /dev/fuse.
	Mounts Files = "mounts"

	// CallsOrMounts is Mounts where that is possible, and Calls elsewhere: where a
	// right is missing, under a debugger, with EveryRoot, and on architectures other
	// than x86-64.
	CallsOrMounts Files = "auto"
)

// fileServer returns what serves the files in mounts, or nil.
func (o Options) fileServer() host.FileServer {
	if o.Files == Mounts || o.Files == CallsOrMounts && runtime.GOARCH == "amd64" && !o.EveryRoot && !isTraced() {
		return fusefs.Serve
	}
	return nil
}

// isTraced reports whether a debugger traces this process, and so the programs. Where
// the files are mounted, such programs cannot open a node in every way.
func isTraced() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err == nil && !strings.Contains(string(status), "\nTracerPid:\t0\n")
}
