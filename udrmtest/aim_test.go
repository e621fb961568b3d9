package udrmtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/udrmtest"
)

// TestAim aims an unplug at the third page flip. The event of that flip still
// comes, so that modetest asks for a fourth.
func TestAim(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{Cards: 2})
	card := m.Card("card0")
	unplug := card.Aim("MODE_PAGE_FLIP#3:handled:unplug")
	fourth := card.Aim("MODE_PAGE_FLIP#4:after:delay=1us")
	m.Start("modetest", modetest...)
	unplug.Wait()
	if card.Machine().Plugged() || !m.Card("card1").Machine().Plugged() {
		t.Error("another card was unplugged")
	}
	fourth.Wait()
}

// TestAimFaults makes requests fail. modetest gives
// up at the first error.
func TestAimFaults(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{})
	m.Aim("mmap#1:error=ENOMEM")
	p := m.Start("modetest", modetest...)
	p.CloseStdin()
	p.WaitOutput("failed to map buffer")
	p.Exit()
	busy := m.Aim("MODE_PAGE_FLIP#1:error=EBUSY")
	p = m.Start("modetest", modetest...)
	p.WaitOutput("failed to page flip: Device or resource busy")
	busy.Wait()
	p.CloseStdin()
	p.Exit()
}

// TestAimFunc looks at the machine in the middle of a modeset.
func TestAimFunc(t *testing.T) {
	t.Parallel()
	m := udrmtest.New(t, udrmtest.Options{})
	var before, after error
	m.AimFunc("SETCRTC#1:entered", func(context.Context) error {
		_, before = m.Card("card0").Machine().Screenshot("")
		return nil
	})
	shown := m.AimFunc("SETCRTC#1:handled", func(context.Context) error {
		_, after = m.Card("card0").Machine().Screenshot("")
		return nil
	})
	m.Start("modetest", modetest...)
	shown.Wait()
	if before == nil || after != nil {
		t.Errorf("a screenshot before the modeset: %v; after it: %v", before, after)
	}
}

// A report records the errors of a test, and what is to do at its end.
type report struct {
	testing.TB
	said    strings.Builder
	cleanup []func()
}

func (r *report) Errorf(format string, args ...any) { fmt.Fprintf(&r.said, format+"\n", args...) }

func (r *report) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

// TestAimMissed checks that a rule that does not fire fails its test, as does
// one whose action fails.
func TestAimMissed(t *testing.T) {
	t.Parallel()
	r := &report{TB: t}
	m := udrmtest.New(r, udrmtest.Options{})
	m.Aim("MODE_ATOMIC:unplug")
	m.AimFunc("open#1", func(context.Context) error { return errors.New("out of order") })
	m.Start("modetest", "-M", "vkms", "-c").WantExit(0)
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
	const want = "udrmtest: open#1: out of order\nudrmtest: MODE_ATOMIC:unplug: it has not fired: its event has not happened\n"
	if r.said.String() != want {
		t.Errorf("the test fails with\n%swant\n%s", &r.said, want)
	}
}
