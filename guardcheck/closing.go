package guardcheck

import (
	"fmt"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// closers are the methods that wait until no guard of the device is open.
var closers = map[method]bool{
	{drmPath, "Registration", "Close"}: true,
	{busPath, "Device", "Unbind"}:      true,
	{busPath, "Device", "Remove"}:      true,
}

// closer returns what call closes and waits for, or nil for other calls.
func closer(call ssa.CallInstruction) (of ssa.Value) {
	m, of, ok := methodOf(call.Common())
	if ok && (closers[m] || m == closeLater && isReceivedFrom(call)) {
		return of
	}
	return nil
}

var closeLater = method{drmPath, "Registration", "CloseLater"}

// isReceivedFrom reports whether the function receives from the channel that
// call returns right after the call.
func isReceivedFrom(call ssa.CallInstruction) bool {
	instrs := call.Block().Instrs
	next := slices.Index(instrs, ssa.Instruction(call)) + 1
	receive, ok := instrs[next].(*ssa.UnOp)
	return ok && receive.Op == token.ARROW && receive.X == call.Value()
}

func (c *checker) reportClose(call ssa.CallInstruction) {
	callee := call.Common().StaticCallee()
	c.reportf(call, "close", "%s inside a guard of the device waits for that guard; exit it first, or let another goroutine close, as Registration.CloseLater does", callee.Name())
}

// closeInside reports a close between the entry of the walker's guard and its
// Exit.
func (w *walker) closeInside(call ssa.CallInstruction, p phase) {
	of := closer(call)
	if of == nil {
		return
	}
	switch call.(type) {
	case *ssa.Call:
		if p != open && p != deferred {
			return
		}
	case *ssa.Defer: // runs before earlier deferred calls
		if p != deferred {
			return
		}
	default:
		return
	}
	if sameDevice(originOf(of, nil), enteredOn(w.call, nil)) {
		w.reportClose(call)
	}
}

// checkClosing reports closes in functions that run inside a guard because
// they are given a registered view: handlers, and closures for WithGuard.
func (c *checker) checkClosing(fn *ssa.Function) {
	inside := false
	for _, param := range fn.Params {
		inside = inside || isView(param.Type())
	}
	if !inside {
		return
	}
	with, closure := withGuard(fn)
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			call, ok := instr.(ssa.CallInstruction)
			if _, goes := instr.(*ssa.Go); !ok || goes {
				continue
			}
			of := closer(call)
			if of == nil {
				continue
			}
			// A handler knows its device by the view only. For WithGuard, the
			// device is known.
			if with == nil || sameDevice(originOf(of, closure), enteredOn(with, nil)) {
				c.reportClose(call)
			}
		}
	}
}

// withGuard returns the call of WithGuard whose argument is fn, or nil.
func withGuard(fn *ssa.Function) (*ssa.Call, *ssa.MakeClosure) {
	if fn.Parent() == nil {
		return nil, nil
	}
	for _, block := range fn.Parent().Blocks {
		for _, instr := range block.Instrs {
			call, ok := instr.(*ssa.Call)
			if !ok || !calls(&call.Call, method{drmPath, "Device", "WithGuard"}) {
				continue
			}
			for _, arg := range call.Call.Args {
				if closure, ok := arg.(*ssa.MakeClosure); ok && closure.Fn == fn {
					return call, closure
				}
				if arg == ssa.Value(fn) {
					return call, nil
				}
			}
		}
	}
	return nil, nil
}

func enteredOn(call *ssa.Call, closure *ssa.MakeClosure) origin {
	if _, receiver, ok := methodOf(&call.Call); ok {
		return originOf(receiver, closure)
	}
	return origin{root: call}
}

// An origin says how a value is reached: the root, and the fields, elements and
// methods that lead from there to the value.
type origin struct {
	root  ssa.Value
	steps []originStep
}

type originStep struct {
	name string
	to   types.Type
}

const maxOrigin = 50

// originOf follows v back to its root. It follows captured variables into the
// function around the closure.
func originOf(v ssa.Value, closure *ssa.MakeClosure) origin {
	var o origin
	step := func(name string, of ssa.Value) {
		o.steps = append([]originStep{{name, v.Type()}}, o.steps...)
		v = of
	}
	for range maxOrigin {
		switch x := v.(type) {
		case *ssa.FieldAddr:
			step(fmt.Sprint(".", x.Field), x.X)
		case *ssa.Field:
			step(fmt.Sprint(".", x.Field), x.X)
		case *ssa.IndexAddr:
			step("["+x.Index.Name()+"]", x.X)
		case *ssa.Index:
			step("["+x.Index.Name()+"]", x.X)
		case *ssa.Lookup:
			step("["+x.Index.Name()+"]", x.X)
		case *ssa.Extract:
			step(fmt.Sprint("#", x.Index), x.Tuple)
		case *ssa.UnOp:
			v = x.X
		case *ssa.TypeAssert:
			v = x.X
		case *ssa.MakeInterface:
			v = x.X
		case *ssa.Alloc:
			stored := onlyStore(x)
			if stored == nil {
				o.root = x
				return o
			}
			v = stored
		case *ssa.FreeVar:
			binding := bindingOf(x, closure)
			if binding == nil {
				o.root = x
				return o
			}
			v, closure = binding, nil
		case *ssa.Call:
			switch m, receiver, ok := methodOf(&x.Call); {
			case ok:
				step(m.name+"()", receiver)
			case x.Call.IsInvoke():
				step(x.Call.Method.Name()+"()", x.Call.Value)
			default:
				o.root = x
				return o
			}
		default:
			o.root = x
			return o
		}
	}
	o.root = v // a cycle
	return o
}

func onlyStore(cell *ssa.Alloc) ssa.Value {
	var stored ssa.Value
	for _, ref := range *cell.Referrers() {
		if store, ok := ref.(*ssa.Store); ok && store.Addr == cell {
			if stored != nil {
				return nil
			}
			stored = store.Val
		}
	}
	return stored
}

func bindingOf(v *ssa.FreeVar, closure *ssa.MakeClosure) ssa.Value {
	if closure == nil {
		return nil
	}
	for i, free := range closure.Fn.(*ssa.Function).FreeVars {
		if free == v {
			return closure.Bindings[i]
		}
	}
	return nil
}

// sameDevice reports whether two values certainly lead to the same device. They
// have the same root, and their paths may differ only where the kinds of things
// differ: card.dev and card.registration belong to one device; a.dev and
// b.registration, or cards[0].dev and cards[1].registration, do not.
func sameDevice(a, b origin) bool {
	if a.root != b.root {
		return false
	}
	for i := range min(len(a.steps), len(b.steps)) {
		if a.steps[i].name != b.steps[i].name {
			return !types.Identical(a.steps[i].to, b.steps[i].to)
		}
	}
	return true
}
