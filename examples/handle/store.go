package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/udrm/udrm/srcu"
)

// ErrClosed is the answer to every query that begins after Close, and to those
// that Close did not have the patience for.
var ErrClosed = errors.New("store: closed")

// A Store is a handle on a table, as sql.DB is on a database. All methods may be
// called concurrently, Close as well.
type Store struct {
	queries *srcu.Domain
	closing context.Context // ends when Close has lost its patience
	cancel  context.CancelCauseFunc

	// table needs no lock: only queries read it, and Close gives it back when
	// there are none.
	table    [][]byte
	giveBack sync.Once
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
// A closing store waits for scans as long as it has patience, then cancels them:
// the context that visit is given ends, and Scan returns ErrClosed.
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

// Close closes the store. Queries that begin from now on fail; those in flight
// may finish until patience ends, and are cancelled then. When Close returns
// there is none, and the table is given back. It may be called by several
// goroutines; all of them wait.
func (s *Store) Close(patience context.Context) {
	s.queries.Close()
	if s.queries.Drain(patience) != nil {
		s.cancel(ErrClosed)
		_ = s.queries.Drain(context.Background()) // which does not end
	}
	s.giveBack.Do(func() { s.table = nil })
}

// Queries returns how many queries are in flight.
func (s *Store) Queries() int { return s.queries.Sections() }
