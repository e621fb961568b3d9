package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkPrograms runs whole programs alone and under udrm, with each way to show
// files, in turns, and reports the medians of all rounds. The goals on an unloaded
// machine are 30 ms for a program that does nothing and, as multiples of the time
// alone, with mounts and without: 1.15 and 3 for programs that do little but look at
// files, 1.3 and 1.7 for make, 1.1 and 1.2 for a start of Python.
//
//	go test -run - -bench Programs -benchtime 1x ./cmd/udrm
func BenchmarkPrograms(b *testing.B) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	tree, sources := filepath.Join(strings.TrimSpace(string(root)), "src"), manySources(b)
	for _, tc := range []struct {
		name    string
		program []string
	}{
		{"true", []string{"true"}},
		{"ls", []string{"ls", "-lR", tree}},
		{"find", []string{"find", tree, "-name", "x"}},
		{"git", []string{"git", "status", "--short"}},
		{"grep", []string{"grep", "-r", "no file has this", tree}},
		{"make", []string{"make", "-s", "-B", "-j2", "-C", sources}},
		{"python", []string{"python3", "-c", "import json, asyncio, email, http.server"}},
	} {
		b.Run(tc.name, func(b *testing.B) {
			if _, err := os.Stat(tree); err != nil {
				b.Fatal(err)
			}
			const rounds = 5
			var alone, mounts, calls []float64
			for range b.N * rounds {
				alone = append(alone, milliseconds(b, tc.program))
				mounts = append(mounts, milliseconds(b, append([]string{udrm, "run", "--files=mounts", "--"}, tc.program...)))
				calls = append(calls, milliseconds(b, append([]string{udrm, "run", "--files=calls", "--"}, tc.program...)))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(alone), "alone-ms")
			b.ReportMetric(median(mounts), "mounts-ms")
			b.ReportMetric(median(mounts)/median(alone), "mounts/alone")
			b.ReportMetric(median(calls), "calls-ms")
			b.ReportMetric(median(calls)/median(alone), "calls/alone")
		})
	}
}

// manySources returns a directory with small C files, and a makefile for them.
func manySources(b *testing.B) (dir string) {
	dir = b.TempDir()
	const makefile = "all: $(patsubst %.c,%.o,$(wildcard *.c))\n%.o: %.c\n\tgcc -c -o $@ $<\n"
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(makefile), 0o600); err != nil {
		b.Fatal(err)
	}
	for i := range 150 {
		source := fmt.Sprintf("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f%d(void) { return puts(\"%[1]d\"); }\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d.c", i)), []byte(source), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
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
