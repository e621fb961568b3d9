package misspelt

import "testing"

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"ATOMC", "ATOMIC", 1},
		{"ADDFB3", "ADDFB2", 1},
		{"SETCRCT", "SETCRTC", 2},
		{"kitten", "sitting", 3},
	} {
		if got, back := Distance(tc.a, tc.b), Distance(tc.b, tc.a); got != tc.want || back != tc.want {
			t.Errorf("from %q to %q: %d, back %d, want %d", tc.a, tc.b, got, back, tc.want)
		}
	}
}
