package conformance

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
)

var nameCases = []Case{
	{"name/flink-and-open", NeedNames, flinkAndOpen},
	{"name/errors", NeedNames, nameErrors},
	{"name/life", NeedNames, nameLife},
}

// flinkAndOpen checks that a name gives another file access to the buffer.
func flinkAndOpen(t *tester) {
	f := t.Open()
	other := t.OpenAuthenticated(f)
	dumb := t.NewDumb(f, 64, 64, 32)
	name, again := uapi.GEMFlink{Handle: dumb.Handle}, uapi.GEMFlink{Handle: dumb.Handle}
	f.Must(uapi.IoctlGEMFlink, &name)
	f.Must(uapi.IoctlGEMFlink, &again)
	equal(t, "the name, requested again", again.Name, name.Name)
	second := t.NewDumb(f, 64, 64, 32)
	another := uapi.GEMFlink{Handle: second.Handle}
	f.Must(uapi.IoctlGEMFlink, &another)
	if another.Name == name.Name || name.Name == 0 {
		t.Errorf("two buffers have the names %d and %d", name.Name, another.Name)
	}
	open := uapi.GEMOpen{Name: name.Name}
	other.Must(uapi.IoctlGEMOpen, &open)
	equal(t, "the size of the buffer", open.Size, dumb.Size)

	pixels, _ := mapDumb(f, &dumb)
	same := dumb
	same.Handle = open.Handle
	others, _ := mapDumb(other, &same)
	pixels[0] = 42
	equal(t, "the contents seen by the other file", others[0], 42)
}

func nameErrors(t *tester) {
	f := t.Open()
	for _, n := range []uint32{0, math.MaxUint32} {
		f.Want("of a nonexistent handle", uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: n}, unix.ENOENT)
		f.Want("of a nonexistent name", uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: n}, unix.ENOENT)
	}
}

// nameLife checks that a name lives as long as any file has a handle of the
// buffer.
func nameLife(t *tester) {
	f := t.Open()
	other := t.OpenAuthenticated(f)
	dumb := t.NewDumb(f, 64, 64, 32)
	name := uapi.GEMFlink{Handle: dumb.Handle}
	f.Must(uapi.IoctlGEMFlink, &name)
	open := uapi.GEMOpen{Name: name.Name}
	other.Must(uapi.IoctlGEMOpen, &open)
	f.Must(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: dumb.Handle})
	again := uapi.GEMOpen{Name: name.Name}
	f.Want("while another file has a handle", uapi.IoctlGEMOpen, &again)
	f.Must(uapi.IoctlGEMClose, &uapi.GEMClose{Handle: again.Handle})
	t.Must("close", other.Close())
	f.Want("after the last handle is closed", uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: name.Name}, unix.ENOENT)
}
