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

// asMaster sends what only a master may, and changes nothing.
func asMaster(f *file) error {
	return f.Ioctl(uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: -1, DdMajor: -1})
}

// firstOpener is that who opens the node while there is no master is it.
func firstOpener(t *tester) {
	f := t.Open()
	t.Want("a request of the master, by who has opened the node first", asMaster(f))
	other := t.Open()
	t.Want("a request of the master, by the second", asMaster(other), unix.EACCES)
	t.Must("close", f.Close())
	t.Want("a request of the master, by the second, when the first has closed", asMaster(other), unix.EACCES)
	t.Want("a request of the master, by who opens it now", asMaster(t.Open()))
}

func setAndDrop(t *tester) {
	f := t.Open()
	f.Want("by the master", uapi.IoctlSetMaster, nil)
	f.Want("by the master", uapi.IoctlDropMaster, nil)
	t.Want("a request of the master, after it was dropped", asMaster(f), unix.EACCES)
	f.Want("again", uapi.IoctlDropMaster, nil, unix.EINVAL)
	f.Want("by who was master", uapi.IoctlSetMaster, nil)
	t.Want("a request of the master, which it is again", asMaster(f))
}

func twoFiles(t *tester) {
	f, other := t.Open(), t.Open()
	other.Want("while another is master", uapi.IoctlSetMaster, nil, unix.EBUSY)
	other.Want("while another is master", uapi.IoctlDropMaster, nil, unix.EINVAL)
	f.Must(uapi.IoctlDropMaster, nil)
	other.Want("when there is none", uapi.IoctlSetMaster, nil)
	f.Want("while another is master", uapi.IoctlSetMaster, nil, unix.EBUSY)
	t.Want("a request of the master, by the other", asMaster(other))
	other.Must(uapi.IoctlDropMaster, nil)
	f.Want("back again", uapi.IoctlSetMaster, nil)
}

// masterUnprivileged is that a file that was never master needs a privilege to
// become or drop it, and one that was does not.
func masterUnprivileged(t *tester) {
	f := t.Open()
	t.Unprivileged(func() {
		other := t.Open()
		other.Want("by who never was master", uapi.IoctlSetMaster, nil, unix.EACCES)
		other.Want("by who never was master", uapi.IoctlDropMaster, nil, unix.EACCES)
		f.Want("by the master", uapi.IoctlDropMaster, nil)
		other.Want("by who never was master, when there is none", uapi.IoctlSetMaster, nil, unix.EACCES)
		f.Want("by who was master", uapi.IoctlSetMaster, nil)
	})
}

func masterCloses(t *tester) {
	f, other := t.Open(), t.Open()
	t.Must("close", f.Close())
	other.Want("when the master has closed", uapi.IoctlDropMaster, nil, unix.EINVAL)
	other.Want("when the master has closed", uapi.IoctlSetMaster, nil)
	t.Want("a request of the master", asMaster(other))
}

// masterDup is that the master is an open file, whatever descriptors it has.
func masterDup(t *tester) {
	f := t.Open()
	dup := f.Dup()
	t.Want("a request of the master, by another descriptor", asMaster(dup))
	t.Must("close", f.Close())
	t.Want("a request of the master, when the first descriptor is closed", asMaster(dup))
	dup.Want("by another descriptor", uapi.IoctlDropMaster, nil)
	dup.Want("by another descriptor", uapi.IoctlSetMaster, nil)
	t.Must("close", dup.Close())
	t.Want("a request of the master, by who opens it next", asMaster(t.Open()))
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
	f.Want("of its own", uapi.IoctlAuthMagic, &first)
	f.Want("of another", uapi.IoctlAuthMagic, &others)
	f.Want("of nobody", uapi.IoctlAuthMagic, &uapi.Auth{Magic: 0}, unix.EINVAL)
	f.Want("of nobody", uapi.IoctlAuthMagic, &uapi.Auth{Magic: 0x7fffffff}, unix.EINVAL)
}

// magicOnce is that a number is good for one time.
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
	f.Want("of a file that is closed", uapi.IoctlAuthMagic, &magic, unix.EINVAL)
}

// openExclusive is that nodes are there to be shared.
func openExclusive(t *tester) {
	primary, _ := t.nodes()
	fd, err := t.target.System.Open(primary, unix.O_RDWR|unix.O_EXCL)
	if err == nil {
		t.File(fd, primary)
	}
	t.Want("open with O_EXCL", err, unix.EBUSY)
}

// openReadOnly is that requests do not look at the mode of the file.
func openReadOnly(t *tester) {
	primary, _ := t.nodes()
	f := t.OpenPath(primary, unix.O_RDONLY)
	f.Want("by a file that is open for reading", uapi.IoctlVersion, &uapi.Version{})
	f.Want("by a file that is open for reading", uapi.IoctlGetMagic, &uapi.Auth{})
}
