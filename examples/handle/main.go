// Command handle closes a handle on a database while it is in use.
//
// What a handle must do when it is closed under load is easy to say and hard to
// get right with a mutex and a reference count: queries in flight finish or are
// cancelled, later ones get an error that says why, and Close returns only when
// nobody is left inside, so that what the handle stands on can be given back.
// With a gate of package srcu it is a line in each query and three in Close. See
// store.go.
//
//	go run ./examples/handle    # 0: all of that held
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

// run closes a store on which many short queries run, one long one that comes to
// its end when the store is closing, and one that does not.
func run() error {
	store := Open(rows)
	var (
		gets, wrong    atomic.Int64
		started        sync.WaitGroup
		noticed        sync.Once
		closing        = make(chan struct{}) // closed when a client was turned away
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
	fmt.Printf("%d clients query a store of %d rows, two scans are at work; it is closed now\n", clients, rows)
	patience, lose := context.WithCancel(context.Background())
	defer lose()
	closed := make(chan int)
	go func() {
		store.Close(patience)
		closed <- store.Queries()
	}()

	scanned := <-shortScan
	fmt.Println("the scan that was nearly done ended:", scanned)
	select {
	case err := <-endlessScan:
		return fmt.Errorf("the other scan ended, though patience had not: %v", err)
	case <-closed:
		return errors.New("Close returned under a scan")
	default:
	}
	fmt.Println("patience ends")
	lose()
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
		return errors.New("a query in flight was not let finish")
	case !errors.Is(cancelled, ErrClosed):
		return errors.New("the cancelled query was not told why")
	case left != 0:
		return errors.New("Close did not wait for all queries")
	case wrong.Load() != 0:
		return errors.New("queries were answered wrongly")
	case !errors.Is(late, ErrClosed):
		return errors.New("a query after Close was not told why")
	}
	for c, refusal := range refusals {
		if !errors.Is(refusal, ErrClosed) {
			return fmt.Errorf("client %d was not told of the end: %v", c, refusal)
		}
	}
	return nil
}
