// Package tested is code under test.
package tested
