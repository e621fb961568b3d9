package report

import (
	"context"
	"testing"

	"github.com/udrm/udrm/machine"
	"github.com/udrm/udrm/machine/config"
)

// recorded returns a machine with one card, until the test ends, and its recorder.
func recorded(t *testing.T) (*machine.Machine, *machine.Card, *Recorder) {
	t.Helper()
	m, err := machine.New([]config.Card{config.DefaultCard()}, machine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	recorder := NewRecorder()
	t.Cleanup(recorder.Attach(m))
	c, err := m.Card("card0")
	if err != nil {
		t.Fatal(err)
	}
	return m, c, recorder
}
