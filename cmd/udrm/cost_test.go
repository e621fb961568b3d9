package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkPrograms runs whole programs alone and under udrm, in turns, and
// reports the medians of all rounds. The goals on an unloaded machine are, for
// programs that do little but look at files, 3 times as long (grep: 1.7), for a
// start of Python 1.2, and 30 ms for a program that does nothing.
//
//	go test -run - -bench Programs -benchtime 1x ./cmd/udrm
func BenchmarkPrograms(b *testing.B) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	tree := filepath.Join(strings.TrimSpace(string(root)), "src")
	for _, tc := range []struct {
		name    string
		program []string
	}{
		{"true", []string{"true"}},
		{"ls", []string{"ls", "-lR", tree}},
		{"find", []string{"find", tree, "-name", "x"}},
		{"grep", []string{"grep", "-r", "no file has this", tree}},
		{"python", []string{"python3", "-c", "import json, asyncio, email, http.server"}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			if _, err := os.Stat(tree); err != nil {
				b.Fatal(err)
			}
			const rounds = 5
			var alone, under, ratios []float64
			for range b.N * rounds {
				a := milliseconds(b, tc.program)
				u := milliseconds(b, append([]string{udrm, "run", "--"}, tc.program...))
				alone, under, ratios = append(alone, a), append(under, u), append(ratios, u/a)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(alone), "alone-ms")
			b.ReportMetric(median(under), "ms")
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

// milliseconds runs a program and returns how long it took.
func milliseconds(b *testing.B, program []string) float64 {
	b.Helper()
	cmd := exec.Command(program[0], program[1:]...)
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 { // 1: grep found nothing
		b.Fatalf("%q: %v", program, err)
	}
	return float64(took.Microseconds()) / 1000
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
