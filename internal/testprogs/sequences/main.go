// Command sequences makes system calls in random order on the cards of the host
// that serves it: every request of the uAPI with objects that mostly exist,
// opens of many paths, mmap, dup, fork, exec, close, signals. The same seed
// gives the same calls, as far as the answers are the same.
//
// It starts workers again and again, kills some of them at random moments, and
// at the end of standard input prints its counts as JSON.
//
//	sequences SEED WORKERS
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// countsFD is the shared file of the counts in workers.
const countsFD = 3

func main() {
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	check(err)
	switch os.Args[2] {
	case "work":
		work(seed, -1)
		return
	case "child":
		inherited, err := strconv.Atoi(os.Args[3])
		check(err)
		work(seed, inherited)
		return
	}
	workers, err := strconv.Atoi(os.Args[2])
	check(err)
	fd, err := unix.MemfdCreate("counts", 0)
	check(err)
	check(unix.Ftruncate(fd, countsSize))
	file := os.NewFile(uintptr(fd), "counts")
	counts := mapCounts(fd)
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { supervise(file, counts, rand.New(rand.NewPCG(seed, uint64(i))), stop) })
	}
	wg.Wait()
	check(json.NewEncoder(os.Stdout).Encode(counts.report()))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sequences:", err)
		os.Exit(1)
	}
}

// longest bounds the life of a worker, which may wait for what never comes.
const longest = 500 * time.Millisecond

// supervise runs one worker after another until stop is closed.
func supervise(file *os.File, counts *counts, random *rand.Rand, stop <-chan struct{}) {
	for {
		cmd := exec.Command("/proc/self/exe", strconv.FormatUint(random.Uint64(), 10), "work")
		cmd.Stderr = os.Stderr
		cmd.ExtraFiles = []*os.File{file}
		check(cmd.Start())
		counts.workers.Add(1)
		ended := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(ended)
		}()
		life := longest
		if random.IntN(4) == 0 { // killed at any moment
			life = time.Duration(random.Int64N(int64(longest / 4)))
		}
		select {
		case <-ended:
		case <-time.After(life):
			counts.killed.Add(1)
			_ = cmd.Process.Kill()
			<-ended
		case <-stop:
			_ = cmd.Process.Kill()
			<-ended
			return
		}
	}
}
