package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/udrm/udrm/srcu"
)

// ErrClosed is the error of queries that begin after Close, and of those that
// Close cancels.
var ErrClosed = errors.New("store: closed")

// A Store is a handle on a table, as sql.DB is on a database. All methods may be
// called concurrently, even Close.
type Store struct {
	queries *srcu.Domain
	closing context.Context // ends when Close cancels the queries
	cancel  context.CancelCauseFunc

	// table needs no lock: only queries read it, and Close releases it after the
	// last query.
	table   [][]byte
	release sync.Once
}

// Open returns a handle on a table of that many rows.
func Open(rows int) *Store {
	s := &Store{queries: srcu.NewDomain(), table: make([][]byte, rows)}
	s.closing, s.cancel = context.WithCancelCause(context.Background())
	for row := range s.table {
		s.table[row] = fmt.Appendf(nil, "row %d", row)
	}
	return s
}

// Get returns a copy of a row.
func (s *Store) Get(row int) (string, error) {
	query, ok := s.queries.Enter()
	if !ok {
		return "", fmt.Errorf("getting row %d: %w", row, ErrClosed)
	}
	defer query.Exit()
	return string(s.table[row]), nil
}

// Scan calls visit with each row in turn, until it returns an error or ctx ends.
// The rows are the store's: visit must not keep them.
//
// Close can cancel a scan: then the context of visit ends, and Scan returns
// ErrClosed.
func (s *Store) Scan(ctx context.Context, visit func(ctx context.Context, row []byte) error) error {
	query, ok := s.queries.Enter()
	if !ok {
		return fmt.Errorf("scanning: %w", ErrClosed)
	}
	defer query.Exit()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(s.closing, func() { cancel(context.Cause(s.closing)) })
	defer stop()

	for n, row := range s.table {
		if err := visit(ctx, row); err != nil {
			return fmt.Errorf("scanning stopped at row %d: %w", n, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("scanning was cancelled at row %d: %w", n, context.Cause(ctx))
		}
	}
	return nil
}

// Close closes the store. Queries that begin from now on fail. Those in flight
// may finish until grace ends; then they are cancelled. When Close returns, no
// query is in flight and the table is released. Several goroutines may call
// Close; all of them wait.
func (s *Store) Close(grace context.Context) {
	s.queries.Close()
	if s.queries.Drain(grace) != nil {
		s.cancel(ErrClosed)
		_ = s.queries.Drain(context.Background()) // which does not end
	}
	s.release.Do(func() { s.table = nil })
}

// Queries returns how many queries are in flight.
func (s *Store) Queries() int { return s.queries.Sections() }
