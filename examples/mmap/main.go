// Command mmap unmaps a file while goroutines read it.
//
// For Go, a slice of mapped memory is an ordinary slice. If a goroutine uses it
// after munmap(2), the whole program dies of SIGSEGV, and recover does not help.
// Package srcu makes each access a section, and the unmapping waits for the
// sections. Package devres releases what the mapping acquired, newest first. See
// mapping.go.
//
//	go run ./examples/mmap            # exits with 0 if no reader was hurt
//	go run ./examples/mmap -unsafe    # without sections, in a child process; 0 if it crashed
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	readers  = 8
	pages    = 256
	pageSize = 4096

	// enough is the number of reads after which an unguarded reader must have
	// crashed.
	enough = 1 << 20
)

func main() {
	unsafe := flag.Bool("unsafe", false, "read without sections, in a child process, and see it crash")
	child := flag.Bool("child", false, "be that child process")
	flag.Parse()
	var err error
	switch {
	case *unsafe && !*child:
		err = watchCrash()
	default:
		err = run(!*unsafe)
	}
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

// run revokes a mapping while goroutines read it, and checks that each of them
// ended properly.
func run(guarded bool) error {
	dir, err := os.MkdirTemp("", "mmap")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pages")
	if err := writePages(path); err != nil {
		return err
	}
	m, err := openMapping(path, func(resource string) { fmt.Println("released:", resource) })
	if err != nil {
		return err
	}
	view := m.view
	if !guarded {
		view = m.viewUnguarded
	}

	var (
		reads, torn    atomic.Int64
		reading, ended sync.WaitGroup
		refusals       [readers]error
	)
	reading.Add(readers)
	for r := range readers {
		ended.Go(func() {
			for n := 0; guarded || n < enough; n++ {
				page := (r*pages/readers + n) % pages
				refusals[r] = view(func(mapped []byte) {
					want := bytes.Repeat([]byte{byte(page)}, pageSize)
					if !bytes.Equal(mapped[page*pageSize:][:pageSize], want) {
						torn.Add(1)
					}
				})
				if refusals[r] != nil {
					return
				}
				reads.Add(1)
				if n == 0 {
					reading.Done()
				}
			}
		})
	}
	reading.Wait()
	fmt.Printf("%d goroutines read a file of %d pages; it is unmapped now\n", readers, pages)
	start := time.Now()
	if err := m.revoke(); err != nil {
		return err
	}
	fmt.Printf("unmapped after %v\n", time.Since(start).Round(time.Microsecond))
	ended.Wait()

	fmt.Printf("%d pages were read, %d of them wrong\n", reads.Load(), torn.Load())
	for r, refusal := range refusals {
		if !errors.Is(refusal, errRevoked) {
			return fmt.Errorf("reader %d did not get errRevoked: %v", r, refusal)
		}
	}
	fmt.Printf("all %d readers got: %v\n", readers, errRevoked)
	maps, err := os.ReadFile("/proc/self/maps")
	switch {
	case err != nil:
		return err
	case strings.Contains(string(maps), path):
		return errors.New("the file is still mapped")
	case torn.Load() != 0:
		return errors.New("pages were read that were not the file's")
	}
	return nil
}

// writePages writes a file whose page n consists of the byte n.
func writePages(path string) error {
	var content []byte
	for page := range pages {
		content = append(content, bytes.Repeat([]byte{byte(page)}, pageSize)...)
	}
	return os.WriteFile(path, content, 0o600)
}

// watchCrash runs the unguarded readers in a child process, which must crash.
func watchCrash() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	output, err := exec.Command(self, "-unsafe", "-child").CombinedOutput()
	if err == nil {
		return fmt.Errorf("the unguarded readers survived:\n%s", output)
	}
	for line := range strings.Lines(string(output)) {
		fmt.Print("child: ", line)
		if strings.HasPrefix(line, "[signal SIGSEGV") {
			fmt.Println("the child died:", err)
			return nil
		}
	}
	return fmt.Errorf("the child died of something else: %w", err)
}
