package drm

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/internal/handle"
	"github.com/udrm/udrm/drm/uapi"
)

// A Master may change what a device shows: struct drm_master. Several files can
// belong to one Master; at most one of them is the current master of the
// device. A Master also authenticates files: a client gets a magic number from
// GET_MAGIC and passes it to the master's client, which sends AUTH_MAGIC.
//
// A master may use all objects of its device, unless it is a lessee, made with
// CREATE_LEASE. A lessee is master while its lessor is.
type Master struct {
	// All guarded by Device.masterMu.
	unique string
	magics handle.Slots[*File]
	lease
}

// openMaster sets the master of a newly opened file: the current one or, if
// there is none, a new one (drm_master_open).
func (d *Device) openMaster(f *File) {
	d.masterMu.Lock()
	defer d.masterMu.Unlock()
	if d.master.Load() == nil {
		d.newMaster(f, f.client.PID)
		return
	}
	f.master.Store(d.master.Load())
}

// newMaster makes f the current master, with a Master of its own, for the
// process pid. The caller holds masterMu.
func (d *Device) newMaster(f *File, pid int) {
	if old := f.master.Load(); old != nil {
		old.magics.Free(f.magic)
		f.magic, f.magicUsed = 0, false
	}
	master := new(Master)
	f.master.Store(master)
	f.isMaster.Store(true)
	f.authenticated.Store(true)
	if !f.wasMaster {
		f.wasMaster, f.masterPID = true, pid
	}
	d.master.Store(master)
}

// releaseMaster ends the mastership of a file that is closed
// (drm_master_release). It reports whether a lease ended.
func (d *Device) releaseMaster(f *File) (leaseEnded bool) {
	d.masterMu.Lock()
	defer d.masterMu.Unlock()
	master := f.master.Load()
	master.magics.Free(f.magic)
	if !f.isMaster.Load() {
		return false
	}
	f.isMaster.Store(false)
	if d.master.Load() == master {
		d.master.Store(nil)
	}
	master.revokeAll()
	return master.endLease()
}

// IsMaster reports whether the file is the current master of its device, or a
// lessee of it.
//
// Why it needs no lock: once isMaster is set, File.master does not change, so
// the answer is that of the one moment at which Device.master is read. Opening
// and SET_MASTER store Device.master last.
func (f *File) IsMaster() bool {
	return f.isMaster.Load() && f.minor.dev.master.Load() == f.master.Load().owner()
}

// HasMaster reports whether a client is the current master of the device.
func (d *Device) HasMaster() bool { return d.master.Load() != nil }

// mayChangeMaster reports whether the caller may take and drop mastership: it
// was master before, or has CAP_SYS_ADMIN (drm_master_check_perm).
func (r *Request) mayChangeMaster() bool {
	client := r.Client()
	return r.File.wasMaster && client.PID == r.File.masterPID || client.Admin
}

func setMaster(dev *RegisteredDevice, req *Request, _ *struct{}) error {
	f := req.File
	dev.masterMu.Lock()
	defer dev.masterMu.Unlock()
	switch {
	case !req.mayChangeMaster():
		return fmt.Errorf("drm: SET_MASTER by a process that was never master and lacks CAP_SYS_ADMIN: %w", unix.EACCES)
	case f.IsMaster():
		return nil
	case dev.master.Load() != nil:
		return fmt.Errorf("drm: SET_MASTER while another file is master: %w", unix.EBUSY)
	case f.lessee:
		return fmt.Errorf("drm: SET_MASTER by a lessee: it is master while its lessor is: %w", unix.EINVAL)
	case !f.isMaster.Load():
		dev.newMaster(f, req.Client().PID)
	default:
		dev.master.Store(f.master.Load())
	}
	return nil
}

func dropMaster(dev *RegisteredDevice, req *Request, _ *struct{}) error {
	dev.masterMu.Lock()
	defer dev.masterMu.Unlock()
	switch {
	case !req.mayChangeMaster():
		return fmt.Errorf("drm: DROP_MASTER by a process that was never master and lacks CAP_SYS_ADMIN: %w", unix.EACCES)
	case !req.File.IsMaster():
		return fmt.Errorf("drm: DROP_MASTER by a file that is not the master: %w", unix.EINVAL)
	case req.File.lessee:
		return fmt.Errorf("drm: DROP_MASTER by a lessee: it is master while its lessor is: %w", unix.EINVAL)
	}
	dev.master.Store(nil)
	return nil
}

func getMagic(dev *RegisteredDevice, req *Request, arg *uapi.Auth) error {
	f := req.File
	dev.masterMu.Lock()
	defer dev.masterMu.Unlock()
	if f.magic == 0 {
		f.magic = f.master.Load().magics.Add(f)
	}
	arg.Magic = f.magic
	return nil
}

func authMagic(dev *RegisteredDevice, req *Request, arg *uapi.Auth) error {
	dev.masterMu.Lock()
	defer dev.masterMu.Unlock()
	f, ok := req.File.master.Load().magics.At(arg.Magic)
	if !ok || f.magicUsed {
		return fmt.Errorf("drm: AUTH_MAGIC: no client of this master has magic %d: %w", arg.Magic, unix.EINVAL)
	}
	f.authenticated.Store(true)
	f.magicUsed = true // the number is taken until the file is closed
	return nil
}
