package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var masterCases = []Case{
	{"master/first-opener", NeedMaster, firstOpener},
	{"master/set-and-drop", NeedMaster, setAndDrop},
	{"master/two-files", NeedMaster | NeedAdmin, twoFiles},
	{"master/unprivileged", NeedMaster, masterUnprivileged},
	{"master/close", NeedMaster | NeedAdmin, masterCloses},
	{"master/dup", NeedMaster, masterDup},
	{"magic/numbers", NeedMaster, magicNumbers},
	{"magic/once", NeedMaster, magicOnce},
	{"magic/closed", NeedMaster, magicClosed},
	{"open/exclusive", 0, openExclusive},
	{"open/read-only", 0, openReadOnly},
}

// asMaster sends a request that requires a master and changes nothing.
func asMaster(f *file) error {
	return f.Ioctl(uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: -1, DdMajor: -1})
}

// firstOpener checks that a file opened while there is no master becomes
// master.
func firstOpener(t *tester) {
	f := t.Open()
	t.Want("a master's request by the first file", asMaster(f))
	other := t.Open()
	t.Want("a master's request by the second file", asMaster(other), unix.EACCES)
	t.Must("close", f.Close())
	t.Want("a master's request by the second file after the first is closed", asMaster(other), unix.EACCES)
	t.Want("a master's request by a new file", asMaster(t.Open()))
}

func setAndDrop(t *tester) {
	f := t.Open()
	f.Want("as master", uapi.IoctlSetMaster, nil)
	f.Want("as master", uapi.IoctlDropMaster, nil)
	t.Want("a master's request after DROP_MASTER", asMaster(f), unix.EACCES)
	f.Want("again", uapi.IoctlDropMaster, nil, unix.EINVAL)
	f.Want("as former master", uapi.IoctlSetMaster, nil)
	t.Want("a master's request after SET_MASTER", asMaster(f))
}

func twoFiles(t *tester) {
	f, other := t.Open(), t.Open()
	other.Want("while another is master", uapi.IoctlSetMaster, nil, unix.EBUSY)
	other.Want("while another is master", uapi.IoctlDropMaster, nil, unix.EINVAL)
	f.Must(uapi.IoctlDropMaster, nil)
	other.Want("without a master", uapi.IoctlSetMaster, nil)
	f.Want("while another is master", uapi.IoctlSetMaster, nil, unix.EBUSY)
	t.Want("a master's request by the other file", asMaster(other))
	other.Must(uapi.IoctlDropMaster, nil)
	f.Want("after the other's DROP_MASTER", uapi.IoctlSetMaster, nil)
}

// masterUnprivileged checks that a file that was never master needs
// CAP_SYS_ADMIN for SET_MASTER and DROP_MASTER, and a former master does not.
func masterUnprivileged(t *tester) {
	f := t.Open()
	t.Unprivileged(func() {
		other := t.Open()
		other.Want("by a file that was never master", uapi.IoctlSetMaster, nil, unix.EACCES)
		other.Want("by a file that was never master", uapi.IoctlDropMaster, nil, unix.EACCES)
		f.Want("as master", uapi.IoctlDropMaster, nil)
		other.Want("by a file that was never master, without a master", uapi.IoctlSetMaster, nil, unix.EACCES)
		f.Want("as former master", uapi.IoctlSetMaster, nil)
	})
}

func masterCloses(t *tester) {
	f, other := t.Open(), t.Open()
	t.Must("close", f.Close())
	other.Want("after the master is closed", uapi.IoctlDropMaster, nil, unix.EINVAL)
	other.Want("after the master is closed", uapi.IoctlSetMaster, nil)
	t.Want("a master's request", asMaster(other))
}

// masterDup checks that the master is the open file, not one descriptor of it.
func masterDup(t *tester) {
	f := t.Open()
	dup := f.Dup()
	t.Want("a master's request by another descriptor", asMaster(dup))
	t.Must("close", f.Close())
	t.Want("a master's request after the first descriptor is closed", asMaster(dup))
	dup.Want("by another descriptor", uapi.IoctlDropMaster, nil)
	dup.Want("by another descriptor", uapi.IoctlSetMaster, nil)
	t.Must("close", dup.Close())
	t.Want("a master's request by the next file", asMaster(t.Open()))
}

func magicNumbers(t *tester) {
	f, other := t.Open(), t.Open()
	var first, again, others uapi.Auth
	f.Must(uapi.IoctlGetMagic, &first)
	f.Must(uapi.IoctlGetMagic, &again)
	other.Must(uapi.IoctlGetMagic, &others)
	equal(t, "the magic number, asked for again", again, first)
	if first == others {
		t.Errorf("two files have the magic number %d", first.Magic)
	}
	if first.Magic == 0 || others.Magic == 0 {
		t.Errorf("a magic number is 0")
	}
	f.Want("of its own magic", uapi.IoctlAuthMagic, &first)
	f.Want("of another file's magic", uapi.IoctlAuthMagic, &others)
	f.Want("of a nonexistent magic", uapi.IoctlAuthMagic, &uapi.Auth{Magic: 0}, unix.EINVAL)
	f.Want("of a nonexistent magic", uapi.IoctlAuthMagic, &uapi.Auth{Magic: 0x7fffffff}, unix.EINVAL)
}

// magicOnce checks that a magic number can be used once.
func magicOnce(t *tester) {
	f, other := t.Open(), t.Open()
	var magic uapi.Auth
	other.Must(uapi.IoctlGetMagic, &magic)
	f.Want("", uapi.IoctlAuthMagic, &magic)
	f.Want("a second time", uapi.IoctlAuthMagic, &magic, unix.EINVAL)
}

func magicClosed(t *tester) {
	f, other := t.Open(), t.Open()
	var magic uapi.Auth
	other.Must(uapi.IoctlGetMagic, &magic)
	t.Must("close", other.Close())
	f.Want("of a closed file's magic", uapi.IoctlAuthMagic, &magic, unix.EINVAL)
}

// openExclusive checks that a node cannot be opened exclusively.
func openExclusive(t *tester) {
	primary, _ := t.nodes()
	fd, err := t.target.System.Open(primary, unix.O_RDWR|unix.O_EXCL)
	if err == nil {
		t.File(fd, primary)
	}
	t.Want("open with O_EXCL", err, unix.EBUSY)
}

// openReadOnly checks that a file opened for reading may send requests.
func openReadOnly(t *tester) {
	primary, _ := t.nodes()
	f := t.OpenPath(primary, unix.O_RDONLY)
	f.Want("by a file opened for reading", uapi.IoctlVersion, &uapi.Version{})
	f.Want("by a file opened for reading", uapi.IoctlGetMagic, &uapi.Auth{})
}
