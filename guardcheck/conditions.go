package guardcheck

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A state is what is known on a path: the phase of the guard, and the values
// that decide where the path can go.
type state struct {
	phase phase
	known map[ssa.Value]ssa.Value // the values of phis, variables and their loads
}

// branch continues with those sides of a condition that are possible.
func (w *walker) branch(s step, cond ssa.Value) {
	whenTrue, whenFalse := w.decide(cond, s.state)
	for i, state := range []*state{whenTrue, whenFalse} {
		if state == nil {
			continue
		}
		next := *state
		if c := next.resolve(cond); decidesAgain(c) {
			next.known = maps.Clone(next.known)
			next.set(c, ssa.NewConst(constant.MakeBool(i == 0), types.Typ[types.Bool]), w)
		}
		w.enter(s.block, s.block.Succs[i], next)
	}
}

// decidesAgain reports whether cond may decide more than one condition.
func decidesAgain(cond ssa.Value) bool {
	switch cond.(type) {
	case *ssa.Const:
		return false
	case *ssa.Parameter:
		return true
	}
	n := 0
	for _, ref := range *cond.Referrers() {
		if _, ok := ref.(*ssa.If); ok {
			n++
		}
	}
	return n > 1
}

// decide returns the states after the condition holds and after it does not; a
// state that is impossible is nil.
func (w *walker) decide(cond ssa.Value, s state) (whenTrue, whenFalse *state) {
	with := func(p phase) *state { return &state{p, s.known} }
	cond = s.resolve(cond)
	switch cond := cond.(type) {
	case *ssa.Const:
		if cond.Value != nil && cond.Value.Kind() == constant.Bool {
			if constant.BoolVal(cond.Value) {
				return &s, nil
			}
			return nil, &s
		}

	case *ssa.UnOp:
		if cond.Op == token.NOT {
			whenTrue, whenFalse = w.decide(cond.X, s)
			return whenFalse, whenTrue
		}

	case *ssa.Call:
		if w.err != nil && isFunc(&cond.Call, "errors", "Is") && s.resolve(cond.Call.Args[0]) == w.err {
			switch s.phase {
			case unchecked, looked:
				return with(failed), with(looked)
			case failed:
				return &s, &s
			default:
				return nil, &s
			}
		}

	case *ssa.BinOp:
		if cond.Op != token.EQL && cond.Op != token.NEQ {
			break
		}
		x, y := s.resolve(cond.X), s.resolve(cond.Y)
		if isNil(x) {
			x, y = y, x
		}
		if !isNil(y) {
			break
		}
		isNilState, notNilState := &s, &s
		switch {
		case isNil(x):
			notNilState = nil
		case w.err != nil && x == w.err:
			switch s.phase {
			case unchecked, looked:
				isNilState, notNilState = with(open), with(failed)
			case failed:
				isNilState = nil
			default:
				notNilState = nil
			}
		case w.views[x] != "" && s.phase == failed:
			notNilState = nil
		case w.views[x] == viewName && s.phase >= open:
			isNilState = nil
		}
		if cond.Op == token.NEQ {
			return notNilState, isNilState
		}
		return isNilState, notNilState
	}
	return &s, &s
}

// enter continues with block after pred.
func (w *walker) enter(pred, block *ssa.BasicBlock, s state) {
	edge := slices.Index(block.Preds, pred)
	before := s
	s.known = maps.Clone(s.known)
	for _, instr := range block.Instrs {
		phi, ok := instr.(*ssa.Phi)
		if !ok {
			break
		}
		s.set(phi, before.resolve(phi.Edges[edge]), w)
	}
	if key := s.key(block); !w.seen[key] {
		w.seen[key] = true
		w.todo = append(w.todo, step{block, 0, s})
	}
}

// learn records what instr does to variables in memory: those that a closure or
// a deferred call refers to, such as named results.
func (w *walker) learn(instr ssa.Instruction, s *state) {
	if v, ok := instr.(ssa.Value); ok && s.known[v] != nil {
		s.known = maps.Clone(s.known)
		delete(s.known, v) // from the previous iteration of a loop
	}
	switch instr := instr.(type) {
	case *ssa.Store:
		if cell, ok := instr.Addr.(*ssa.Alloc); ok && isTracked(cell) {
			v := s.resolve(instr.Val)
			s.known = maps.Clone(s.known)
			s.set(cell, v, w)
		}
	case *ssa.UnOp:
		if cell, ok := instr.X.(*ssa.Alloc); ok && instr.Op == token.MUL && isTracked(cell) {
			v := s.resolve(cell)
			s.known = maps.Clone(s.known)
			s.set(instr, v, w)
		}
	}
}

// set records that v is x on this path, if a condition depends on it.
func (s *state) set(v, x ssa.Value, w *walker) {
	switch x.(type) {
	case *ssa.Const, *ssa.BinOp, *ssa.Parameter:
	case *ssa.Phi, *ssa.UnOp:
		delete(s.known, v) // it may differ in the next iteration
		return
	default:
		if x != w.err && w.views[x] == "" {
			delete(s.known, v)
			return
		}
	}
	if s.known == nil {
		s.known = make(map[ssa.Value]ssa.Value)
	}
	s.known[v] = x
}

func (s *state) resolve(v ssa.Value) ssa.Value {
	for {
		if conv, ok := v.(*ssa.ChangeInterface); ok {
			v = conv.X
			continue
		}
		x, ok := s.known[v]
		if !ok {
			return v
		}
		v = x
	}
}

// key returns a name for the state in a block.
func (s *state) key(block *ssa.BasicBlock) string {
	var facts []string
	for v, x := range s.known {
		facts = append(facts, v.Name()+"="+x.Name())
	}
	slices.Sort(facts)
	return fmt.Sprint(block.Index, s.phase, strings.Join(facts, " "))
}

// isTracked reports whether the function itself makes all writes to the
// variable: no closure assigns it, except deferred ones, which run too late to
// matter.
func isTracked(cell *ssa.Alloc) bool {
	for _, ref := range *cell.Referrers() {
		switch ref := ref.(type) {
		case *ssa.Store:
			if ref.Addr != cell {
				return false
			}
		case *ssa.UnOp:
		case *ssa.MakeClosure:
			if assigns(ref, cell) && !onlyDeferred(ref) {
				return false
			}
		case *ssa.Defer:
		default:
			return false
		}
	}
	return true
}

func assigns(closure *ssa.MakeClosure, cell *ssa.Alloc) bool {
	fn := closure.Fn.(*ssa.Function)
	for i, binding := range closure.Bindings {
		if binding != cell {
			continue
		}
		for _, ref := range *fn.FreeVars[i].Referrers() {
			if _, load := ref.(*ssa.UnOp); !load {
				return true
			}
		}
	}
	return false
}

func onlyDeferred(closure *ssa.MakeClosure) bool {
	for _, ref := range *closure.Referrers() {
		if _, ok := ref.(*ssa.Defer); !ok {
			return false
		}
	}
	return true
}

// looksAtErr reports whether instr uses the error in a way that the analyzer
// does not follow.
func (w *walker) looksAtErr(instr ssa.Instruction, s *state) bool {
	switch instr := instr.(type) {
	case *ssa.Store:
		cell, ok := instr.Addr.(*ssa.Alloc)
		return s.resolve(instr.Val) == w.err && !(ok && isTracked(cell))
	case *ssa.ChangeInterface:
		return false
	case *ssa.UnOp:
		return false
	case *ssa.BinOp:
		return (s.resolve(instr.X) == w.err || s.resolve(instr.Y) == w.err) && !onlyDecides(instr)
	}
	for _, operand := range instr.Operands(nil) {
		if *operand != nil && s.resolve(*operand) == w.err {
			return true
		}
	}
	return false
}

// onlyDecides reports whether v is used in conditions only.
func onlyDecides(v ssa.Value) bool {
	for _, ref := range *v.Referrers() {
		switch ref := ref.(type) {
		case *ssa.If, *ssa.Phi:
		case *ssa.UnOp:
			if ref.Op != token.NOT || !onlyDecides(ref) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.IsNil()
}
