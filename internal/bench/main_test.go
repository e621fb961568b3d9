package main

import (
	"strings"
	"testing"
)

// The table has a row for each contender and wait at each GOMAXPROCS, and says of
// the goals what became of them.
func TestReport(t *testing.T) {
	var out strings.Builder
	report(&out, 1)
	t.Log(out.String())
	contenders, end := pairs()
	defer end()
	var rows []string
	for _, c := range contenders {
		rows = append(rows, c.name)
	}
	for _, group := range waits {
		for _, wait := range group.all {
			rows = append(rows, wait.name)
		}
	}
	table, goals, _ := strings.Cut(out.String(), "Goals")
	for _, row := range rows {
		if got, want := strings.Count(table, "  "+row+"  "), len(settings()); got != want {
			t.Errorf("the row %q is there %d times, want %d", row, got, want)
		}
	}
	met, missed := strings.Count(goals, ": met"), strings.Count(goals, ": MISSED")
	if met+missed != 18 {
		t.Errorf("of 18 goals, %d are met and %d missed", met, missed)
	}
}
