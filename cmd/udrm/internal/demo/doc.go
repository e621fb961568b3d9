// Package demo is the command udrm demo. It runs a client on two cards, unplugs
// the first card while requests are in flight, and checks what the client sees.
//
// Lock order: reporter.mu and timeline.mu are leaves.
//
// Start reading at demo.go; client.go is the client.
package demo
