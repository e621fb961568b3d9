package guardcheck

import (
	"fmt"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// Analyzer reports misuse of registration guards. It has no flags and no
// facts.
var Analyzer = &analysis.Analyzer{
	Name:     "guardcheck",
	Doc:      "report misuse of DRM registration guards\n\nGuards that are not checked, not exited on every path or exited twice,\nregistered views that escape their guard, and devices closed inside it.",
	URL:      "https://pkg.go.dev/github.com/udrm/udrm/guardcheck",
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass: pass, ignored: ignoredLines(pass), reported: make(map[string]bool)}
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		guards := c.findGuards(fn)
		c.checkEscapes(fn, guards)
		for _, g := range guards {
			c.checkPaths(g)
		}
		c.checkClosing(fn)
		c.checkCopies(fn)
	}
	return nil, nil
}

type checker struct {
	pass     *analysis.Pass
	ignored  map[fileLine]bool
	reported map[string]bool
}

// report reports a mistake once, even if two views flow to the same place.
func (c *checker) report(d analysis.Diagnostic) {
	key := fmt.Sprint(d.Pos, d.Message)
	if c.reported[key] || c.ignored[c.lineOf(d.Pos)] {
		return
	}
	c.reported[key] = true
	c.pass.Report(d)
}

func (c *checker) reportf(at ssa.Instruction, category, format string, args ...any) {
	c.report(analysis.Diagnostic{Pos: position(at), Category: category, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) line(pos token.Pos) int { return c.lineOf(pos).line }

// inTest reports whether pos is in a test file.
func (c *checker) inTest(pos token.Pos) bool {
	return strings.HasSuffix(c.pass.Fset.File(pos).Name(), "_test.go")
}

// position returns the position of instr. An instruction without a position,
// such as the conversion of an argument, has that of the next one with a
// position.
func position(instr ssa.Instruction) token.Pos {
	found := false
	for _, other := range instr.Block().Instrs {
		found = found || other == instr
		if found && other.Pos().IsValid() {
			return other.Pos()
		}
	}
	return instr.Parent().Pos()
}

// The packages and names that the analyzer knows.
const (
	drmPath = "github.com/udrm/udrm/drm"
	busPath = "github.com/udrm/udrm/bus"
)

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok {
		return false
	}
	obj := named.Obj()
	return obj.Name() == name && obj.Pkg() != nil && obj.Pkg().Path() == path
}

func isGuard(t types.Type) bool { return isNamed(t, drmPath, "RegistrationGuard") }

func isView(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	return ok && isNamed(p.Elem(), drmPath, "RegisteredDevice")
}

// A method names a method of a type of another package.
type method struct{ path, typ, name string }

func guardMethod(name string) method { return method{drmPath, "RegistrationGuard", name} }
func viewMethod(name string) method  { return method{drmPath, "RegisteredDevice", name} }

// methodOf returns the method that call calls, and its receiver. ok is false for
// functions and for calls through an interface.
func methodOf(call *ssa.CallCommon) (m method, receiver ssa.Value, ok bool) {
	callee := call.StaticCallee()
	if callee == nil {
		return method{}, nil, false
	}
	fn, _ := callee.Object().(*types.Func)
	if fn == nil || fn.Signature().Recv() == nil || fn.Pkg() == nil || len(call.Args) == 0 {
		return method{}, nil, false
	}
	t := types.Unalias(fn.Signature().Recv().Type())
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	named, ok := t.(*types.Named)
	if !ok {
		return method{}, nil, false
	}
	return method{fn.Pkg().Path(), named.Obj().Name(), fn.Name()}, call.Args[0], true
}

// calls reports whether call calls the method m.
func calls(call *ssa.CallCommon, m method) bool {
	called, _, ok := methodOf(call)
	return ok && called == m
}

// isFunc reports whether call calls the function path.name.
func isFunc(call *ssa.CallCommon, path, name string) bool {
	callee := call.StaticCallee()
	if callee == nil {
		return false
	}
	fn, _ := callee.Object().(*types.Func)
	return fn != nil && fn.Signature().Recv() == nil && fn.Pkg() != nil && fn.Pkg().Path() == path && fn.Name() == name
}

// isRegistrationData reports whether call calls drm.RegistrationData of a view.
func isRegistrationData(call *ssa.CallCommon) bool { return isFunc(call, drmPath, "RegistrationData") }
