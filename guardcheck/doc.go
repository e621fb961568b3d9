// Package guardcheck is a static analyzer for registration guards of package
// drm. What the Rust bindings of DRM get from #[must_use], Drop and lifetimes,
// it reports for Go.
//
// # What it reports
//
// The guard:
//
//   - unused: the guard that RegistrationGuard returns is dropped, or its error
//     is; the guard is used before the error is checked, or on a path on which
//     it was not nil;
//   - leak: a path, to a return, to the next turn of a loop or to another
//     guard in the same variable, on which the guard is not exited; a call
//     whose panic would leave it open (use defer guard.Exit()); defer
//     guard.Exit() in a loop;
//   - twice: a path on which the guard is exited twice;
//   - copy: a copy of a guard that the copylocks check of go vet misses.
//
// What a guard proves (the registered view, its bound parent, its registration
// data):
//
//   - escape: it is stored in a field, a package variable, an element of a map
//     or slice, or a captured variable that outlives the guard, is sent on a
//     channel, is used by a goroutine or a timer that nobody waits for, or is
//     returned by the function that opened the guard;
//   - afterexit: it is used after guard.Exit(). What the view has of the
//     general Device goes on.
//
// And the end of the device:
//
//   - close: Registration.Close, or Unbind or Remove of a bus device, inside a
//     guard of the same device, which they would wait for.
//
// The names in this list are the categories of the diagnostics. Where defer
// guard.Exit() can be put in, or take the place of plain calls, without a
// change of what else happens, the diagnostic comes with the fix.
//
// # What it leaves alone
//
// It is meant to be right whenever it speaks, and looks at one function at a
// time. A view may be passed down as an argument and be kept in local structs,
// slices and closures. A guard that is returned, stored, or passed on by
// pointer (or in a closure that exits it) is handed over: who receives it is
// taken to exit it. A goroutine for which the function waits (Wait, a receive
// outside of select) is not an escape. Not seen are: what other functions do
// with a view they are passed, closures among them; closes of a device that
// cannot be told to be the guard's; panics other than by calls, panic and type
// assertions. In files of tests a panic is no leak, and a dropped guard whose
// error is looked at is a test that guards are refused.
//
// Code that is meant to be wrong, such as a test of what a second Exit does,
// says so on the line, or on the line above:
//
//	//lint:ignore guardcheck a second Exit must panic
//
// # How to run it
//
// With the go command, over tests as well:
//
//	go install github.com/udrm/udrm/cmd/guardcheck@latest
//	go vet -vettool=$(which guardcheck) ./...
//
// On its own, to apply the fixes:
//
//	guardcheck -fix ./...
//
// With golangci-lint, as a module plugin: a package of your own registers
// [Analyzer] and is named in .custom-gcl.yml.
//
//	func init() {
//		register.Plugin("guardcheck", func(any) (register.LinterPlugin, error) { return plugin{}, nil })
//	}
//
//	type plugin struct{}
//
//	func (plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
//		return []*analysis.Analyzer{guardcheck.Analyzer}, nil
//	}
//
//	func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
//
// # Where to start reading
//
// analyzer.go (the names of package drm that it knows), guard.go (what happens
// to one guard), paths.go (the walk over the paths of a function, with
// conditions.go), escape.go (where a view flows), closing.go, fix.go.
package guardcheck
