package host_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/udrm/udrm/bus"
	"github.com/udrm/udrm/host"
)

var (
	sequencesTime = flag.Duration("sequences", 10*time.Second, "how long TestSequences makes calls")
	sequencesSeed = flag.Uint64("seed", 0, "the seed of TestSequences; 0: a new one")
)

// TestSequences serves random sequences of system calls of another user, while
// the card is unplugged and plugged at random. The host must live, leave nothing
// behind, log no problem and answer with errnos that the kernel has; and
// another program must flip all the time.
//
//	go test -run Sequences ./host -args -sequences 10m -seed 1
func TestSequences(t *testing.T) {
	seed := *sequencesSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	program := filepath.Join(filepath.Dir(client), "sequences")
	build := exec.Command("go", "build", "-o", program, "../internal/testprogs/sequences")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building testprogs/sequences: %v\n%s", err, out)
	}
	a := newArena(t, host.Options{})
	neighbour := a.begin(nobody, "flips").holding()
	calls := a.beginProgram(nobody, program, fmt.Sprint(seed), "4")
	stop := time.After(*sequencesTime)
	random := rand.New(rand.NewPCG(seed, 1<<32))
	for running := true; running; {
		replug(t, a.first)
		select {
		case <-stop:
			running = false
		case <-calls.Exited():
			running = false
		case <-time.After(time.Duration(random.Int64N(int64(time.Second)))):
		}
	}
	var counts struct {
		Workers, Killed, Calls uint64
		Answers                map[string]map[string]uint64
	}
	_ = calls.stdin.Close()
	if err := json.NewDecoder(calls.lines).Decode(&counts); err != nil {
		t.Error(err)
	}
	calls.end()
	_ = neighbour.stdin.Close()
	t.Logf("%d calls of %d workers, %d of them killed; the neighbour flipped %s times", counts.Calls, counts.Workers, counts.Killed, neighbour.line())
	neighbour.end()
	for kind, answers := range counts.Answers {
		t.Logf("%s: %v", kind, answers)
		for errno, n := range answers {
			if slices.Contains(unexpected, errno) || errno == "ENOSYS" && kind != "ioctl" {
				t.Errorf("%s: %d calls of %d failed with %s", kind, n, counts.Calls, errno)
			}
		}
	}
}

// unexpected are answers that no call of the sequences should get: a handler
// that panics answers EIO. Some requests answer ENOSYS, as in the kernel.
var unexpected = []string{"EIO", "no errno"}

func replug(t *testing.T, device *bus.Device) {
	t.Helper()
	if err := device.Unbind(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := device.Rebind("vkms"); err != nil {
		t.Fatal(err)
	}
}
