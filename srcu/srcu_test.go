package srcu

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestFirst(t *testing.T) {
	d := NewShutDomain()
	if _, ok := d.Enter(); ok {
		t.Fatal("shut")
	}
	d.Open()
	s, ok := d.Enter()
	if !ok || d.Sections() != 1 {
		t.Fatal("open")
	}
	ctx, c := context.WithTimeout(context.Background(), time.Millisecond)
	defer c()
	if err := d.Synchronize(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	d.Close()
	if err := d.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	go s.Exit()
	if err := d.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Enter(); ok {
		t.Fatal("closed")
	}
}

func BenchmarkPair(b *testing.B) {
	d := NewDomain()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s, ok := d.Enter()
			if !ok {
				b.Fatal()
			}
			s.Exit()
		}
	})
}
