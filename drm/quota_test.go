package drm_test

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/udrm/udrm/drm"
)

func TestQuota(t *testing.T) {
	const limit = 6400
	q := drm.NewQuota(map[drm.Resource]int64{drm.Descriptors: limit})
	fill := func(a *drm.Account) (n int) {
		for {
			err := a.Charge(drm.Descriptors, 1, unix.EMFILE)
			if err != nil {
				if !errors.Is(err, unix.EMFILE) {
					t.Fatalf("an error that is not EMFILE: %v", err)
				}
				return n
			}
			n++
		}
	}
	greedy := make([]*drm.Account, 5)
	for i := range greedy {
		greedy[i] = q.NewAccount()
	}
	first := fill(greedy[0])
	if first != limit/3*2 {
		t.Errorf("one account got %d, not two thirds of %d", first, limit)
	}
	for _, a := range greedy[1:] {
		fill(a)
	}
	// They have used up all but the reserve.
	if n := fill(q.NewAccount()); n != limit/64 {
		t.Errorf("an account that comes late got %d, not %d", n, limit/64)
	}
	greedy[0].Refund(drm.Descriptors, int64(first))
	if greedy[0].InUse() {
		t.Error("an account is in use after all of it was refunded")
	}
	if n := fill(q.NewAccount()); n < limit/8 {
		t.Errorf("after a refund an account got %d only", n)
	}
	if err := q.NewAccount().Charge(drm.BufferBytes, 1<<62, unix.ENOMEM); err != nil {
		t.Errorf("a resource without a limit: %v", err)
	}
	var none *drm.Account
	if err := none.Charge(drm.Descriptors, 1<<40, unix.EMFILE); err != nil {
		t.Errorf("no account: %v", err)
	}
	none.Refund(drm.Descriptors, 1<<40)
}

func TestQuotaConcurrently(t *testing.T) {
	q := drm.NewQuota(map[drm.Resource]int64{drm.Objects: 400})
	a := q.NewAccount()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10000 {
				if a.Charge(drm.Objects, 30, unix.ENOMEM) == nil {
					a.Refund(drm.Objects, 30)
				}
			}
		})
	}
	wg.Wait()
	if a.InUse() {
		t.Error("something is left")
	}
}

// TestQuotaRefusalIsPrivate checks that a client whose requests are refused
// does not make those of other clients fail.
func TestQuotaRefusalIsPrivate(t *testing.T) {
	q := drm.NewQuota(map[drm.Resource]int64{drm.BufferBytes: 6400})
	greedy, modest := q.NewAccount(), q.NewAccount()
	if err := greedy.Charge(drm.BufferBytes, 10, unix.ENOMEM); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var wg, started sync.WaitGroup
	started.Add(2)
	for _, n := range []int64{6400, math.MaxInt64} { // 10 and the largest number overflow
		wg.Go(func() {
			for first := true; first || !done.Load(); first = false {
				if first {
					started.Done()
				}
				if greedy.Charge(drm.BufferBytes, n, unix.ENOMEM) == nil {
					t.Errorf("%d bytes of 6400 were granted", n)
					return
				}
			}
		})
	}
	started.Wait()
	for range 100000 {
		if err := modest.Charge(drm.BufferBytes, 10, unix.ENOMEM); err != nil {
			t.Error(err)
			break
		}
		modest.Refund(drm.BufferBytes, 10)
	}
	done.Store(true)
	wg.Wait()
	greedy.Refund(drm.BufferBytes, 10)
	if greedy.InUse() {
		t.Error("refused requests are charged")
	}
}
