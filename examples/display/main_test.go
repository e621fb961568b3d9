package main

import "testing"

func TestRun(t *testing.T) {
	if _, err := run(); err != nil {
		t.Fatal(err)
	}
}
