package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

func TestRun(t *testing.T) {
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("procs=%d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			for range 5 {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCloseTwice checks that all callers of Close wait for the queries, and that
// the context of a query's caller still ends the query.
func TestCloseTwice(t *testing.T) {
	store := Open(10)
	inside, leave := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	scanned := make(chan error)
	go func() {
		scanned <- store.Scan(ctx, func(ctx context.Context, row []byte) error {
			close(inside)
			<-leave
			return context.Cause(ctx)
		})
	}()
	<-inside
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(func() {
			store.Close(context.Background())
			if n := store.Queries(); n != 0 {
				t.Errorf("Close returned with %d queries in flight", n)
			}
		})
	}
	cancel()
	close(leave)
	if err := <-scanned; !errors.Is(err, context.Canceled) {
		t.Errorf("a scan whose caller gave up returned %v", err)
	}
	closers.Wait()
}
