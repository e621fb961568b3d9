// Package misspelt finds the words that a misspelt one may have meant, for error
// messages. Packages drm/uapi, machine/config and machine/report use it.
package misspelt

import "strings"

// MaxLength is the length in bytes of a misspelt word for which there may be a
// suggestion. A longer one is no misspelt word, and to compare it takes long.
const MaxLength = 64

// Nearest returns the word closest to a misspelt one, or "" if none of them is
// close. Upper and lower case are the same.
func Nearest(misspelt string, words []string) (nearest string) {
	if len(misspelt) > MaxLength {
		return ""
	}
	limit := len(misspelt)/2 + 1
	for _, w := range words {
		if d := Distance(strings.ToLower(misspelt), strings.ToLower(w)); d < limit {
			nearest, limit = w, d
		}
	}
	return nearest
}

// Distance returns the Levenshtein distance of two words: the number of
// characters to add, remove or replace.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
