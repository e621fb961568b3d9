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

// versionStrings checks how strings are returned: the client passes the length
// of its buffer, and gets as much as fits and the full length.
func versionStrings(t *tester) {
	f := t.Open()
	var length uapi.Version
	f.Must(uapi.IoctlVersion, &length)
	if length.NameLen == 0 {
		t.Errorf("the driver has an empty name: %+v", length)
	}
	read := func(room uint64) (string, uapi.Version) {
		text := make([]byte, 1+room)
		arg := uapi.Version{Name: addr(t, text), NameLen: room}
		f.Must(uapi.IoctlVersion, &arg)
		return unix.ByteSliceToString(text), arg
	}
	whole, v := read(length.NameLen)
	equal(t, "the length of the name", uint64(len(whole)), length.NameLen)
	equal(t, "the length returned with enough room", v.NameLen, length.NameLen)
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
		f.Want("with a string at a bad address", uapi.IoctlVersion, &arg, unix.EFAULT)
	}
	f.Want("with lengths but NULL pointers", uapi.IoctlVersion, &uapi.Version{NameLen: 100, DateLen: 100, DescLen: 100})
}

// setVersion checks that SET_VERSION returns the versions in use; -1 requests
// no change.
func setVersion(t *tester) {
	f := t.Open()
	f.Must(uapi.IoctlSetMaster, nil)
	arg := uapi.SetVersion{DiMajor: -1, DiMinor: -1, DdMajor: -1, DdMinor: -1}
	f.Want("without a change", uapi.IoctlSetVersion, &arg)
	var version uapi.Version
	f.Must(uapi.IoctlVersion, &version)
	equal(t, "the major version of the interface", arg.DiMajor, 1)
	equal(t, "the minor version of the interface", arg.DiMinor, 4)
	equal(t, "the major version of the driver", arg.DdMajor, version.VersionMajor)
	equal(t, "the minor version of the driver", arg.DdMinor, version.VersionMinor)
	for minor := range int32(5) {
		f.Want("to 1.0 to 1.4", uapi.IoctlSetVersion, &uapi.SetVersion{DiMajor: 1, DiMinor: minor, DdMajor: -1})
	}
	f.Want("to the driver's version", uapi.IoctlSetVersion,
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
		f.Want("to a nonexistent version", uapi.IoctlSetVersion, &arg, unix.EINVAL)
		equal(t, "the interface version, returned all the same", [2]int32{arg.DiMajor, arg.DiMinor}, [2]int32{1, 4})
		equal(t, "the driver version, returned all the same", arg.DdMajor, version.VersionMajor)
	}
}

// unique checks that a master has a bus id after it has set version 1.1 or
// later of the interface. libdrm relies on it.
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
		t.Fatal("the bus id is empty after SET_VERSION")
	}
	text := make([]byte, length)
	arg = uapi.Unique{Unique: addr(t, text), UniqueLen: length}
	f.Want("with room", uapi.IoctlGetUnique, &arg)
	equal(t, "the length of the bus id", len(unix.ByteSliceToString(text)), int(length))

	// Unlike VERSION, it returns all or nothing.
	clear(text)
	arg = uapi.Unique{Unique: addr(t, text), UniqueLen: length - 1}
	f.Want("with too little room", uapi.IoctlGetUnique, &arg)
	equal(t, "the length with too little room", arg.UniqueLen, length)
	equal(t, "the bus id with too little room", text[0], 0)
	f.Want("at a bad address", uapi.IoctlGetUnique, &uapi.Unique{Unique: t.BadAddr(), UniqueLen: length}, unix.EFAULT)

	other := t.Open()
	arg = uapi.Unique{}
	other.Want("by another file of the same master", uapi.IoctlGetUnique, &arg)
	equal(t, "the length of the bus id for another file", arg.UniqueLen, length)
}

// stats checks that GET_STATS returns no statistics.
func stats(t *tester) {
	arg := uapi.Stats{Count: 99}
	t.Open().Want("", uapi.IoctlGetStats, &arg)
	equal(t, "the number of statistics", arg.Count, 0)
}

// client checks that GET_CLIENT describes the caller only.
func client(t *tester) {
	f := t.Open()
	var arg uapi.Client
	f.Want("of index 0", uapi.IoctlGetClient, &arg)
	equal(t, "the number of requests", arg.Iocs, 0)
	equal(t, "the magic number", arg.Magic, 0)
	for _, idx := range []int32{1, -1} {
		f.Want("of another client", uapi.IoctlGetClient, &uapi.Client{Idx: idx}, unix.EINVAL)
	}
}
