package guardcheck

import (
	"fmt"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// The names of what a guard proves.
const (
	viewName   = "registered view"
	parentName = "bound parent"
	dataName   = "registration data"
)

// A flow follows what a guard proves through one function.
//
// A path says where in a value, or behind it, the view is: "" is the value
// itself, "*" what it points to, ".2," its third field, "[]" its elements, "()"
// what a closure captures. "*.2,[]" is an element of the slice in the third
// field of the struct that the value points to.
type flow struct {
	*checker
	guard    *guard // the guard that proves it; nil for a parameter
	captured bool   // it comes from the function around a closure
	quiet    bool

	found  map[ssa.Value]map[string]string // for each value and path, what is there
	stored map[finding]bool
	todo   []finding
}

type finding struct {
	value      ssa.Value
	path, what string
}

// maxPath limits the search in structures that contain themselves.
const maxPath = 40

// checkEscapes reports where a view escapes from its guard, and records for each
// guard the values that must not be used after its end.
func (c *checker) checkEscapes(fn *ssa.Function, guards []*guard) {
	own := make(map[ssa.Value]*guard)
	flows := make(map[*guard]*flow)
	for _, g := range guards {
		// The receiver of the guard may receive the view as well.
		flows[g] = &flow{checker: c, guard: g, quiet: g.handed}
		own[g.cell] = g
		for _, closure := range g.usedBy {
			flows[g].add(closure, "()", viewName)
		}
	}
	borrowed, captured := &flow{checker: c}, &flow{checker: c, captured: true}
	for _, param := range fn.Params {
		if isView(param.Type()) {
			borrowed.add(param, "", viewName)
		}
	}
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			switch instr := instr.(type) {
			case *ssa.Call:
				if !isView(instr.Type()) {
					continue
				}
				var of ssa.Value
				if m, receiver, ok := methodOf(&instr.Call); ok && m == guardMethod("Device") {
					of = receiver
				}
				switch _, free := of.(*ssa.FreeVar); {
				case own[of] != nil && of != nil:
					flows[own[of]].add(instr, "", viewName)
				case free:
					captured.add(instr, "", viewName)
				default:
					borrowed.add(instr, "", viewName)
				}
			case *ssa.UnOp:
				if _, free := instr.X.(*ssa.FreeVar); free && isView(instr.Type()) {
					captured.add(instr, "", viewName)
				}
			}
		}
	}
	borrowed.run()
	captured.run()
	for g, f := range flows {
		f.run()
		g.views = make(map[ssa.Value]string)
		for v, paths := range f.found {
			if what, ok := paths[""]; ok {
				g.views[v] = what
			}
		}
	}
}

func (f *flow) add(v ssa.Value, path, what string) {
	if _, ok := f.found[v][path]; ok || len(path) > maxPath {
		return
	}
	if f.found == nil {
		f.found = make(map[ssa.Value]map[string]string)
	}
	if f.found[v] == nil {
		f.found[v] = make(map[string]string)
	}
	f.found[v][path] = what
	f.todo = append(f.todo, finding{v, path, what})
}

func (f *flow) run() {
	for len(f.todo) > 0 {
		next := f.todo[0]
		f.todo = f.todo[1:]
		for _, ref := range *next.value.Referrers() {
			f.forward(ref, next)
		}
	}
}

// forward follows a value to the result of an instruction.
func (f *flow) forward(instr ssa.Instruction, from finding) {
	v, path := from.value, from.path
	along := func(to ssa.Value, cut, prefix string) {
		if rest, ok := strings.CutPrefix(path, cut); ok {
			f.add(to, prefix+rest, from.what)
		}
	}
	switch instr := instr.(type) {
	case *ssa.Phi:
		along(instr, "", "")
	case *ssa.ChangeType:
		along(instr, "", "")
	case *ssa.ChangeInterface:
		along(instr, "", "")
	case *ssa.MakeInterface:
		along(instr, "", "")
	case *ssa.TypeAssert:
		if isReference(instr.AssertedType) {
			along(valueOf(instr, instr.CommaOk), "", "")
		}
	case *ssa.FieldAddr:
		along(instr, "*"+field(instr.Field), "*")
	case *ssa.Field:
		along(instr, field(instr.Field), "")
	case *ssa.IndexAddr:
		along(instr, "*[]", "*") // a pointer to an array
		along(instr, "[]", "*")
	case *ssa.Index:
		along(instr, "[]", "")
	case *ssa.Lookup:
		along(valueOf(instr, instr.CommaOk), "[]", "")
	case *ssa.Slice:
		if strings.HasPrefix(path, "*") {
			along(instr, "*", "")
		} else {
			along(instr, "", "")
		}
	case *ssa.UnOp:
		along(instr, "*", "")
	case *ssa.MakeClosure:
		f.add(instr, "()", from.what)
	case *ssa.Store:
		if instr.Val == v {
			f.store(instr, instr.Addr, "*"+path, from.what, describe(instr.Addr))
		}
	case *ssa.MapUpdate:
		f.store(instr, instr.Map, "[]"+path, from.what, "a map")
	case *ssa.Send:
		f.escape(instr, from.what, "it is sent on a channel")
	case *ssa.Select:
		f.escape(instr, from.what, "it is sent on a channel")
	case *ssa.Return:
		if f.guard != nil && !f.isOverwritten(v, instr) {
			f.escape(instr, from.what, "it is returned by the function that opened the guard")
		}
	case *ssa.Go:
		if !waitsAfter(instr) {
			f.escape(instr, from.what, "it is used by a goroutine that the function does not wait for; give that a guard of its own")
		}
	case *ssa.Call:
		f.call(instr, from)
	}
}

// isOverwritten reports whether the result v, which has the view on some path,
// has another value at the return ret, as with return nil, err.
func (f *flow) isOverwritten(v ssa.Value, ret *ssa.Return) bool {
	if ret.Block() == ret.Parent().Recover {
		return true // reported where the value was set
	}
	load, ok := v.(*ssa.UnOp)
	if !ok {
		return false
	}
	overwritten := false
	for _, instr := range ret.Block().Instrs {
		if store, ok := instr.(*ssa.Store); ok && store.Addr == load.X {
			overwritten = len(f.found[store.Val]) == 0
		}
	}
	return overwritten
}

func (f *flow) call(call *ssa.Call, from finding) {
	if b, ok := call.Call.Value.(*ssa.Builtin); ok {
		if b.Name() == "append" && strings.HasPrefix(from.path, "[]") {
			f.add(call, from.path, from.what)
		}
		return
	}
	m, receiver, _ := methodOf(&call.Call)
	switch {
	case from.what == viewName && from.path == "" && receiver == from.value && m == viewMethod("Parent"):
		f.add(call, "", parentName)
	case from.what == viewName && from.path == "" && isRegistrationData(&call.Call) && call.Call.Args[0] == from.value:
		if isReference(call.Type()) {
			f.add(call, "", dataName)
		}
	case startsGoroutine[m] && !waitsAfter(call):
		f.escape(call, from.what, "it is used by a goroutine that the function does not wait for; give that a guard of its own")
	case isFunc(&call.Call, "time", "AfterFunc"), isFunc(&call.Call, "context", "AfterFunc"):
		f.escape(call, from.what, "it is used by a callback that may run later; take a guard in the callback")
	}
}

var startsGoroutine = map[method]bool{
	{"sync", "WaitGroup", "Go"}:                      true,
	{"golang.org/x/sync/errgroup", "Group", "Go"}:    true,
	{"golang.org/x/sync/errgroup", "Group", "TryGo"}: true,
}

func (f *flow) escape(at ssa.Instruction, what, how string) {
	if f.quiet {
		return
	}
	f.report(analysis.Diagnostic{
		Pos:      position(at),
		Category: "escape",
		Message:  fmt.Sprintf("the %s escapes its guard: %s", what, how),
	})
}

// describe returns a name for the place that addr leads to.
func describe(addr ssa.Value) string {
	switch addr := addr.(type) {
	case *ssa.FieldAddr:
		t := addr.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
		return "field " + t.Field(addr.Field).Name()
	case *ssa.IndexAddr:
		return "an element of a slice"
	case *ssa.Global:
		return "package variable " + addr.Name()
	case *ssa.FreeVar:
		return "captured variable " + addr.Name()
	}
	return "memory behind " + addr.Type().String()
}

func field(index int) string { return "." + strconv.Itoa(index) + "," }

// valueOf returns v, or its first component if v is a pair with ok.
func valueOf(v ssa.Value, commaOk bool) ssa.Value {
	if !commaOk {
		return v
	}
	for _, ref := range *v.Referrers() {
		if extract, ok := ref.(*ssa.Extract); ok && extract.Index == 0 {
			return extract
		}
	}
	return v
}

// isReference reports whether a value of type t can lead to something that a
// registration owns.
func isReference(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Basic, *types.Struct, *types.Array:
		return false
	}
	return true
}
