// Package guardcheck is a static analyzer for registration guards of package
// drm. It reports in Go what #[must_use], Drop and lifetimes prevent in the Rust
// bindings of DRM.
//
// # What it reports
//
// The guard:
//
//   - unused: the function drops the guard that RegistrationGuard returns, or
//     the error; it uses the guard before it checks the error, or on a path
//     where the error is not nil;
//   - leak: on some path the guard is not exited before a return, the next
//     iteration of a loop, or another guard in the same variable; a panic in a
//     call would leave it open (use defer guard.Exit()); defer guard.Exit() is
//     in a loop;
//   - twice: on some path the guard is exited twice;
//   - copy: a copy of a guard that the copylocks check of go vet misses.
//
// What a guard proves (the registered view, its bound parent, its registration
// data):
//
//   - escape: it is stored in a field, a package variable, an element of a map
//     or slice, or a captured variable that outlives the guard; it is sent on a
//     channel; a goroutine or a timer uses it and the function does not wait for
//     them; or the function that opened the guard returns it;
//   - afterexit: it is used after guard.Exit(). The methods of the general
//     Device may still be used.
//
// The end of the device:
//
//   - close: Registration.Close, or Unbind or Remove of a bus device, is called
//     inside a guard of the same device. The call would wait for this guard.
//
// The names in this list are the categories of the diagnostics. A diagnostic
// includes a fix if defer guard.Exit() can be inserted, or can replace plain
// calls, without any other effect.
//
// # What it does not report
//
// The analyzer avoids false reports, and looks at one function at a time.
//
//   - A view may be passed as an argument and kept in local structs, slices and
//     closures. What another function or a closure does with it is not followed.
//   - A guard that is returned, stored, or passed on by pointer or in a closure
//     that exits it is handed over: the receiver is assumed to exit it.
//   - A goroutine that the function waits for (Wait, a receive outside of
//     select) is not an escape.
//   - A close is reported only if the device is certainly that of the guard.
//   - Panics count only if they come from calls, panic and type assertions.
//   - In test files a panic is not a leak, and a test may drop a guard if it
//     checks the error.
//
// Code that is wrong on purpose, such as a test of a second Exit, says so on the
// same line or on the line above:
//
//	//lint:ignore guardcheck a second Exit must panic
//
// # How to run it
//
// With the go command, on tests as well:
//
//	go install github.com/udrm/udrm/cmd/guardcheck@latest
//	go vet -vettool=$(which guardcheck) ./...
//
// By itself, to apply the fixes:
//
//	guardcheck -fix ./...
//
// With golangci-lint, as a module plugin: write a package that registers
// [Analyzer], and name it in .custom-gcl.yml.
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
// analyzer.go (the names of package drm), guard.go (what happens to one guard),
// paths.go and conditions.go (the walk over the paths of a function), escape.go
// (where a view flows), closing.go, fix.go.
package guardcheck
