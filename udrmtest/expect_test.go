package udrmtest_test

import (
	"slices"
	"testing"

	"github.com/udrm/udrm/udrmtest"
)

// TestExpect checks rules that hold, and that others fail their test.
func TestExpect(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{})
	m.Expect("frames:card0>=1", "no-leaks", "no-requests-after-unplug", "no-stale-objects", "unplugs=0")
	p := m.Start("modetest", modetest...)
	m.Card("card0").WaitFrames(1)
	p.CloseStdin()
	p.Exit()

	r := &report{TB: t}
	failing := udrmtest.New(r, udrmtest.Options{})
	failing.Expect("frames:card0>=1", "unplugs=0")
	failing.Card("card0").Unplug()
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
	const want = "udrmtest: expected frames:card0>=1, but frames:card0: 0\nudrmtest: expected unplugs=0, but unplugs: 1\n"
	if r.said.String() != want {
		t.Errorf("the test fails with\n%swant\n%s", &r.said, want)
	}
}
