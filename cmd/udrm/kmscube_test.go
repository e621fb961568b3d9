//go:build compositors

package main

import "testing"

// TestKmscubeAimedUnplugs unplugs the card at each point of each kind of request
// that kmscube sends.
func TestKmscubeAimedUnplugs(t *testing.T) {
	unplugAtEachPoint(t, 12, "kmscube", "-D", "/dev/dri/card0", "-c", "3")
}
