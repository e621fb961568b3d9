// Command handle closes a handle on a database while it is in use.
//
// Close has to do three things: let the queries in flight finish or cancel them,
// refuse later queries with an error that says why, and return only after the
// last query has ended, so that the memory behind the handle can be released.
// This is hard to get right with a mutex and a reference count. With a gate of
// package srcu it takes one line in each query and three in Close. See store.go.
//
//	go run ./examples/handle    # exits with 0 if all of this held
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

const (
	rows    = 1000
	clients = 16
)

func main() {
	if err := run(); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

// run closes a store while many short queries run on it, and two long ones: one
// ends as soon as the store is closing, the other one does not.
func run() error {
	store := Open(rows)
	var (
		gets, wrong    atomic.Int64
		started        sync.WaitGroup
		noticed        sync.Once
		closing        = make(chan struct{}) // closed when a client is refused
		shortScan      = make(chan error, 1)
		endlessScan    = make(chan error, 1)
		clientsAreDone sync.WaitGroup
		refusals       [clients]error
	)
	started.Add(clients + 2)
	for c := range clients {
		clientsAreDone.Go(func() {
			for n := 0; ; n++ {
				row := (c + n) % rows
				value, err := store.Get(row)
				if refusals[c] = err; err != nil {
					noticed.Do(func() { close(closing) })
					return
				}
				if value != fmt.Sprintf("row %d", row) {
					wrong.Add(1)
				}
				gets.Add(1)
				if n == 0 {
					started.Done()
				}
			}
		})
	}
	scan := func(ended chan<- error, wait func(ctx context.Context)) {
		first := true
		ended <- store.Scan(context.Background(), func(ctx context.Context, row []byte) error {
			if first {
				first = false
				started.Done()
				wait(ctx)
			}
			return nil
		})
	}
	go scan(shortScan, func(context.Context) { <-closing })
	go scan(endlessScan, func(ctx context.Context) { <-ctx.Done() })

	started.Wait()
	fmt.Printf("%d clients query a store of %d rows, and two scans run; now it is closed\n", clients, rows)
	grace, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := make(chan int)
	go func() {
		store.Close(grace)
		closed <- store.Queries()
	}()

	scanned := <-shortScan
	fmt.Println("the scan that was nearly done ended:", scanned)
	select {
	case err := <-endlessScan:
		return fmt.Errorf("the other scan ended, before it was cancelled: %v", err)
	case <-closed:
		return errors.New("Close returned during a scan")
	default:
	}
	fmt.Println("Close cancels the queries that are left")
	cancel()
	cancelled := <-endlessScan
	fmt.Println("the other scan ended:", cancelled)
	left := <-closed
	fmt.Println("Close returned; queries in flight:", left)
	clientsAreDone.Wait()
	fmt.Printf("%d queries were answered, %d of them wrong\n", gets.Load(), wrong.Load())
	_, late := store.Get(0)
	fmt.Println("a query after Close:", late)

	switch {
	case scanned != nil:
		return errors.New("a query in flight could not finish")
	case !errors.Is(cancelled, ErrClosed):
		return errors.New("the cancelled query did not get ErrClosed")
	case left != 0:
		return errors.New("Close did not wait for all queries")
	case wrong.Load() != 0:
		return errors.New("some answers were wrong")
	case !errors.Is(late, ErrClosed):
		return errors.New("a query after Close did not get ErrClosed")
	}
	for c, refusal := range refusals {
		if !errors.Is(refusal, ErrClosed) {
			return fmt.Errorf("client %d did not get ErrClosed: %v", c, refusal)
		}
	}
	return nil
}
