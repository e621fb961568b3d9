package srcu

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModel has spin take the algorithm in model/srcu.pml through every
// interleaving.
func TestModel(t *testing.T) {
	for _, c := range []struct {
		name    string
		defines []string
		whole   bool // every step of the model is taken
	}{
		{"three readers", []string{"-DREADERS=3", "-DCANCELS=1"}, false},
		{"callers share grace periods", []string{"-DSYNCS=2", "-DCANCELS=1"}, true},
		{"readers enter again", []string{"-DSECTIONS=2", "-DCANCELS=1"}, false},
		{"many grace periods", []string{"-DPERIODS=3", "-DCANCELS=2", "-DCLOSERS=0"}, false},
		{"closed twice", []string{"-DREADERS=3", "-DSYNCS=0", "-DCLOSERS=2", "-DCANCELS=1"}, false},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			out := check(t, "srcu.pml", "-O2", c.defines...)
			if !strings.Contains(out, "errors: 0") || strings.Contains(out, "not completed") || strings.Contains(out, "depth too small") {
				t.Errorf("not proved:\n%s", out)
			}
			if c.whole && regexp.MustCompile(`\([1-9]\d* of \d+ states\)`).MatchString(out) {
				t.Errorf("some steps of the model are never taken:\n%s", out)
			}
		})
	}
}

// TestModelMutants requires that spin finds what is wrong with each mutant of
// the model, so that a search that finds nothing means something.
func TestModelMutants(t *testing.T) {
	for _, c := range []struct {
		name    string
		defines []string
		finds   string
	}{
		{"no drain of the other index before the flip", []string{"-DNO_PREDRAIN", "-DPERIODS=2", "-DCLOSERS=0"}, "assertion violated (failed||(missed[i]==0))"},
		{"no closed bit in the words", []string{"-DNO_CLOSED_BIT"}, "assertion violated  !(drainReturned)"},
		{"no wake", []string{"-DNO_WAKE"}, "invalid end state"},
		{"And instead of the CAS", []string{"-DAND_NOT_CAS"}, "assertion violated  !(drainReturned)"},
		{"attention cleared on a closed word", []string{"-DCLEAR_CLOSED"}, "assertion violated  !(drainReturned)"},
		{"a grace period is shared that was begun before the call", []string{"-DSTALE_SHARE"}, "assertion violated (failed||(missed[i]==0))"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			if out := check(t, "srcu.pml", "-O0", c.defines...); !strings.Contains(out, c.finds) {
				t.Errorf("spin did not find %q:\n%s", c.finds, out)
			}
		})
	}
}

// TestMembarrierModel is TestModel for the build tag srcu_membarrier.
func TestMembarrierModel(t *testing.T) {
	for _, c := range []struct {
		name    string
		defines []string
	}{
		{"grace period", []string{"-DCLOSERS=0", "-DSHARED=1", "-DCANCELS=1"}},
		{"two grace periods", []string{"-DCLOSERS=0", "-DPERIODS=2"}},
		{"close", []string{"-DSYNCS=0", "-DSHARED=1", "-DCANCELS=1"}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			out := check(t, "membarrier.pml", "-O2", c.defines...)
			if !strings.Contains(out, "errors: 0") || strings.Contains(out, "not completed") || strings.Contains(out, "depth too small") {
				t.Errorf("not proved:\n%s", out)
			}
		})
	}
}

func TestMembarrierModelMutants(t *testing.T) {
	const (
		early = "assertion violated (failed||(missed[s]==0))"
		used  = "assertion violated (open==0)"
		stuck = "invalid end state"
	)
	for _, c := range []struct{ name, define, synchronize, drain string }{
		{"no membarrier", "-DNO_MEMBARRIER", stuck, stuck},
		{"no membarrier before looking", "-DNO_FIRST_BARRIER", early, used},
		{"no membarrier after asking for attention", "-DNO_ATTENTION_BARRIER", stuck, stuck},
		{"enters are summed first", "-DENTERS_FIRST", early, used},
		{"one count for enters and exits", "-DNO_SPLIT", early, used},
		{"an exit counts where its enter did", "-DEXIT_WHERE_ENTERED", stuck, stuck},
		{"not pinned", "-DNOT_PINNED", stuck, stuck},
		{"an enter does not look again", "-DNO_RECHECK", "errors: 0", "assertion violated  !(drainReturned)"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			for without, finds := range map[string]string{"-DCLOSERS=0": c.synchronize, "-DSYNCS=0": c.drain} {
				if out := check(t, "membarrier.pml", "-O0", c.define, without); !strings.Contains(out, finds) {
					t.Errorf("%s: spin did not find %q:\n%s", without, finds, out)
				}
			}
		})
	}
}

// check searches a model with these macros defined, and returns what the search
// reports. The optimization pays for itself where there is much to search.
func check(t *testing.T, file, optimization string, defines ...string) string {
	t.Helper()
	for tool, from := range map[string]string{"spin": "Debian package spin", "gcc": "Debian package gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s (%s) is needed to check the model: %v", tool, from, err)
		}
	}
	model, err := os.ReadFile(filepath.Join("model", file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, file), model)
	var out []byte
	for _, cmd := range [][]string{
		append(append([]string{"spin", "-a"}, defines...), file),
		{"gcc", optimization, "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=2000", "-o", "pan", "pan.c"},
		{"./pan", "-m100000", "-w20"},
	} {
		c := exec.Command(cmd[0], cmd[1:]...)
		c.Dir = dir
		if out, err = c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(cmd, " "), err, out)
		}
	}
	return string(out)
}
