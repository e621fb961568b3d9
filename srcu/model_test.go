package srcu

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModel has spin take the algorithm in model/srcu.pml through every interleaving.
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
			out := check(t, "-O2", c.defines...)
			if !strings.Contains(out, "errors: 0") || strings.Contains(out, "not completed") || strings.Contains(out, "depth too small") {
				t.Errorf("not proved:\n%s", out)
			}
			if c.whole && regexp.MustCompile(`\([1-9]\d* of \d+ states\)`).MatchString(out) {
				t.Errorf("some steps of the model are never taken:\n%s", out)
			}
		})
	}
}

// TestModelMutants requires that spin finds what is wrong with each mutant of the
// model, so that a search that finds nothing means something.
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
			if out := check(t, "-O0", c.defines...); !strings.Contains(out, c.finds) {
				t.Errorf("spin did not find %q:\n%s", c.finds, out)
			}
		})
	}
}

// check searches the model with these macros defined, and returns what the search
// reports. The optimization pays for itself where there is much to search.
func check(t *testing.T, optimization string, defines ...string) string {
	t.Helper()
	for tool, from := range map[string]string{"spin": "Debian package spin", "gcc": "Debian package gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s (%s) is needed to check the model: %v", tool, from, err)
		}
	}
	model, err := os.ReadFile(filepath.Join("model", "srcu.pml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "srcu.pml"), model)
	var out []byte
	for _, cmd := range [][]string{
		append(append([]string{"spin", "-a"}, defines...), "srcu.pml"),
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
