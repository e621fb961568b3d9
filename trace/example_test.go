package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/driver/vkms"
	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/trace"
)

const twoRequests = `{"type":"trace","version":1,"start":"2026-01-02T15:04:05Z"}
{"type":"ioctl","seq":1,"t":120,"dur":4.25,"entered":121,"guard":3.5,"card":"card0","node":"card0","file":1,"pid":7,"comm":"modetest","request":"GET_CAP","in":{"capability":"CAP_DUMB_BUFFER","value":0},"out":{"value":1}}
{"type":"ioctl","seq":2,"t":300,"dur":5,"entered":301,"guard":4,"card":"card0","node":"card0","file":1,"pid":7,"comm":"modetest","request":"MODE_RMFB","in":{"fb_id":99},"errno":"ENOENT","error":"kms: no framebuffer 99"}
`

// A recorder traces the cards of a class while a client uses them.
func ExampleRecorder() {
	var file bytes.Buffer
	recorder := trace.NewRecorder(&file)
	class := drm.NewClass(drm.ClassOptions{})
	detach := class.Trace(recorder)

	driver := vkms.NewDriver(class, vkms.ConfigOf(drm.Linux612))
	card, err := bus.New("platform").Add("vkms")
	if err != nil {
		log.Fatal(err)
	}
	if err := card.Bind(driver.BusDriver()); err != nil {
		log.Fatal(err)
	}
	client, err := drmtest.OpenAs(driver.Device().Primary(), drmtest.Self())
	if err != nil {
		log.Fatal(err)
	}
	_ = drmtest.Ioctl(client, uapi.IoctlGetCap, &uapi.GetCap{Capability: uapi.CapDumbBuffer})
	_ = client.File.Close()
	if err := card.Remove(context.Background()); err != nil {
		log.Fatal(err)
	}

	detach()
	if err := recorder.Close(); err != nil {
		log.Fatal(err)
	}
	records, err := trace.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range records {
		fmt.Println(strings.TrimSpace(r.Name() + " " + string(r.In)))
	}
	// Output:
	// registered
	// open {"flags":"O_RDWR"}
	// GET_CAP {"capability":"CAP_DUMB_BUFFER","value":0}
	// close
	// unplug
	// drained
	// unplugged
}

func ExampleShow() {
	records, err := trace.Read(strings.NewReader(twoRequests))
	if err != nil {
		log.Fatal(err)
	}
	if err := trace.Show(os.Stdout, records); err != nil {
		log.Fatal(err)
	}
	// Output:
	//     0.000120 card0 modetest[7] GET_CAP(capability=CAP_DUMB_BUFFER, value=0) = {value=1} <4.25µs, guard 3.5µs>
	//     0.000300 card0 modetest[7] MODE_RMFB(fb_id=99) = ENOENT (kms: no framebuffer 99) <5µs, guard 4µs>
}

func ExampleStats() {
	records, err := trace.Read(strings.NewReader(twoRequests))
	if err != nil {
		log.Fatal(err)
	}
	if err := trace.Stats(os.Stdout, records); err != nil {
		log.Fatal(err)
	}
	// Output:
	//   calls errors        total       median      longest     in guard  request
	//       1      1          5µs          5µs          5µs          4µs  MODE_RMFB
	//       1      0       4.25µs       4.25µs       4.25µs        3.5µs  GET_CAP
}
