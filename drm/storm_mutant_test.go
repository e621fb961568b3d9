package drm_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The storm is worth nothing if it does not notice a request that runs without
// a guard, or with less of one. Each mutant of the package must be hit.
func TestStormCatchesMutants(t *testing.T) {
	const dispatch = "\treturn f.minor.dev.guarded(&f.records, purpose{cmd: cmd, file: f}, func(dev *RegisteredDevice) error {\n"
	// unguarded lets one request of the driver through with its own check.
	unguarded := func(check string) string {
		return `	guarded := f.minor.dev.guarded
	if dev := f.minor.dev; uapi.IOCNr(cmd) == uapi.CommandBase {
		guarded = func(_ *records, _ purpose, handle func(*RegisteredDevice) error) error {
			` + check + `
			return handle(&dev.registered)
		}
	}
	return guarded(&f.records, purpose{cmd: cmd, file: f}, func(dev *RegisteredDevice) error {
`
	}
	for _, mutant := range []struct{ name, file, text, instead string }{
		{"a request without a guard", "dispatch.go", dispatch, unguarded("")},
		{"a request that only looks whether the device is unplugged", "dispatch.go", dispatch,
			unguarded("if dev.gate.Closed() { return ErrUnplugged }")},
		{"an unplug that does not wait", "registration.go", "\td.awaitGuards()\n", ""},
	} {
		t.Run(mutant.name, func(t *testing.T) {
			source, err := os.ReadFile(mutant.file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), mutant.text); n != 1 {
				t.Fatalf("%s has this text %d times, not once; bring the mutant up to date:\n%s", mutant.file, n, mutant.text)
			}
			dir := t.TempDir()
			mutated := filepath.Join(dir, mutant.file)
			if err := os.WriteFile(mutated, []byte(strings.Replace(string(source), mutant.text, mutant.instead, 1)), 0o666); err != nil {
				t.Fatal(err)
			}
			original, err := filepath.Abs(mutant.file)
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
			if err != nil {
				t.Fatal(err)
			}
			overlayFile := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(overlayFile, overlay, 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "test", "-overlay", overlayFile, "-run", "^TestStorm$", "-count=1", "-timeout=60s", ".").CombinedOutput()
			if err == nil {
				t.Fatalf("the storm passes:\n%s", out)
			}
			if !strings.Contains(string(out), "accesses to hardware that was gone") {
				t.Fatalf("the storm fails, but not because of a hit: %v\n%s", err, out)
			}
		})
	}
}
