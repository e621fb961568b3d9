package srcu

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are changes to the package that break it, each in one way, and the
// test that must notice.
var mutants = []struct {
	name     string
	file     string
	old, new string
	caughtBy string
	tags     string
}{
	{
		name: "no drain of the other index before the flip",
		file: "grace.go",
		old: `	if err := d.await(ctx, old^stateIndex); err != nil {
		return d.givenUp("Synchronize", err)
	}
	d.flip(old)`,
		new:      `	d.flip(old)`,
		caughtBy: "TestLateEnterIsWaitedForAfterAFlip",
	},
	{
		name:     "no closed bit in the words",
		file:     "srcu.go",
		old:      `atomic.OrInt64(&w.n, closed|attention)`,
		new:      `atomic.OrInt64(&w.n, attention)`,
		caughtBy: "TestLateEnterMeetsTheClosedWord",
	},
	{
		name: "no wake",
		file: "word.go",
		old: `			w.d.wakeWaiter()
			return`,
		new:      `			return`,
		caughtBy: "TestScripts",
	},
	{
		name: "And instead of the CAS",
		file: "word.go",
		old: `		next := v &^ attention
		if v&closed != 0 {
			next = v | drained
		}
		if atomic.CompareAndSwapInt64(&w.n, v, next) {`,
		new: `		if v&closed != 0 {
			atomic.OrInt64(&w.n, drained)
		} else {
			atomic.AndInt64(&w.n, ^attention)
		}
		if true {`,
		caughtBy: "TestLateExitLeavesTheClosedWordAlone",
	},
	{
		name:     "attention cleared on a closed word",
		file:     "word.go",
		old:      `next = v | drained`,
		new:      `next = v&^attention | drained`,
		caughtBy: "TestLateEnterMeetsTheClosedWord",
	},
	{
		name:     "a late enter that fails counts as a section for ever",
		file:     "word.go",
		old:      `return v&count == 0 || v&drained != 0`,
		new:      `return v&count == 0`,
		caughtBy: "TestLateEnterDoesNotHoldUpDrain",
	},
	{
		name:     "the waiter does not ask for attention",
		file:     "grace.go",
		old:      `idle(atomic.OrInt64(&w.n, attention))`,
		new:      `idle(atomic.LoadInt64(&w.n))`,
		caughtBy: "TestScripts",
	},
	{
		name:     "a grace period is shared that was begun before the call",
		file:     "grace.go",
		old:      `if d.done > newest {`,
		new:      `if d.done >= newest {`,
		caughtBy: "TestScripts",
	},
	{
		name:     "a drain forgets an index",
		file:     "grace.go",
		old:      `for index := range uint64(2) {`,
		new:      `for index := range uint64(1) {`,
		caughtBy: "TestScripts",
	},
	{
		name:     "by P: the waiter does not ask for attention",
		file:     "perp_membarrier_amd64.go",
		old:      `atomic.OrInt64(&w.n, attention)`,
		new:      `atomic.OrInt64(&w.n, 0)`,
		caughtBy: "TestScripts",
		tags:     "srcu_membarrier",
	},
	{
		name:     "by P: an enter on a P without a slot is not counted",
		file:     "perp_membarrier_amd64.go",
		old:      `enters = atomic.LoadInt64(&d.shared.count[index].enters)`,
		new:      `exits -= atomic.LoadInt64(&d.shared.count[index].exits)`,
		caughtBy: "TestPerPMoreProcs",
		tags:     "srcu_membarrier",
	},
	{
		name:     "by P: a late enter that fails stays counted",
		file:     "perp_membarrier_amd64.go",
		old:      `	Section{w}.Exit()`,
		new:      ``,
		caughtBy: "TestPerPLateEnter",
		tags:     "srcu_membarrier",
	},
}

// TestMutantsAreCaught changes a copy of the source in one place, and checks
// that the test of the mutant fails on it.
func TestMutantsAreCaught(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal("the go command is needed to build the mutants:", err)
	}
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			original, err := filepath.Abs(m.file)
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(original)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%s holds the text to replace %d times, want once:\n%s", m.file, n, m.old)
			}
			dir := t.TempDir()
			mutated := filepath.Join(dir, m.file)
			write(t, mutated, []byte(strings.Replace(string(source), m.old, m.new, 1)))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "overlay.json"), overlay)

			// A mutant of code that runs concurrently can pass once by chance.
			out, err := exec.Command(goTool, "test", "-vet=off", "-count=10", "-failfast", "-timeout=1m", "-tags="+m.tags,
				"-overlay="+filepath.Join(dir, "overlay.json"), "-run=^"+m.caughtBy+"$", ".").CombinedOutput()
			if err == nil {
				t.Errorf("%s passed on it", m.caughtBy)
			} else if !strings.Contains(string(out), "--- FAIL: "+m.caughtBy) {
				t.Errorf("failed, but not in %s: %v\n%s", m.caughtBy, err, out)
			}
		})
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
