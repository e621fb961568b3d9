package host_test

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/udrm/udrm/drm"
	"github.com/udrm/udrm/host"
)

// TestRest has a request wait that was taken for a short one, while the worker that
// would serve others rests.
func TestRest(t *testing.T) {
	class := drm.NewClass(drm.ClassOptions{})
	d := newDevice(t, class, "vkms")
	d.held = make(chan struct{})
	h := newHost(t, class, host.Options{RaiseGOMAXPROCS: true})
	h.SetBurstTime(time.Minute)
	var in, out [2]*os.File // read end, write end
	for _, pipe := range []*[2]*os.File{&in, &out} {
		var err error
		if pipe[0], pipe[1], err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
		defer pipe[0].Close()
		defer pipe[1].Close()
	}
	cmd := exec.Command(client, "burst")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in[0], out[1], out[1]
	p, err := h.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	goOn := func() {
		if _, err := in[1].WriteString("."); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "a worker rests", p.Resting)
	goOn()
	<-d.held
	goOn()
	const want = "served\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(out[0], got); err != nil || string(got) != want {
		t.Errorf("the program printed %q, %v", got, err)
	}
	d.free <- struct{}{}
	waitFor(t, "all workers are counted as idle", func() bool {
		workers, idle := p.Idle()
		return workers == idle && !p.Resting()
	})
	goOn()
	if status, err := p.Wait(); status != 0 || err != nil {
		t.Errorf("exit status %d, %v", status, err)
	}
	<-p.Done()
}
