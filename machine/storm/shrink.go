package storm

import "slices"

// Shrink returns a smallest sequence of steps for which fails returns true: it
// has no shorter one with one step less. fails is called with subsequences of
// steps; for all steps it must return true. An error of fails ends Shrink.
//
// This is delta debugging (ddmin, by Zeller and Hildebrandt): Shrink removes
// large parts first.
func Shrink(steps []string, fails func([]string) (bool, error)) ([]string, error) {
	parts := 2
	for len(steps) > 0 {
		smaller, err := withoutPart(steps, parts, fails)
		switch {
		case err != nil:
			return steps, err
		case smaller != nil:
			steps, parts = smaller, max(parts-1, 2)
		case parts >= len(steps):
			return steps, nil
		default:
			parts = min(2*parts, len(steps))
		}
	}
	return steps, nil
}

// withoutPart cuts steps into parts, and returns steps without the first part
// that is not needed, or nil.
func withoutPart(steps []string, parts int, fails func([]string) (bool, error)) ([]string, error) {
	parts = min(parts, len(steps))
	for i := range parts {
		from, to := i*len(steps)/parts, (i+1)*len(steps)/parts
		rest := slices.Concat(steps[:from], steps[to:])
		if failed, err := fails(rest); err != nil || failed {
			return slices.Clip(append([]string{}, rest...)), err
		}
	}
	return nil, nil
}
