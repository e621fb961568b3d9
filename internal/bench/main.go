// Command bench measures registration guards and the alternatives, in one run,
// and prints one table: each figure with its ratio to the reference that was
// measured with it.
//
// A shared machine is noisy. So the contenders take short turns, in another
// order each round. A turn in which another program got a processor is
// repeated. Ratios are taken within a round, and the table has the medians of
// all rounds. Nothing here is an assertion. Last come requests of another
// process, with and without a trace.
//
//	go run ./internal/bench -o bin/bench.txt    # as make bench; two minutes
//	go run ./internal/bench -rounds 5           # a glance
//
// With -o, the ratios are compared with those of the last run that wrote the
// file, which has the format of Go benchmarks.
//
// Start reading at pairLoads (what is run) and pairs (who runs it), or at
// hostedRequests.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

func main() {
	if os.Getenv(hostedClient) != "" {
		must(serveHosted())
		return
	}
	rounds := flag.Int("rounds", 150, "how often each contender has its turn")
	most := flag.Int("most", 8*runtime.NumCPU(), "leave out settings of GOMAXPROCS above this")
	file := flag.String("o", "", "compare the results with those in `FILE`, and write them there")
	flag.Parse()
	results := report(os.Stdout, *rounds, *most)
	if *file == "" {
		return
	}
	if err := results.save(os.Stdout, *file); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// report measures everything, writes the table, and returns its figures.
func report(w io.Writer, rounds, most int) (results results) {
	procs := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(procs)
	processor(w)
	var goals goals
	var disturbances disturbances
	for _, procs := range settings() {
		if procs > most {
			continue
		}
		runtime.GOMAXPROCS(procs)
		fmt.Fprintf(w, "\nGOMAXPROCS %d\n", procs)
		reportPairs(w, procs, rounds, &results, &goals, &disturbances)
		reportLatencies(w, procs, rounds, &results, &goals)
		reportSizes(w)
	}
	runtime.GOMAXPROCS(procs)
	reportHosted(w, procs, rounds, &results, &goals)
	fmt.Fprintf(w, "\n%d of %d turns of pairs were disturbed by other programs and taken again\n", disturbances.disturbed, disturbances.turns)
	goals.report(w)
	return results
}

// settings are the values of GOMAXPROCS that everything is measured at.
func settings() []int { return []int{1, 2, 8 * runtime.NumCPU()} }

// processor writes the processor and its load, which is the first reason for
// strange figures.
func processor(w io.Writer) {
	model := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpuinfo)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			model = strings.Trim(name, "\t :\n")
			break
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(w, "%s, %d× %s, load before %s\n", runtime.Version(), runtime.NumCPU(), model, strings.TrimSpace(string(load)))
	fmt.Fprintln(w, "ns are wall time by pairs of all goroutines; × is the ratio to the row marked 1.00× within a round; medians")
}
