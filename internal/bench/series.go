package main

import (
	"math/rand/v2"
	"slices"
)

// A series has the times of one contender, round by round.
type series []float64

// takeTurns measures n contenders in turn, in another order each round, and
// returns the results of each, round by round.
func takeTurns(rounds, n int, measure func(contender int) float64) []series {
	all := make([]series, n)
	for range rounds {
		for _, c := range rand.Perm(n) {
			all[c] = append(all[c], measure(c))
		}
	}
	return all
}

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

// over returns the median of the ratios within a round.
func (s series) over(reference series) float64 {
	ratios := make(series, len(s))
	for i := range s {
		ratios[i] = s[i] / reference[i]
	}
	return ratios.median()
}
