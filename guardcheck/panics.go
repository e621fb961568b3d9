package guardcheck

import (
	"go/constant"

	"golang.org/x/tools/go/ssa"
)

// isNoReturn reports whether package ssa has added the panic to code that cannot
// be reached: after a select without default, and after a call that does not
// return, such as os.Exit or t.Fatal.
func isNoReturn(p *ssa.Panic) bool {
	if !p.Pos().IsValid() {
		return true
	}
	conv, ok := p.X.(*ssa.MakeInterface)
	if !ok {
		return false
	}
	c, ok := conv.X.(*ssa.Const)
	return ok && c.Value != nil && c.Value.Kind() == constant.String && constant.StringVal(c.Value) == "noreturn"
}

// neverReturns reports whether call is a method of testing.TB that ends the
// test. Package ssa knows those of *testing.T.
func neverReturns(call ssa.CallInstruction) bool {
	common := call.Common()
	if !common.IsInvoke() || common.Method.Pkg() == nil || common.Method.Pkg().Path() != "testing" {
		return false
	}
	switch common.Method.Name() {
	case "Fatal", "Fatalf", "FailNow", "Skip", "Skipf", "SkipNow":
		return true
	}
	return false
}

// canPanic reports whether instr is a type assertion, or a call that is not
// known to be harmless.
func canPanic(instr ssa.Instruction) bool {
	switch instr := instr.(type) {
	case *ssa.TypeAssert:
		return !instr.CommaOk
	case *ssa.Call:
		if _, ok := instr.Call.Value.(*ssa.Builtin); ok {
			return false
		}
		if instr.Call.IsInvoke() && instr.Call.Method.Pkg() != nil && instr.Call.Method.Pkg().Path() == "context" {
			return false
		}
		callee := instr.Call.StaticCallee()
		if callee == nil || callee.Object() == nil || callee.Object().Pkg() == nil {
			return true
		}
		switch callee.Object().Pkg().Path() {
		case "sync", "sync/atomic", "time":
			return false
		case drmPath, busPath:
			m, _, ok := methodOf(&instr.Call)
			return !ok || !harmless[m]
		}
		return true
	}
	return false
}

// harmless are the methods that do not panic.
var harmless = map[method]bool{
	guardMethod("Device"):                     true,
	guardMethod("Exit"):                       true,
	viewMethod("Parent"):                      true,
	viewMethod("Context"):                     true,
	closeLater:                                true,
	{drmPath, "Device", "Name"}:               true,
	{drmPath, "Device", "State"}:              true,
	{busPath, "BoundDevice", "Device"}:        true,
	{busPath, "BoundDevice", "Name"}:          true,
	{drmPath, "UnregisteredDevice", "Device"}: true,
}
