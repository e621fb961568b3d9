//go:build !(srcu_membarrier && linux && amd64)

package srcu

// newStriped returns a domain that counts in stripes, for tests of their words.
func newStriped() *Domain { return NewDomain() }

// variants returns what else this build can do: see BenchmarkPair.
func variants(int) map[string]func() { return nil }
