package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
)

// A Client is the command of the demo's client. It is a process of its own and
// runs as any other program. It draws and flips on each of its cards until its
// standard input ends. It writes a report per line to standard output.
type Client struct {
	Cards []string `arg:"" help:"Nodes to draw on."`
}

// A report says what the client saw on one card.
type report struct {
	At    int64  `json:"at"`              // CLOCK_MONOTONIC, ns
	Card  int    `json:"card"`            // its position among the arguments
	What  string `json:"what"`            // a call, or one of the words below
	Errno string `json:"errno,omitempty"` // "" for success
	Note  string `json:"note,omitempty"`

	// With reportFlipped.
	Sequence uint32 `json:"sequence,omitempty"`
	Vblank   int64  `json:"vblank,omitempty"` // the time in the event, ns
}

const (
	reportWaiting = "waiting" // WAIT_VBLANK for a distant vblank is about to be called
	reportFlipped = "flipped"
	reportGone    = "gone" // the first ENODEV
	reportDone    = "done"
)

// Run runs the client.
func (cmd *Client) Run() error {
	out := &reporter{encoder: json.NewEncoder(os.Stdout)}
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	var wg sync.WaitGroup
	errs := make([]error, len(cmd.Cards))
	for i, path := range cmd.Cards {
		wg.Go(func() {
			errs[i] = (&clientCard{path: path, index: i, out: out, stop: stop}).run()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

type reporter struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (r *reporter) report(e report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	e.At = now.Nano()
	r.encoder.Encode(e)
}

// clientCard is the work of the client on one card.
type clientCard struct {
	path  string
	index int
	out   *reporter
	stop  <-chan struct{}

	card    *kmsclient.Card
	display *kmsclient.Display
	buffers [2]*kmsclient.Buffer
	gone    atomic.Bool
}

// call reports what a call returned.
func (d *clientCard) call(what string, err error) {
	e := report{Card: d.index, What: what}
	var errno unix.Errno
	switch {
	case errors.As(err, &errno):
		e.Errno = unix.ErrnoName(errno)
	case err != nil:
		e.Errno = err.Error()
	}
	d.out.report(e)
}

func (d *clientCard) run() (err error) {
	if d.card, err = kmsclient.Open(d.path); err != nil {
		return err
	}
	defer d.card.Close()
	if d.display, err = d.card.Display(); err != nil {
		return err
	}
	mode := d.display.Mode
	for i := range d.buffers {
		if d.buffers[i], err = d.card.NewBuffer(int(mode.HDisplay), int(mode.VDisplay)); err != nil {
			return err
		}
	}
	drawFrame(d.buffers[0], d.index, 0)
	if err := d.card.SetCRTC(d.display, d.buffers[0].FB, mode); err != nil {
		return err
	}
	d.call("SETCRTC", nil)

	var background sync.WaitGroup
	background.Go(d.waitForDistantVblank)
	background.Go(d.repeatRequest)
	err = d.flip()
	background.Wait()
	if d.gone.Load() && err == nil {
		d.afterUnplug()
	}
	d.out.report(report{Card: d.index, What: reportDone})
	return err
}

// flip draws and flips until the client is told to stop or the card goes away.
func (d *clientCard) flip() error {
	for frame := 1; ; frame++ {
		select {
		case <-d.stop:
			return nil
		default:
		}
		back := d.buffers[frame%2]
		drawFrame(back, d.index, frame)
		if err := d.card.PageFlip(d.display.CRTC, back.FB, uint64(frame)); err != nil {
			return d.lost("PAGE_FLIP", err)
		}
		for flipped := false; !flipped; {
			events, err := d.card.ReadEvents(100 * time.Millisecond)
			if err != nil {
				return d.lost("read", err)
			}
			for _, e := range events {
				flipped = flipped || e.Base.Type == uapi.EventTypeFlipComplete
				d.out.report(report{Card: d.index, What: reportFlipped, Sequence: e.Sequence,
					Vblank: (time.Duration(e.TvSec)*time.Second + time.Duration(e.TvUsec)*time.Microsecond).Nanoseconds()})
			}
			if d.gone.Load() && !flipped {
				return fmt.Errorf("%s: the card is gone and the event of the last flip never came", d.path)
			}
		}
	}
}

// lost reports the first ENODEV. Any other error is a failure.
func (d *clientCard) lost(what string, err error) error {
	if !errors.Is(err, unix.ENODEV) {
		return err
	}
	if d.gone.CompareAndSwap(false, true) {
		d.out.report(report{Card: d.index, What: reportGone, Note: what})
	}
	d.call(what, err)
	return nil
}

// waitForDistantVblank blocks in an ioctl until the unplug, and so keeps a guard
// open. Such a wait fails with EBUSY after three seconds, and is repeated.
func (d *clientCard) waitForDistantVblank() {
	if d.index != 0 {
		return // the other cards stay, so the wait would too
	}
	d.out.report(report{Card: d.index, What: reportWaiting})
	const distance = 1 << 22 // vblanks, 19 hours
	err := error(unix.EBUSY)
	for errors.Is(err, unix.EBUSY) {
		select {
		case <-d.stop:
			return
		default:
		}
		err = kmsclient.Ioctl(d.card, uapi.IoctlWaitVblank,
			&uapi.WaitVblankRequest{Type: uapi.VblankRelative, Sequence: distance})
	}
	d.call("WAIT_VBLANK, 19 hours", err)
}

// repeatRequest keeps a request in flight at every moment.
func (d *clientCard) repeatRequest() {
	for n := 0; ; n++ {
		select {
		case <-d.stop:
			return
		default:
		}
		if err := kmsclient.Ioctl(d.card, uapi.IoctlModeGetResources, &uapi.ModeCardRes{}); err != nil {
			d.out.report(report{Card: d.index, What: "GETRESOURCES", Note: fmt.Sprintf("answered %d times, then refused", n)})
			d.lost("GETRESOURCES", err)
			return
		}
		time.Sleep(200 * time.Microsecond) // leave the second processor to the others
	}
}

// afterUnplug tries every kind of call on the unplugged card.
func (d *clientCard) afterUnplug() {
	c := d.card
	again, err := kmsclient.Open(d.path)
	for ; errors.Is(err, unix.ENODEV); again, err = kmsclient.Open(d.path) {
		time.Sleep(time.Millisecond) // the node goes when the last guard is closed
	}
	if err == nil {
		again.Close()
	}
	d.call("VERSION", kmsclient.Ioctl(c, uapi.IoctlVersion, &uapi.Version{}))
	d.call("SETCRTC", c.SetCRTC(d.display, d.buffers[0].FB, d.display.Mode))
	d.call("WAIT_VBLANK", kmsclient.Ioctl(c, uapi.IoctlWaitVblank, &uapi.WaitVblankRequest{Type: uapi.VblankRelative, Sequence: 1}))
	_, createErr := c.CreateDumb(64, 64, 32)
	d.call("CREATE_DUMB", createErr)
	_, mapErr := c.Mmap(d.buffers[0].Offset, len(d.buffers[0].Pixels))
	d.call("mmap", mapErr)
	for _, b := range d.buffers {
		for i := 0; i < len(b.Pixels); i += 4096 {
			b.Pixels[i]++
		}
	}
	d.call("touching every page of the old mappings", nil)
	unix.SetNonblock(c.FD, true)
	_, readErr := unix.Read(c.FD, make([]byte, 64))
	d.call("read, O_NONBLOCK", readErr)
	d.call("open", err)
}

// drawFrame draws one frame: bars in the colour of the card, and a white bar
// that moves.
func drawFrame(b *kmsclient.Buffer, card, frame int) {
	line := make([]byte, 4*b.Width)
	white := frame * 8 % b.Width
	for x := range b.Width {
		shade := byte(64 + 128*(x*8/b.Width)/8)
		pixel := [4]byte{shade, shade / 2, 0, 0} // B G R x
		if card%2 == 1 {
			pixel = [4]byte{0, shade, shade / 2, 0}
		}
		if x-white < 32 && x >= white {
			pixel = [4]byte{255, 255, 255, 0}
		}
		copy(line[4*x:], pixel[:])
	}
	for y := range b.Height {
		copy(b.Row(y), line)
	}
}
