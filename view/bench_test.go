package view_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/internal/kmsclient"
	"github.com/udrm/udrm/udrmtest"
)

// viewerURL is the environment variable that makes this binary a viewer.
const viewerURL = "UDRM_VIEW_TEST_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(viewerURL); url != "" {
		fmt.Fprintln(os.Stderr, confirmAll(url))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// confirmAll confirms each picture of card0 at once, and prints a line for it.
func confirmAll(url string) error {
	ctx := context.Background()
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	answer := []byte(`{"watch": ["card0:Virtual-1"]}`)
	for {
		if err := conn.Write(ctx, websocket.MessageText, answer); err != nil {
			return err
		}
		for {
			kind, data, err := conn.Read(ctx)
			if err != nil {
				return err
			}
			if kind == websocket.MessageBinary {
				name := data[2:][:binary.LittleEndian.Uint16(data)]
				answer = fmt.Appendf(nil, `{"drawn": %q}`, name)
				fmt.Println("drawn")
				break
			}
		}
	}
}

// picturesInTurn is the number of pictures of one iteration of BenchmarkStream:
// those of two seconds or so, since the first ones say little.
const picturesInTurn = 40

// BenchmarkStream measures the processor time of the server for a viewer in
// another process. The screen has 1920x1080 pixels; all of them change with each
// frame, or a tenth, or those of a line of text. The frames are drawn before. An
// iteration ends when the viewer has drawn picturesInTurn pictures.
func BenchmarkStream(b *testing.B) {
	const width, height = 1920, 1080
	for _, content := range []struct {
		name  string
		lines int // that change
	}{{"all", height}, {"tenth", height / 10}, {"text", 20}} {
		b.Run(content.name, func(b *testing.B) {
			m, s := serve(b, udrmtest.Options{Monitors: []string{"1920x1080,Virtual"}})
			card := m.Card("card0").Machine()
			c := kmsclient.New(drmtest.Open(b, card.Device().Primary()).Process())
			display, err := c.Display()
			if err != nil {
				b.Fatal(err)
			}
			var buffers []*kmsclient.Buffer
			for i := range uint64(2) {
				buffer, err := c.NewBuffer(width, height)
				if err != nil {
					b.Fatal(err)
				}
				same, different := rand.NewPCG(0, 0), rand.NewPCG(1, i)
				for y := range height {
					source := same
					if y < content.lines {
						source = different
					}
					for row := buffer.Row(y); len(row) > 0; row = row[8:] {
						binary.LittleEndian.PutUint64(row, source.Uint64())
					}
				}
				buffers = append(buffers, buffer)
			}
			if err := c.SetCRTC(display, buffers[0].FB, display.Mode); err != nil {
				b.Fatal(err)
			}
			pictures := startViewer(b, s.URL())
			start, used, before := time.Now(), cpuTime(b), pictures.Load()
			turns := int64(0)
			for i := 1; b.Loop(); {
				for turns++; pictures.Load()-before < turns*picturesInTurn; i++ {
					shown, err := card.Frames("")
					if err == nil {
						err = kmsclient.Ioctl(c, uapi.IoctlModePageFlip, &uapi.ModeCRTCPageFlip{CRTCID: display.CRTC, FBID: buffers[i%2].FB})
					}
					if err == nil {
						err = card.WaitFrames(b.Context(), "", shown+1)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			elapsed := time.Since(start).Seconds()
			rate := float64(pictures.Load()-before) / elapsed
			cores := (cpuTime(b) - used).Seconds() / elapsed
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate, "pictures/s")
			b.ReportMetric(100*cores, "%core")
			b.ReportMetric(100*cores/rate*20, "%core-at-20/s")
		})
	}
}

// startViewer starts a viewer in another process, and returns the number of
// pictures that it has drawn. The screen is shown already.
func startViewer(b *testing.B, url string) *atomic.Int64 {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), viewerURL+"="+url)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	count := new(atomic.Int64)
	first := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if count.Add(1) == 1 {
				close(first)
			}
		}
	}()
	<-first
	return count
}

// cpuTime returns the processor time of this process.
func cpuTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
