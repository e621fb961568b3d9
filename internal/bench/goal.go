package main

import (
	"fmt"
	"io"
)

// goals compares the results with goals that were set before.
type goals struct {
	lines    []string
	ioctlAt1 float64 // ns
}

func (g *goals) add(what string, got, limit float64, unit string) {
	verdict := "met"
	if got > limit {
		verdict = "MISSED"
	}
	g.lines = append(g.lines, fmt.Sprintf("%-70s%8.2f%s, goal %.2f%s: %s", what, got, unit, limit, unit, verdict))
}

// pair checks the result of a contender under a load; all has those of all
// contenders by name.
func (g *goals) pair(procs int, load, contender string, all map[string]series) {
	taken := all[contender]
	if contender == ioctl {
		g.ioctl(procs, load, taken.median())
	}
	if contender != guard && contender != domain {
		return
	}
	switch {
	case procs == 1 && load == one:
		g.add(contender+" over two locked adds, at 1", taken.over(all[adds]), 1.15, "×")
	case procs == 2 && load == onePerP:
		g.add(contender+" over two locked adds, at 2", taken.over(all[adds]), 1.15, "×")
		g.add(contender+" over sync.RWMutex, at 2", taken.over(all[rwmutex]), 0.25, "×")
	}
}

// ioctl checks how requests scale: two processors must serve at least 1.8 times
// as many as one.
func (g *goals) ioctl(procs int, load string, ns float64) {
	switch {
	case procs == 1 && load == one:
		g.ioctlAt1 = ns
	case procs == 2 && load == onePerP:
		g.add(ioctl+", time at 2 over time at 1", ns/g.ioctlAt1, 1/1.8, "×")
	}
}

func (g *goals) allocations(procs int, contender string, n float64) {
	limits := map[string]float64{guard: 0, domain: 0, ioctl: 2}
	if limit, limited := limits[contender]; limited && procs == 1 {
		g.add(contender+", allocations", n, limit, "")
	}
}

func (g *goals) wait(procs int, name string, taken series) {
	if procs > 2 {
		return
	}
	switch name {
	case idleDrain, idleUnplug, idleSynchronize:
		g.add(fmt.Sprintf("idle %s, at %d", name, procs), taken.median()/1000, 1, " µs")
	case lastExit, lastGuard:
		g.add(fmt.Sprintf("%s, at %d", name, procs), taken.median()/1000, 5, " µs")
	}
}

func (g *goals) report(w io.Writer) {
	fmt.Fprintln(w, "\nGoals, on an unloaded machine of 2 processors")
	for _, line := range g.lines {
		fmt.Fprintln(w, " ", line)
	}
}
