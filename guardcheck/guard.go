package guardcheck

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// A guard is one place where a function enters a guard, and what the function
// does with it.
type guard struct {
	call    *ssa.Call
	err     ssa.Value  // nil if the error is dropped, or if there is no error
	certain bool       // entering cannot fail
	cell    *ssa.Alloc // the variable that holds the guard
	name    string     // of the variable

	events   map[ssa.Instruction]event
	exited   bool // by a plain call somewhere
	deferred bool // by a deferred call somewhere
	handed   bool // over, somewhere

	usedBy []*ssa.MakeClosure   // closures that use the guard and do not exit it
	views  map[ssa.Value]string // what the guard proves; see checkEscapes
}

// An event is what an instruction does to a guard.
type event int

const (
	none event = iota
	exit
	deferExit
	use       // Device, or another method
	handOver  // from here on another function may exit it
	overwrite // the variable gets another value
)

// findGuards returns the guards that fn enters and keeps in a local variable. A
// guard that fn passes on directly belongs to the receiver. It reports guards
// and errors that are dropped.
func (c *checker) findGuards(fn *ssa.Function) []*guard {
	var guards []*guard
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			switch instr := instr.(type) {
			case *ssa.Call:
				if g := c.newGuard(instr); g != nil {
					guards = append(guards, g)
				}
			case *ssa.Defer, *ssa.Go:
				results := instr.(ssa.CallInstruction).Common().Signature().Results()
				if index, _ := guardResult(results); index >= 0 {
					c.reportf(instr, "unused", dropped)
				}
			}
		}
	}
	return guards
}

const dropped = "the guard is dropped, so nothing can exit it and an unplug waits for ever: keep it and defer its Exit, or use WithGuard"

// guardResult returns the indexes of the results that are a guard and its error,
// or -1. It looks at the types, so that it finds functions of a driver that
// enter a guard.
func guardResult(results *types.Tuple) (guard, err int) {
	guard, err = -1, -1
	for i := range results.Len() {
		t := results.At(i).Type()
		switch {
		case isGuard(t):
			guard = i
		case types.Identical(t, types.Universe.Lookup("error").Type()):
			err = i
		}
	}
	return guard, err
}

func (c *checker) newGuard(call *ssa.Call) *guard {
	guardIndex, errIndex := guardResult(call.Call.Signature().Results())
	if guardIndex < 0 {
		return nil
	}
	value, err := result(call, guardIndex), result(call, errIndex)
	if value == nil {
		if err == nil || !c.inTest(call.Pos()) {
			c.reportf(call, "unused", dropped)
		}
		return nil
	}
	if errIndex >= 0 && err == nil {
		c.reportf(call, "unused", "the error is not checked: with one, there is no guard and no device")
	}

	refs := *value.Referrers()
	if len(refs) != 1 {
		return nil
	}
	store, _ := refs[0].(*ssa.Store)
	if store == nil {
		return nil
	}
	cell, _ := store.Addr.(*ssa.Alloc)
	if cell == nil {
		return nil
	}
	g := &guard{call: call, err: err, certain: errIndex < 0, cell: cell, name: cell.Comment, events: make(map[ssa.Instruction]event)}
	for _, ref := range *cell.Referrers() {
		if ref != store {
			g.addEvent(ref)
		}
	}
	return g
}

// result returns a result of a call, or nil if it is not used.
func result(call *ssa.Call, index int) ssa.Value {
	if index < 0 {
		return nil
	}
	if call.Call.Signature().Results().Len() == 1 {
		return used(call)
	}
	for _, ref := range *call.Referrers() {
		if extract, ok := ref.(*ssa.Extract); ok && extract.Index == index {
			return used(extract)
		}
	}
	return nil
}

func used(v ssa.Value) ssa.Value {
	if len(*v.Referrers()) == 0 {
		return nil
	}
	return v
}

// addEvent records what instr, which refers to the variable, does to the guard.
func (g *guard) addEvent(instr ssa.Instruction) {
	switch instr := instr.(type) {
	case *ssa.MakeClosure:
		g.addClosure(instr)
		return
	case *ssa.Store:
		if instr.Addr == g.cell {
			g.set(instr, overwrite)
			return
		}
	case *ssa.UnOp:
		if used(instr) == nil {
			return // _ = guard
		}
	case ssa.CallInstruction:
		m, receiver, ok := methodOf(instr.Common())
		if !ok || receiver != g.cell {
			break
		}
		_, plain := instr.(*ssa.Call)
		_, later := instr.(*ssa.Defer)
		switch {
		case plain && m != guardMethod("Exit"):
			g.set(instr, use)
			return
		case plain:
			g.set(instr, exit)
			return
		case later && m == guardMethod("Exit"):
			g.set(instr, deferExit)
			return
		}
	}
	g.set(instr, handOver)
}

func (g *guard) set(instr ssa.Instruction, e event) {
	g.events[instr] = e
	switch e {
	case exit:
		g.exited = true
	case deferExit:
		g.deferred = true
	case handOver:
		g.handed = true
	}
}

// addClosure records what a closure that captures the variable does to the
// guard: at the call or the defer of the closure if there is exactly one, else
// where the closure is made.
func (g *guard) addClosure(closure *ssa.MakeClosure) {
	switch exitsIn(closure, g.cell) {
	case never:
		g.usedBy = append(g.usedBy, closure)
		return
	case always:
		if len(*closure.Referrers()) != 1 {
			break
		}
		switch ref := (*closure.Referrers())[0].(type) {
		case *ssa.Defer:
			if ref.Call.Value == closure {
				g.set(ref, deferExit)
				return
			}
		case *ssa.Call:
			if ref.Call.Value == closure {
				g.set(ref, exit)
				return
			}
		}
	}
	g.set(closure, handOver)
}

type certainty int

const (
	never certainty = iota
	perhaps
	always
)

// exitsIn reports whether the closure exits the guard in the captured variable.
func exitsIn(closure *ssa.MakeClosure, cell ssa.Value) certainty {
	fn := closure.Fn.(*ssa.Function)
	if fn.Parent() == nil {
		return perhaps // a method value: guard.Exit
	}
	exits := never
	for i, binding := range closure.Bindings {
		if binding != cell {
			continue
		}
		for _, ref := range *fn.FreeVars[i].Referrers() {
			exits = max(exits, exitsBy(ref, fn.FreeVars[i]))
		}
	}
	return exits
}

func exitsBy(instr ssa.Instruction, captured *ssa.FreeVar) certainty {
	switch instr := instr.(type) {
	case *ssa.MakeClosure:
		return min(exitsIn(instr, captured), perhaps)
	case ssa.CallInstruction:
		m, receiver, ok := methodOf(instr.Common())
		switch {
		case !ok || receiver != captured:
		case m != guardMethod("Exit"):
			return never
		case instr.Block().Index == 0:
			return always
		}
	}
	return perhaps
}

// checkCopies reports the copies of guards that copylocks misses.
func (c *checker) checkCopies(fn *ssa.Function) {
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			copied := false
			switch instr := instr.(type) {
			case *ssa.Send:
				copied = isGuard(instr.X.Type())
			case *ssa.Select:
				for _, state := range instr.States {
					copied = copied || state.Send != nil && isGuard(state.Send.Type())
				}
			case *ssa.UnOp:
				_, call := instr.X.(*ssa.Call)
				copied = call && isGuard(instr.Type())
			}
			if copied {
				c.reportf(instr, "copy", "the guard is copied: only one of the copies may be exited; pass a pointer")
			}
		}
	}
}
