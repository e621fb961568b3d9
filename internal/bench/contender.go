package main

import (
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/puzpuzpuz/xsync/v4"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/srcu"
	"github.com/udrm/udrm/trace"
)

// A contender is one way to protect a section.
type contender struct {
	name string

	// worker returns a function that enters and leaves n sections, for one
	// goroutine.
	worker func() func(n int)

	// share divides the number of sections in a turn, for a slow contender.
	share int
}

const (
	adds    = "two locked adds, own line" // the floor of any scheme with atomics
	guard   = "drm guard"
	domain  = "srcu section"
	ioctl   = "drm ioctl, empty, own file"
	traced  = "drm ioctl, empty, own file, traced"
	rwmutex = "sync.RWMutex + flag"
)

// Fields between two lines share no cache line with others. Processors fetch
// lines in pairs.
type line [128]byte

type ownCount struct {
	_ line
	n atomic.Int64
	_ line
}

// refuse panics: a contender is never refused.
func refuse() { panic("bench: entry was refused") }

// pairs returns the contenders, the reference first, made for the present
// GOMAXPROCS, and a function that ends them.
func pairs() (all []contender, end func()) {
	d := srcu.NewDomain()
	device, removeDevice := newDevice(drm.NewClass(drm.ClassOptions{}))
	clients := &files{node: device.Primary()}
	recorder := trace.NewRecorder(io.Discard)
	tracedClass := drm.NewClass(drm.ClassOptions{})
	tracedClass.Trace(recorder)
	tracedDevice, removeTraced := newDevice(tracedClass)
	tracedClients := &files{node: tracedDevice.Primary()}
	checked, removeChecked := newDevice(drm.NewClass(drm.ClassOptions{CheckGuards: true}))
	var (
		count ownCount
		mu    struct {
			_ line
			sync.RWMutex
			gone bool
			_    line
		}
		rb     = xsync.NewRBMutex()
		rbGone bool
	)
	file, err := os.Open(os.DevNull)
	must(err)
	conn, err := file.SyscallConn()
	must(err)

	return []contender{
			{adds, func() func(int) {
				own := new(ownCount)
				return func(n int) {
					for range n {
						if own.n.Add(1) < 0 {
							refuse()
						}
						if own.n.Add(-1) < 0 {
							refuse()
						}
					}
				}
			}, 1},
			{domain, func() func(int) {
				return func(n int) {
					for range n {
						section, ok := d.Enter()
						if !ok {
							refuse()
						}
						section.Exit()
					}
				}
			}, 1},
			{guard, func() func(int) {
				return func(n int) {
					for range n {
						guard, err := device.RegistrationGuard()
						if err != nil {
							refuse()
						}
						guard.Exit()
					}
				}
			}, 1},
			{"drm guard, WithGuard", func() func(int) {
				return func(n int) {
					for range n {
						if device.WithGuard(func(*drm.RegisteredDevice) error { return nil }) != nil {
							refuse()
						}
					}
				}
			}, 1},
			{"drm guard, checked", func() func(int) {
				return func(n int) {
					for range n {
						guard, err := checked.RegistrationGuard()
						if err != nil {
							refuse()
						}
						guard.Exit()
					}
				}
			}, 256},
			{ioctl, func() func(int) { return clients.sendIoctls }, 16},
			{traced, func() func(int) { return tracedClients.sendIoctls }, 64},
			{rwmutex, func() func(int) {
				return func(n int) {
					for range n {
						mu.RLock()
						if mu.gone {
							refuse()
						}
						mu.RUnlock()
					}
				}
			}, 1},
			{"one atomic count", func() func(int) {
				return func(n int) {
					for range n {
						if count.n.Add(1) < 0 {
							refuse()
						}
						if count.n.Add(-1) < 0 {
							refuse()
						}
					}
				}
			}, 1},
			{"xsync v4 RBMutex + flag", func() func(int) {
				return func(n int) {
					for range n {
						token := rb.RLock()
						if rbGone {
							refuse()
						}
						rb.RUnlock(token)
					}
				}
			}, 1},
			{"os.File, Control", func() func(int) {
				return func(n int) {
					for range n {
						if conn.Control(func(uintptr) {}) != nil {
							refuse()
						}
					}
				}
			}, 1},
		}, func() {
			clients.close()
			removeDevice()
			tracedClients.close()
			removeTraced()
			must(recorder.Close())
			removeChecked()
			must(file.Close())
		}
}

// newDevice returns a registered device without hardware on a bus of its own.
func newDevice(class *drm.Class) (dev *drm.Device, remove func()) {
	registration, remove := newRegistration(class)
	return registration.Device(), remove
}

func newRegistration(class *drm.Class) (registration *drm.Registration, remove func()) {
	parent, err := bus.New("bench").Add("bench.0")
	must(err)
	driver := &drmtest.Driver{Class: class, Own: []drm.Ioctl{emptyIoctl}}
	must(parent.Bind(driver.BusDriver()))
	return driver.Registration, func() { must(parent.Remove(context.Background())) }
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
