package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var versionCases = []Case{
	{"version/strings", 0, versionStrings},
	{"version/bad-pointer", 0, versionBadPointer},
	{"version/interface", NeedMaster, setVersion},
	{"version/interface-too-new", NeedMaster, setVersionTooNew},
	{"unique/before-and-after-set-version", NeedMaster, unique},
	{"stats", 0, stats},
	{"client/self", 0, client},
}

// versionStrings is the way of all strings and arrays: the client says how
// much room it has, gets as much as fits, and how long the whole is.
func versionStrings(t *tester) {
	f := t.Open()
	var length uapi.Version
	f.Must(uapi.IoctlVersion, &length)
	if length.NameLen == 0 {
		t.Errorf("the driver has no name: %+v", length)
	}
	read := func(room uint64) (string, uapi.Version) {
		text := make([]byte, 1+room)
		arg := uapi.Version{Name: addr(t, text), NameLen: room}
		f.Must(uapi.IoctlVersion, &arg)
		return unix.ByteSliceToString(text), arg
	}
	whole, v := read(length.NameLen)
	equal(t, "the length of the name", uint64(len(whole)), length.NameLen)
	equal(t, "the length that a client with room is told", v.NameLen, length.NameLen)
	equal(t, "the major version", v.VersionMajor, length.VersionMajor)
	for _, room := range []uint64{0, 1, length.NameLen - 1, length.NameLen + 7} {
		got, v := read(room)
		equal(t, "the name with less or more room", got, whole[:min(room, length.NameLen)])
		equal(t, "the length of the name with less or more room", v.NameLen, length.NameLen)
	}
}

func versionBadPointer(t *tester) {
	f := t.Open()
	for _, arg := range []uapi.Version{
		{Name: t.BadAddr(), NameLen: 1},
		{Desc: t.BadAddr(), DescLen: 1},
	} {
		f.Want("with a bad address for a string", uapi.IoctlVersion, &arg, unix.EFAULT)
	}
	f.Want("with lengths and no strings", uapi.IoctlVersion, &uapi.Version{NameLen: 100, DateLen: 100, DescLen: 100})
}

// setVersion answers the versions that there are; -1 asks for none.
func setVersion(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	arg := uapi.SetVersion{DiMajor: -1, DiMinor: -1, DdMajor: -1, DdMinor: -1}
	f.Want("to nothing", uapi.IoctlSetVersion, &arg)
	var version uapi.Version
	f.Must(uapi.IoctlVersion, &version)
	equal(t, "the major version of the interface", arg.DiMajor, 1)
	equal(t, "the minor version of the interface", arg.DiMinor, 4)
	equal(t, "the major version of the driver", arg.DdMajor, version.VersionMajor)
	equal(t, "the minor version of the driver", arg.DdMinor, version.VersionMinor)
	for minor := range int32(5) {
		f.Want("to 1.0 to 1.4", uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: 1, DiMinor: minor, DdMajor: -1})
	}
	f.Want("to the driver's", uapi.IoctlSetVersion,
		&uapi.SetVersion{DiMajor: -1, DdMajor: version.VersionMajor, DdMinor: version.VersionMinor})
}

func setVersionTooNew(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	var version uapi.Version
	f.Must(uapi.IoctlVersion, &version)
	for _, arg := range []uapi.SetVersion{
		{DiMajor: 1, DiMinor: 5, DdMajor: -1},
		{DiMajor: 1, DiMinor: -1, DdMajor: -1},
		{DiMajor: 2, DiMinor: 0, DdMajor: -1},
		{DiMajor: 0, DiMinor: 0, DdMajor: -1},
		{DiMajor: -2, DdMajor: -1},
		{DiMajor: -1, DdMajor: version.VersionMajor, DdMinor: version.VersionMinor + 1},
		{DiMajor: -1, DdMajor: version.VersionMajor, DdMinor: -1},
		{DiMajor: -1, DdMajor: version.VersionMajor + 1},
	} {
		f.Want("to what there is not", uapi.IoctlSetVersion, &arg, unix.EINVAL)
		equal(t, "the interface, as it is all the same", [2]int32{arg.DiMajor, arg.DiMinor}, [2]int32{1, 4})
		equal(t, "the driver, as it is all the same", arg.DdMajor, version.VersionMajor)
	}
}

// unique is that a master has a bus id once it has said that it knows version
// 1.1 of the interface; libdrm relies on it.
func unique(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	var arg uapi.Unique
	f.Want("before SET_VERSION", uapi.IoctlGetUnique, &arg)
	equal(t, "the length of the bus id before SET_VERSION", arg.UniqueLen, 0)

	f.Must(uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: 1, DiMinor: 4, DdMajor: -1})
	f.Want("", uapi.IoctlGetUnique, &arg)
	length := arg.UniqueLen
	if length == 0 {
		t.Fatal("there is no bus id after SET_VERSION")
	}
	text := make([]byte, length)
	arg = uapi.Unique{Unique: addr(t, text), UniqueLen: length}
	f.Want("with room", uapi.IoctlGetUnique, &arg)
	equal(t, "the length of the bus id", len(unix.ByteSliceToString(text)), int(length))

	// In contrast to VERSION: all, or nothing.
	clear(text)
	arg = uapi.Unique{Unique: addr(t, text), UniqueLen: length - 1}
	f.Want("with too little room", uapi.IoctlGetUnique, &arg)
	equal(t, "the length with too little room", arg.UniqueLen, length)
	equal(t, "the bus id with too little room", text[0], 0)
	f.Want("at a bad address", uapi.IoctlGetUnique, &uapi.Unique{Unique: t.BadAddr(), UniqueLen: length}, unix.EFAULT)

	other := t.Open()
	arg = uapi.Unique{}
	other.Want("by another client of the master", uapi.IoctlGetUnique, &arg)
	equal(t, "the length of the bus id for another client", arg.UniqueLen, length)
}

// stats answers nothing since there is nothing to tell.
func stats(t *tester) {
	arg := uapi.Stats{Count: 99}
	t.Open().Want("", uapi.IoctlGetStats, &arg)
	equal(t, "how many statistics there are", arg.Count, 0)
}

// client answers the caller about itself and nothing else, since others were
// nobody's business.
func client(t *tester) {
	f := t.Open()
	var arg uapi.Client
	f.Want("0", uapi.IoctlGetClient, &arg)
	equal(t, "how many requests", arg.Iocs, 0)
	equal(t, "its magic number", arg.Magic, 0)
	for _, idx := range []int32{1, -1} {
		f.Want("of another client", uapi.IoctlGetClient, &uapi.Client{Idx: idx}, unix.EINVAL)
	}
}
