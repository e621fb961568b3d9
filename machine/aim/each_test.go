package aim_test

import (
	"strings"
	"testing"

	"github.com/udrm/udrm/drm/drmtest"
	"github.com/udrm/udrm/drm/uapi"
	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/config"
)

// TestEachRequestFires aims a rule at each point of each request, which a master
// then sends with an argument of zeroes, to a card with a display and to one
// without. A rule that is accepted can fire.
func TestEachRequestFires(t *testing.T) {
	t.Parallel()
	for _, described := range []config.Card{config.DefaultCard(), {Name: "vgem", Driver: config.VGEM, Enabled: true}} {
		m := newMachineOf(t, machine.ClockReal, described)
		primary := card(t, m, "card0").Device().Primary()
		accepted := 0
		for request := range uapi.Requests() {
			var triggers []*aim.Trigger
			for _, point := range []string{"before", "entered", "handled", "after"} {
				rule, err := aim.Parse(request.Name + ":" + point + ":delay=1us")
				if err != nil && strings.Contains(err.Error(), "on a dma-buf or a sync file") {
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				switch trigger, err := aim.Attach(m, rule, nil); {
				case err == nil:
					triggers = append(triggers, trigger)
				case !strings.Contains(err.Error(), "no card has the request"):
					t.Error(err)
				}
			}
			accepted += len(triggers)
			c, err := drmtest.OpenAs(primary, drmtest.Self())
			if err != nil {
				t.Fatal(err)
			}
			err = drmtest.Ioctl(c, request.Cmd, new([1 << 14]byte))
			c.File.Close()
			for _, trigger := range triggers {
				if trigger.Close() != nil {
					t.Errorf("%s: %v does not fire; the request answers %v", described.Driver, trigger.Rule(), err)
				}
			}
		}
		if accepted < 350 {
			t.Errorf("%s: only %d rules are accepted", described.Driver, accepted)
		}
	}
}
