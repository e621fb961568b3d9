package main

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/srcu"
)

// reportSizes writes the memory of things that can go away, with everything
// that belongs to them.
func reportSizes(w io.Writer) {
	class := drm.NewClass(drm.ClassOptions{})
	var remove []func()
	reference := size(func() any { return new(sync.RWMutex) })
	fmt.Fprintln(w, "  memory")
	for _, row := range []struct {
		name  string
		bytes float64
	}{
		{"sync.RWMutex", reference},
		{"xsync v4 RBMutex", size(func() any { return xsync.NewRBMutex() })},
		{"srcu domain", size(func() any { return srcu.NewDomain() })},
		{"drm device, registered, its parent too", size(func() any {
			registration, removeParent := newRegistration(class)
			remove = append(remove, removeParent)
			return registration
		})},
	} {
		fmt.Fprintf(w, "    %-38s%14.0f B  %9.2f×\n", row.name, row.bytes, row.bytes/reference)
	}
	for _, f := range remove {
		f()
	}
}

// size returns the bytes of one of many things that make returns.
func size(make func() any) float64 {
	var things [60]any // no more devices than a class has minors
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC() // what the first one finalized
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	for i := range things {
		things[i] = make()
	}
	after := inUse()
	runtime.KeepAlive(things)
	return float64(after-before) / float64(len(things))
}
