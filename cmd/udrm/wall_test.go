package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// BenchmarkWall has a program flip on 16 cards of 3840x2160 at 60 Hz. It reports
// the flips of a card, the vblanks that flips on all cards missed, and the
// processor time of udrm. The goals on an unloaded machine of two processors are no
// missed vblank and 30 % of a core.
//
//	go test -run - -bench Wall -benchtime 1x ./cmd/udrm
func BenchmarkWall(b *testing.B) {
	program, err := build(b.TempDir(), "../../internal/testprogs/wall", false)
	if err != nil {
		b.Fatal(err)
	}
	const cards, duration = 16, 10 * time.Second
	args := []string{"run", "--cards", strconv.Itoa(cards), "--monitor", "3840x2160@60", "--", program, duration.String()}
	for i := range cards {
		args = append(args, fmt.Sprint("/dev/dri/card", i))
	}
	var flips, missed int
	var used time.Duration
	for range b.N {
		cmd := command(b, args...)
		cmd.Stderr = os.Stderr
		stdin, stdout := startPiped(b, cmd)
		lines := bufio.NewScanner(stdout)
		lines.Scan() // all cards are lit
		before := processTime(b, cmd.Process.Pid)
		lines.Scan()
		used += processTime(b, cmd.Process.Pid) - before
		var f, m int
		if _, err := fmt.Sscan(lines.Text(), &f, &m); err != nil {
			b.Fatalf("the program printed %q", lines.Text())
		}
		flips, missed = flips+f, missed+m
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	seconds := float64(b.N) * duration.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(flips)/seconds/cards, "flips/s")
	b.ReportMetric(float64(missed)/seconds, "missed/s")
	b.ReportMetric(100*used.Seconds()/seconds, "%core")
}

// processTime returns the processor time that a process has used.
func processTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	// The name of the program, in brackets, can have spaces.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const perSecond = 100 // USER_HZ
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(string(field))
		if err != nil {
			tb.Fatalf("/proc/%d/stat: %v", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond
}
