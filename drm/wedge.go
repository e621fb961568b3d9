package drm

import (
	"fmt"
	"slices"
	"strings"
)

// recoveries are the ways to recover a wedged device, in the order of their side
// effects (DRM_WEDGE_RECOVERY_*).
var recoveries = []string{"none", "rebind", "bus-reset", "vendor-specific"}

// CheckRecovery returns an error unless recovery is what the WEDGED of a uevent can
// be: "unknown", or ways to recover with commas between them, those with fewer side
// effects first.
func CheckRecovery(recovery string) error {
	last := -1
	for way := range strings.SplitSeq(recovery, ",") {
		i := slices.Index(recoveries, way)
		if i <= last && recovery != "unknown" {
			return fmt.Errorf("drm: %q is not a recovery of a wedged device: it is unknown, or of %s in this order, with commas between them",
				recovery, strings.Join(recoveries, ", "))
		}
		last = i
	}
	return nil
}

// Wedge tells programs that the device hangs, by a uevent of the card with WEDGED
// (drm_dev_wedged_event). They may recover it as recovery says, for which
// [CheckRecovery] must hold. The device itself does not change.
func (dev *RegisteredDevice) Wedge(recovery string) error {
	if err := CheckRecovery(recovery); err != nil {
		return err
	}
	dev.Class().Send(Uevent{Action: "change", Kobject: dev.Primary().Kobject(), Env: []string{"WEDGED=" + recovery}})
	return nil
}
