package swsync_test

import (
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/fence"
	"github.com/udrm/udrm/drm/fence/swsync"
)

// A client creates a fence for value 2 and increments the counter to it.
func Example() {
	client := &drmtest.Client{Arena: drmtest.NewArena(), As: drmtest.Self()}
	timeline, err := client.InstallFile(unix.O_CLOEXEC, func(sink drm.EventSink) (drm.ClientFile, error) {
		f, err := swsync.Open(sink)
		return f.(drm.ClientFile), err
	})
	if err != nil {
		log.Fatal(err)
	}
	defer drmtest.CloseFD(timeline)

	create := swsync.CreateFence{Value: 2}
	if err := drmtest.FileIoctl(client, timeline, swsync.IocCreateFence, &create); err != nil {
		log.Fatal(err)
	}
	defer drmtest.CloseFD(create.Fence)
	f, err := fence.Lookup(client, create.Fence)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		one := uint32(1)
		if err := drmtest.FileIoctl(client, timeline, swsync.IocInc, &one); err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Signaled())
	}
	// Output:
	// false
	// true
}
