package main

import "testing"

func TestRun(t *testing.T) {
	for range 50 {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	}
}
