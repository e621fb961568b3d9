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

// flinkAndOpen is that a name leads another file to the same memory.
func flinkAndOpen(t *tester) {
	f := t.Open()
	other := t.OpenAuthenticated(f)
	dumb := t.NewDumb(f, 64, 64, 32)
	name, again := uapi.GEMFlink{Handle: dumb.Handle}, uapi.GEMFlink{Handle: dumb.Handle}
	f.Must(uapi.IoctlGEMFlink, &name)
	f.Must(uapi.IoctlGEMFlink, &again)
	equal(t, "the name, asked for again", again.Name, name.Name)
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
	equal(t, "what the other file sees", others[0], 42)
}

func nameErrors(t *tester) {
	f := t.Open()
	for _, n := range []uint32{0, math.MaxUint32} {
		f.Want("of a handle that there is not", uapi.IoctlGEMFlink, &uapi.GEMFlink{Handle: n}, unix.ENOENT)
		f.Want("of a name that there is not", uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: n}, unix.ENOENT)
	}
}

// nameLife is that a name lives as long as a handle of the buffer does,
// whosever.
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
	f.Want("when nobody has a handle", uapi.IoctlGEMOpen, &uapi.GEMOpen{Name: name.Name}, unix.ENOENT)
}
