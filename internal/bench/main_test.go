package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(hostedClient) != "" {
		must(serveHosted())
		return
	}
	os.Exit(m.Run())
}

// The table has a row for each contender and wait at each GOMAXPROCS, and says
// of the goals what became of them.
func TestReport(t *testing.T) {
	var out strings.Builder
	results := report(&out, 1, math.MaxInt)
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
	for _, request := range hostedRequests {
		if !strings.Contains(out.String(), "  "+request.name+"  ") {
			t.Errorf("there is no row %q", request.name)
		}
	}
	table, goals, _ := strings.Cut(out.String(), "Goals")
	for _, row := range rows {
		if got, want := strings.Count(table, "  "+row+"  "), len(settings()); got != want {
			t.Errorf("the row %q is there %d times, want %d", row, got, want)
		}
	}
	met, missed := strings.Count(goals, ": met"), strings.Count(goals, ": MISSED")
	if want := 20 + len(hostedRequests); met+missed != want {
		t.Errorf("of %d goals, %d are met and %d missed", want, met, missed)
	}

	// The file of a run is what the next one is compared with.
	file := filepath.Join(t.TempDir(), "new", "bench.txt")
	for i, want := range []int{0, len(results)} {
		var table strings.Builder
		if err := results.save(&table, file); err != nil {
			t.Fatal(err)
		}
		// Rounding in the file may change small ratios by some percent.
		if got := strings.Count(table.String(), "%\n"); got != want {
			t.Errorf("run %d: %d of %d figures are compared:\n%s", i, got, len(results), table.String())
		}
	}
}
