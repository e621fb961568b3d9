package trace

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/drm/kms"
	"github.com/udrm/udrm/drm/uapi"
)

// An encoder writes records as JSON. One goroutine uses it.
type encoder struct {
	start    time.Time
	decoders map[*drm.Device]*decoder
	files    *decoder // of sync files and dma-bufs
	names    map[*drm.Minor]minorNames
}

type minorNames struct{ card, node string }

func (e *encoder) namesOf(m *drm.Minor) minorNames {
	names, ok := e.names[m]
	if !ok {
		names = minorNames{m.Device().Name(), m.Name()}
		e.names[m] = names
	}
	return names
}

func newEncoder(r *Recorder) *encoder {
	return &encoder{r.start, map[*drm.Device]*decoder{}, newDecoder(nil), map[*drm.Minor]minorNames{}}
}

func (e *encoder) decoder(d *drm.Device) *decoder {
	known, ok := e.decoders[d]
	if !ok {
		config, _ := drm.PartOf[*kms.ModeConfig](d)
		known = newDecoder(config)
		e.decoders[d] = known
	}
	return known
}

// forget drops what is known of a device that was unplugged.
func (e *encoder) forget(d *drm.Device) {
	delete(e.decoders, d)
	for m := range e.names {
		if m.Device() == d {
			delete(e.names, m)
		}
	}
}

func (e *encoder) header(w *writer) {
	w.open('{')
	w.member("type", "trace")
	w.name(`"version":`)
	w.int(Version)
	w.member("start", e.start.UTC().Format(time.RFC3339Nano))
	w.close('}')
	w.b = append(w.b, '\n')
}

func (w *writer) member(key, value string) {
	w.plainKey(key)
	w.string(value)
}

func (w *writer) memberInt(key string, value int64) {
	w.plainKey(key)
	w.int(value)
}

// micros writes a duration in microseconds.
func (w *writer) micros(key string, d time.Duration) {
	w.plainKey(key)
	ns := int64(d)
	if ns < 0 {
		ns = 0
	}
	w.b = strconv.AppendInt(w.b, ns/1000, 10)
	if ns %= 1000; ns != 0 {
		w.b = append(w.b, '.', byte('0'+ns/100), byte('0'+ns/10%10), byte('0'+ns%10))
	}
}

func (w *writer) begin(kind string, seq uint64, at time.Duration) {
	w.open('{')
	w.member("type", kind)
	w.name(`"seq":`)
	w.uint(seq)
	w.micros("t", at)
}

func (w *writer) client(file uint64, client drm.Client, tid int) {
	if file != 0 {
		w.name(`"file":`)
		w.uint(file)
	}
	w.memberInt("pid", int64(client.PID))
	if tid != 0 {
		w.memberInt("tid", int64(tid))
	}
	w.member("comm", client.Comm)
}

func (c *call) encode(w *writer, e *encoder) {
	w.begin(c.op.String(), c.seq, c.begun.Sub(e.start))
	w.micros("dur", c.end.Sub(c.begun))
	if !c.entered.IsZero() {
		w.micros("entered", c.entered.Sub(e.start))
		w.micros("guard", c.exited.Sub(c.entered))
	}
	if c.minor != nil {
		names := e.namesOf(c.minor)
		w.member("card", names.card)
		w.member("node", names.node)
	}
	w.client(c.file, c.client, c.tid)
	switch c.op {
	case drm.OpIoctl:
		e.ioctl(w, c)
	case drm.OpOpen:
		w.name(`"in":`)
		w.open('{')
		w.member("flags", openFlags(c.flags))
		w.close('}')
	case drm.OpMmap:
		w.name(`"in":`)
		w.open('{')
		w.name(`"length":`)
		w.uint(c.length)
		w.name(`"offset":`)
		w.hex(c.offset)
		w.close('}')
	case drm.OpRead:
		w.name(`"out":`)
		w.open('{')
		w.memberInt("bytes", int64(c.n))
		w.close('}')
	}
	if c.err != nil {
		w.member("errno", errnoName(c.err))
		w.member("error", c.err.Error())
	}
	w.close('}')
}

func (e *encoder) ioctl(w *writer, c *call) {
	d := e.files
	if c.minor != nil {
		d = e.decoder(c.minor.Device())
	}
	if name := requestName(c.cmd); name != "" {
		w.member("request", name)
	} else {
		w.member("request", fmt.Sprintf("0x%08x", c.cmd))
	}
	a := &c.argument
	if a.in != nil && uapi.IOCDir(c.cmd)&uapi.IOCWrite != 0 {
		w.name(`"in":`)
		d.input(w, a)
	}
	if a.out != nil {
		n := len(w.b)
		w.name(`"out":`)
		d.output(w, a, c.err != nil)
		if w.b[len(w.b)-2] == '{' { // empty
			w.b = w.b[:n]
		}
	}
}

var openModes = [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}

func openFlags(flags int) string {
	text := []string{openModes[flags&unix.O_ACCMODE]}
	rest := flags &^ (unix.O_ACCMODE | unix.O_LARGEFILE | 0x8000)
	for _, f := range []struct {
		name string
		bit  int
	}{{"O_CLOEXEC", unix.O_CLOEXEC}, {"O_NONBLOCK", unix.O_NONBLOCK}, {"O_EXCL", os.O_EXCL}, {"O_NOCTTY", unix.O_NOCTTY}} {
		if rest&f.bit != 0 {
			text = append(text, f.name)
			rest &^= f.bit
		}
	}
	if rest != 0 {
		text = append(text, hexText(uint64(rest)))
	}
	return strings.Join(text, "|")
}

func (v *event) encode(w *writer, e *encoder) {
	w.begin(v.Kind.String(), v.seq, v.Time.Sub(e.start))
	w.member("card", v.Device.Name())
	switch v.Kind {
	case drm.EventUnplugged:
		e.forget(v.Device)
	case drm.EventVblank, drm.EventFrame:
		w.memberInt("crtc", int64(v.CRTC))
		w.name(`"sequence":`)
		w.uint(v.Sequence)
	case drm.EventSent:
		w.client(v.file, v.client, 0)
		name := eventName(v.Data)
		if name == "" {
			name = hexText(number(v.Data, 0, 4))
		}
		w.member("event", name)
		w.name(`"data":`)
		e.decoder(v.Device).event(w, v.Data)
	}
	w.close('}')
}
