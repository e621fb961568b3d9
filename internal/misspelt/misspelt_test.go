package misspelt

import (
	"strings"
	"testing"
)

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

func TestNearest(t *testing.T) {
	words := []string{"frames", "errors", strings.Repeat("frames", 20)}
	for _, tc := range []struct{ misspelt, want string }{
		{"frame", "frames"},
		{"Erors", "errors"},
		{"xyz", ""},
		{strings.Repeat("frames", 19), ""},     // longer than a word
		{strings.Repeat("frames", 16<<20), ""}, // to compare it would take seconds
	} {
		if got := Nearest(tc.misspelt, words); got != tc.want {
			t.Errorf("nearest to %.20q: %q, want %q", tc.misspelt, got, tc.want)
		}
	}
}
