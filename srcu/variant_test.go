package srcu

import (
	"os/exec"
	"testing"
)

// TestProcPin runs the tests with the other way to choose a stripe. It depends
// on a name inside the runtime, so it may one day not link.
func TestProcPin(t *testing.T) {
	out, err := exec.Command("go", "test", "-tags=srcu_procpin", "-count=1",
		"-run=^Test(Scripts|Late|Stress|CacheLines|NoAllocation)", ".").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMembarrier runs the tests with the build tag srcu_membarrier, which
// changes nothing on other architectures than amd64.
func TestMembarrier(t *testing.T) {
	out, err := exec.Command("go", "test", "-tags=srcu_membarrier", "-count=1",
		"-run=^(Test(Scripts|Late|Stress|CacheLines|NoAllocation|ExitTooMany|Errors|StandIn|PerP)|Example|Fuzz)", ".").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
