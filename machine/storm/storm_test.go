package storm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/udrm/udrm/machine/aim"
	"github.com/udrm/udrm/machine/storm"
)

var targets = []storm.Target{{Card: "card0", Connectors: []string{"DP-1", "HDMI-A-1"}}, {Card: "card1"}}

// TestSteps makes storms: they are rules, and can be repeated.
func TestSteps(t *testing.T) {
	different := make(map[string]bool)
	kinds := map[string]bool{"frame#": false, "vblank#": false, "event#": false, "badlink=": false, "signal=": false, "unplug=": false, "error=": false}
	for seed := range uint64(100) {
		spec := storm.Spec{Seed: seed, Count: 15, Span: 50}
		steps := spec.Steps(targets)
		if again := spec.Steps(targets); !slices.Equal(steps, again) {
			t.Fatalf("seed %d makes %q and %q", seed, steps, again)
		}
		if len(steps) != spec.Count {
			t.Errorf("seed %d makes %d steps", seed, len(steps))
		}
		different[strings.Join(steps, " ")] = true
		for _, step := range slices.Concat(steps, spec.Steps(nil)) {
			if _, err := aim.Parse(step); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			for kind := range kinds {
				kinds[kind] = kinds[kind] || strings.Contains(step, kind)
			}
		}
	}
	for kind, found := range kinds {
		if !found {
			t.Errorf("no storm has %s", kind)
		}
	}
	if len(different) != 100 {
		t.Errorf("100 seeds make %d storms", len(different))
	}
}

// TestParse reads specs and writes them.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"42":               "42",
		"7:steps=20":       "7:steps=20",
		"7:span=9:steps=3": "7:steps=3:span=9",
		"":                 `"": "" is not a seed`,
		"-1":               `"-1": "-1" is not a seed`,
		"1:steps=0":        `"1:steps=0": steps is a number from 1 to 200`,
		"1:span":           `"1:span": span is a number from 1 to 1000000`,
		"1:wind=3":         `"1:wind=3": unknown word "wind=3"`,
	} {
		spec, err := storm.Parse(text)
		got := spec.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestShrink shrinks sequences whose needed steps are known.
func TestShrink(t *testing.T) {
	for n := range 20 {
		var steps []string
		for i := range n {
			steps = append(steps, fmt.Sprint(i))
		}
		for _, needed := range [][]string{nil, {"3"}, {"0", "19"}, {"2", "3", "17"}, {"1", "5", "9", "13"}} {
			if !contains(steps, needed) {
				continue
			}
			runs := 0
			got, err := storm.Shrink(steps, func(steps []string) (bool, error) {
				runs++
				return contains(steps, needed), nil
			})
			if err != nil || !slices.Equal(got, needed) || runs > n*n+n {
				t.Errorf("of %d steps, %q are left in %d runs, %v; needed are %q", n, got, runs, err, needed)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := storm.Shrink([]string{"a", "b"}, func([]string) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("Shrink has lost the error: %v", err)
	}
}

func contains(steps, needed []string) bool {
	for _, step := range needed {
		if !slices.Contains(steps, step) {
			return false
		}
	}
	return true
}
