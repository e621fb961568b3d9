package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
	"github.com/udrm/udrm/trace"
)

// hostedClient is the environment variable that makes this program a client of a
// card: it reads the numbers of requests, and prints how long each lot took.
const hostedClient = "UDRM_BENCH_CLIENT"

// hostedRequests are the requests of another process that are measured, with
// and without a trace.
var hostedRequests = []struct {
	name    string
	prepare func(c *kmsclient.Client, d *kmsclient.Display) (send func() error, err error)
}{
	{"GET_CAP", func(c *kmsclient.Client, _ *kmsclient.Display) (func() error, error) {
		return func() error { _, err := c.Cap(uapi.CapDumbBuffer); return err }, nil
	}},
	{"MODE_GETCRTC", func(c *kmsclient.Client, d *kmsclient.Display) (func() error, error) {
		return func() error { _, err := c.GetCRTC(d.CRTC); return err }, nil
	}},
	{"MODE_GETRESOURCES, twice", func(c *kmsclient.Client, _ *kmsclient.Display) (func() error, error) {
		return func() error { _, err := c.Resources(); return err }, nil
	}},
	{"MODE_GETCONNECTOR, twice", func(c *kmsclient.Client, d *kmsclient.Display) (func() error, error) {
		return func() error { _, err := c.GetConnector(d.ID); return err }, nil
	}},
	{"MODE_ATOMIC, TEST_ONLY", prepareAtomic},
	{"MODE_ATOMIC of a desktop, TEST_ONLY", prepareDesktop},
}

// prepareAtomic returns a function that tests a commit of one property.
func prepareAtomic(c *kmsclient.Client, d *kmsclient.Display) (send func() error, err error) {
	return c.Prepare(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, kmsclient.Set{Object: d.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "ACTIVE"})
}

// prepareDesktop returns a function that tests a commit of a mode and of two
// planes, as a compositor sends it: 23 properties of four objects.
func prepareDesktop(c *kmsclient.Client, d *kmsclient.Display) (send func() error, err error) {
	mode, err := c.CreateModeBlob(&d.Mode)
	if err != nil {
		return nil, err
	}
	sets := []kmsclient.Set{
		{Object: d.ID, ObjectType: uapi.ModeObjectConnector, Property: "CRTC_ID", Value: uint64(d.CRTC)},
		{Object: d.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "MODE_ID", Value: uint64(mode)},
		{Object: d.CRTC, ObjectType: uapi.ModeObjectCRTC, Property: "ACTIVE", Value: 1},
	}
	for _, p := range []struct {
		planeType     uint64
		width, height uint32
	}{
		{uapi.PlaneTypePrimary, uint32(d.Mode.HDisplay), uint32(d.Mode.VDisplay)},
		{uapi.PlaneTypeCursor, 64, 64},
	} {
		plane, err := c.FindPlane(d, p.planeType)
		if err != nil {
			return nil, err
		}
		fb, err := c.NewFB(p.width, p.height, 32, uapi.FormatARGB8888)
		if err != nil {
			return nil, err
		}
		width, height := uint64(p.width), uint64(p.height)
		for _, set := range []struct {
			name  string
			value uint64
		}{
			{"FB_ID", uint64(fb)}, {"CRTC_ID", uint64(d.CRTC)},
			{"SRC_X", 0}, {"SRC_Y", 0}, {"SRC_W", width << 16}, {"SRC_H", height << 16},
			{"CRTC_X", 0}, {"CRTC_Y", 0}, {"CRTC_W", width}, {"CRTC_H", height},
		} {
			sets = append(sets, kmsclient.Set{Object: plane, ObjectType: uapi.ModeObjectPlane, Property: set.name, Value: set.value})
		}
	}
	return c.Prepare(uapi.ModeAtomicTestOnly|uapi.ModeAtomicAllowModeset, sets...)
}

// hostedTurn is how many requests a client sends in a turn.
const hostedTurn = 100

// serveHosted is the client.
func serveHosted() error {
	card, err := kmsclient.Open("/dev/dri/card0")
	if err != nil {
		return err
	}
	defer card.Close()
	if err := card.SetClientCap(uapi.ClientCapAtomic, 1); err != nil {
		return err
	}
	display, err := card.Display()
	if err != nil {
		return err
	}
	var sends []func() error
	for _, request := range hostedRequests {
		send, err := request.prepare(card.Client, display)
		if err != nil {
			return fmt.Errorf("%s: %w", request.name, err)
		}
		sends = append(sends, send)
	}
	for {
		var which, n int
		if _, err := fmt.Scanln(&which, &n); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		start := time.Now()
		for range n {
			if err := sends[which](); err != nil {
				return err
			}
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
}

// A hosted client is a process on a machine of its own.
type hosted struct {
	machine  *machine.Machine
	recorder *trace.Recorder // or nil
	process  *machine.Process
	in       io.WriteCloser
	out      *bufio.Reader
}

func newHosted(traced bool) *hosted {
	h := new(hosted)
	opts := machine.Options{RaiseGOMAXPROCS: true} // as the command does
	if traced {
		h.recorder = trace.NewRecorder(io.Discard)
		opts.Tracer = drm.Tracer(h.recorder)
	}
	var err error
	h.machine, err = machine.New([]config.Card{config.DefaultCard()}, opts)
	must(err)
	program, err := os.Executable()
	must(err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), hostedClient+"=1")
	cmd.Stderr = os.Stderr
	h.in, err = cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	h.out = bufio.NewReader(out)
	h.process, err = h.machine.Start(cmd)
	must(err)
	return h
}

// take returns the time of a request.
func (h *hosted) take(which int) float64 {
	_, err := fmt.Fprintln(h.in, which, hostedTurn)
	must(err)
	var ns float64
	_, err = fmt.Fscanln(h.out, &ns)
	must(err)
	return ns / hostedTurn
}

func (h *hosted) close() {
	must(h.in.Close())
	_, err := h.process.Wait()
	must(err)
	must(h.machine.Close(context.Background()))
	if h.recorder != nil {
		must(h.recorder.Close())
	}
}

// reportHosted writes what requests of another process cost, and what a trace of
// them adds.
func reportHosted(w io.Writer, procs, rounds int, results *results, goals *goals) {
	clients := []*hosted{newHosted(false), newHosted(true)}
	fmt.Fprintf(w, "\n  %-38s%17s %17s\n", "request of another process", "without a trace", "traced")
	for which, request := range hostedRequests {
		taken := takeTurns(rounds, len(clients), func(i int) float64 { return clients[i].take(which) })
		ratio := taken[1].over(taken[0])
		fmt.Fprintf(w, "    %-38s%12.0f ns %14.0f ns %9.2f×\n", request.name, taken[0].median(), taken[1].median(), ratio)
		results.add(procs, taken[1].median(), ratio, "Hosted", request.name, "traced")
		goals.add(request.name+" of another process, traced over not", ratio, 1.5, "×")
	}
	for _, c := range clients {
		c.close()
	}
}
