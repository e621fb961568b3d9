package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// nested sends requests whose arrays, texts and data lie in memory that this process
// alone could provide, and does not. It holds once the host waits for all of them.
// When the card is unplugged, all must end, and nested says so.
func nested([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	resources := must(card.Resources())
	crtc, connector := resources.CRTCs[0], resources.Connectors[0]
	faults, at := missingPage()
	page := uint64(at)
	requests := []func() error{
		func() error { return kmsclient.Ioctl(card, uapi.IoctlVersion, &uapi.Version{NameLen: 64, Name: page}) },
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeGetResources, &uapi.ModeCardRes{CountCRTCs: 4, CRTCIDPtr: page})
		},
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeGetConnector, &uapi.ModeGetConnector{ConnectorID: connector, CountModes: 1000, ModesPtr: page})
		},
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeCreatePropBlob, &uapi.ModeCreateBlob{Data: page, Length: 4000})
		},
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeSetGamma, &uapi.ModeCRTCLUT{CRTCID: crtc, GammaSize: 256, Red: page, Green: page, Blue: page})
		},
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeObjGetProperties, &uapi.ModeObjGetProperties{
				ObjID: connector, ObjType: uapi.ModeObjectConnector, CountProps: 64, PropsPtr: page, PropValuesPtr: page + 2048})
		},
		func() error {
			return kmsclient.Ioctl(card, uapi.IoctlModeCreateLease, &uapi.ModeCreateLease{ObjectIDs: page, ObjectCount: 3})
		},
	}
	var all sync.WaitGroup
	for i, request := range requests {
		all.Go(func() {
			if err := request(); !errors.Is(err, unix.ENODEV) {
				failf("request %d: %v, want %v", i, err, unix.ENODEV)
			}
		})
	}
	for range requests {
		_, err := unix.Read(faults, make([]byte, 32)) // struct uffd_msg
		check(err)
	}
	fmt.Println("holding")
	all.Wait()
	fmt.Println("ended")
	hold()
	os.Exit(0)
}

// query asks for what the first card has.
func query([]string) {
	card := must(kmsclient.Open("/dev/dri/card0"))
	_ = must(card.Connectors())
	fmt.Println("answered")
}
