package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A result is one figure of the table.
type result struct {
	name  string // as of a Go benchmark: Pair/drm_guard/one_goroutine-2
	ns    float64
	ratio float64 // to the reference that was measured with it
}

// results are the figures of a run, in the order of the table.
type results []result

// add notes a figure of the table.
func (r *results) add(procs int, ns, ratio float64, names ...string) {
	name := strings.ReplaceAll(strings.Join(names, "/"), " ", "_")
	*r = append(*r, result{fmt.Sprintf("%s-%d", name, procs), ns, ratio})
}

// write writes the results in the format of Go benchmarks, which benchstat
// reads too.
func (r results) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, one := range r {
		fmt.Fprintf(out, "Benchmark%s\t1\t%.2f ns/op\t%.3f ratio\n", one.name, one.ns, one.ratio)
	}
	return out.Flush()
}

// readResults reads what write has written.
func readResults(from io.Reader) (results, error) {
	var r results
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[3] != "ns/op" || fields[5] != "ratio" {
			return nil, fmt.Errorf("not a result of this command: %q", lines.Text())
		}
		ns, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, err
		}
		ratio, err := strconv.ParseFloat(fields[4], 64)
		if err != nil {
			return nil, err
		}
		r = append(r, result{strings.TrimPrefix(fields[0], "Benchmark"), ns, ratio})
	}
	return r, lines.Err()
}

// compare writes a table of the ratios of both runs. Ratios are compared, not
// times: they depend less on the machine and its load.
func compare(w io.Writer, before, after results) {
	old := make(map[string]float64)
	for _, one := range before {
		old[one.name] = one.ratio
	}
	fmt.Fprintf(w, "\n%-68s%10s%10s%9s\n", "ratios to the reference", "before", "now", "change")
	for _, one := range after {
		ratio, known := old[one.name]
		if !known {
			fmt.Fprintf(w, "%-68s%10s%9.2f×\n", one.name, "-", one.ratio)
			continue
		}
		fmt.Fprintf(w, "%-68s%9.2f×%9.2f×%+8.0f%%\n", one.name, ratio, one.ratio, 100*(one.ratio/ratio-1))
	}
}

// save compares the results with those in the file, if it exists, and replaces
// them.
func (r results) save(w io.Writer, file string) error {
	switch f, err := os.Open(file); {
	case err == nil:
		before, err := readResults(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("comparing with %s: %w", file, err)
		}
		compare(w, before, r)
	case !os.IsNotExist(err):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := r.write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
