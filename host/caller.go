package host

import (
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/host/internal/files"
)

// A program sees the effects of its own closes and writes before its next call
// is answered, as on a kernel. Those of another process it waits for only
// shortly: see files.Attributes and files.Table.

// Within implements files.Caller.
func (c *call) Within(pid int) bool { return isThreadOf(c.tid(), pid) }

// PID implements files.Caller.
func (c *call) PID() int { return c.client().PID }

// Account implements files.Caller.
func (c *call) Account() *drm.Account { return c.account }

// Wait implements files.Caller.
func (c *call) Wait(done <-chan struct{}, limit time.Duration) {
	select {
	case <-done:
		return
	default:
	}
	c.worker.mayWait()
	if limit > 0 {
		files.Wait(done, limit, nil)
		return
	}
	r := c.staying()
	defer r.end()
	files.Wait(done, 0, r.Done())
}

// opener returns the process that makes the call, as the owner of a file.
func (c *call) opener() *files.Opener {
	return &files.Opener{Client: c.client(), Program: c.server, NoIoctl: c.noIoctl}
}

// settle waits until what the program has done to f, and what it has closed, has
// taken effect, as far as the request depends on it.
func (c *call) settle(f *files.File, cmd uint32) {
	if c.host.files.Count() > 1 {
		// The release of one file can change what another may do.
		c.host.files.Drain(c)
		if cmd == uapi.IoctlSetMaster && f.Node() != nil {
			c.host.files.AwaitMaster(c, f.Node().Device())
		}
	}
}
