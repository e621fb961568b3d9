package guardcheck

import (
	"cmp"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// A phase is where a guard is on a path.
type phase int

const (
	unchecked phase = iota // entered, perhaps: nobody has looked at the error
	looked                 // somebody has, in a way that says nothing here
	open
	failed // the error is not nil
	deferred
	exited
)

// A walker follows one guard over all paths of its function, from where it is
// entered to where it is done with, or the function ends. Paths on which the
// variables in known cannot have the values that a condition asks for are not
// followed.
type walker struct {
	*checker
	*guard
	leaks    []ssa.Instruction // ends of paths on which it is not exited
	mayPanic ssa.Instruction   // while it is open
	seen     map[string]bool
	todo     []step
}

type step struct {
	block *ssa.BasicBlock
	from  int // the instruction to go on with
	state state
}

type state struct {
	phase phase
	known map[ssa.Value]ssa.Value // what phis, variables and their loads are on this path
}

// maxSteps bounds the walk. A function with more paths is not reported.
const maxSteps = 20000

func (c *checker) checkPaths(g *guard) {
	w := &walker{checker: c, guard: g, seen: make(map[string]bool)}
	start := state{phase: unchecked}
	switch {
	case g.certain:
		start.phase = open
	case g.err == nil:
		start.phase = looked
	}
	w.todo = []step{{g.call.Block(), slices.Index(g.call.Block().Instrs, ssa.Instruction(g.call)) + 1, start}}
	for n := 0; len(w.todo) > 0; n++ {
		if n == maxSteps {
			return
		}
		last := len(w.todo) - 1
		s := w.todo[last]
		w.todo = w.todo[:last]
		w.walk(s)
	}
	w.reportLeaks()
}

// walk follows a path to the end of the block.
func (w *walker) walk(s step) {
	for _, instr := range s.block.Instrs[s.from:] {
		switch instr := instr.(type) {
		case *ssa.Phi:
			if w.events[instr] == handOver {
				return
			}
			continue // see enter
		case *ssa.If:
			w.branch(s, instr.Cond)
			return
		case *ssa.Jump:
			w.enter(s.block, s.block.Succs[0], s.state)
			return
		case *ssa.Return:
			if w.events[instr] == handOver {
				return
			}
			if s.state.phase == unchecked || s.state.phase == open ||
				s.state.phase == looked && !w.exited && !w.deferred && !w.handed {
				w.leaks = append(w.leaks, instr)
			}
			return
		case *ssa.Panic:
			if s.state.phase == open && !isNoReturn(instr) {
				w.leaks = append(w.leaks, instr)
			}
			return
		}
		if instr == ssa.Instruction(w.call) {
			w.again(s.state.phase)
			return
		}
		if !w.do(instr, &s.state) {
			return
		}
	}
}

// again is called when a loop comes back to where the guard is entered.
func (w *walker) again(p phase) {
	switch p {
	case unchecked, open:
		w.leaks = append(w.leaks, w.call)
	case deferred:
		w.reportf(w.call, "leak", "defer %s.Exit() in a loop: the guards add up until the function returns; make the body of the loop a function, or use WithGuard", w.name)
	}
}

// do lets instr have its effect. It is false when the path need not be
// followed any further.
func (w *walker) do(instr ssa.Instruction, s *state) bool {
	w.learn(instr, s)
	if s.phase == unchecked && w.looksAtErr(instr, s) {
		s.phase = looked
	}
	switch w.events[instr] {
	case exit:
		w.exitIn(instr, s.phase)
		s.phase = exited
	case deferExit:
		w.exitIn(instr, s.phase)
		s.phase = deferred
	case use:
		switch s.phase {
		case unchecked:
			w.reportf(instr, "unused", "%s is used before its error is checked: with one, there is no device", w.name)
			return false
		case failed:
			w.reportf(instr, "unused", "%s is used where its error is not nil: there is no device", w.name)
			return false
		case exited:
			w.reportf(instr, "afterexit", "%s is used after %s.Exit(): it leads to no device any more", w.name, w.name)
			return false
		case looked:
			s.phase = open
		}
	case handOver:
		return false
	case overwrite:
		if s.phase == unchecked || s.phase == open || s.phase == deferred {
			w.leaks = append(w.leaks, instr)
		}
		return false
	}
	if s.phase == exited && w.useAfterExit(instr, s) {
		return false
	}
	if call, ok := instr.(ssa.CallInstruction); ok {
		if neverReturns(call) {
			return false
		}
		w.closeInside(call, s.phase)
	}
	if s.phase == open && w.mayPanic == nil && canPanic(instr) {
		w.mayPanic = instr
	}
	return true
}

// exitIn reports an Exit in a phase where it must not be.
func (w *walker) exitIn(instr ssa.Instruction, p phase) {
	switch p {
	case unchecked:
		w.reportf(instr, "unused", "%s.Exit() before its error is checked: with one, it panics", w.name)
	case failed:
		w.reportf(instr, "unused", "%s.Exit() where the error is not nil: it panics, as there is no guard", w.name)
	case deferred:
		w.reportf(instr, "twice", "%s is exited twice: its Exit is deferred already", w.name)
	case exited:
		w.reportf(instr, "twice", "%s is exited twice on this path", w.name)
	}
}

// useAfterExit reports instr when it uses what the guard has proved. The
// general device, and the methods that the registered view has of it, is no
// such thing.
func (w *walker) useAfterExit(instr ssa.Instruction, s *state) bool {
	switch instr.(type) {
	case ssa.CallInstruction, *ssa.FieldAddr, *ssa.MakeInterface, *ssa.TypeAssert:
	default:
		return false
	}
	for _, operand := range instr.Operands(nil) {
		what, ok := w.views[*operand]
		if _, promoted := instr.(*ssa.FieldAddr); promoted && what == viewName {
			continue
		}
		if ok && !isNil(s.resolve(*operand)) {
			w.reportf(instr, "afterexit", "the %s is used after %s.Exit(), when the device may be gone", what, w.name)
			return true
		}
	}
	return false
}

func (w *walker) reportLeaks() {
	var where string
	var at token.Pos
	switch {
	case len(w.leaks) > 0:
		where, at = w.describeLeak()
	case w.mayPanic != nil && w.exited && !w.deferred && !w.handed && !w.inTest(w.call.Pos()):
		at = position(w.mayPanic)
		where = fmt.Sprintf("if line %d panics", w.line(at))
	default:
		return
	}
	d := analysis.Diagnostic{
		Pos:            w.call.Pos(),
		Category:       "leak",
		Message:        fmt.Sprintf("%s is not exited %s, and an unplug will wait for ever", w.name, where),
		SuggestedFixes: w.deferFix(w.guard),
	}
	if !w.deferred {
		d.Message += fmt.Sprintf(": defer %s.Exit() where the error has been checked", w.name)
	}
	if at.IsValid() {
		d.Related = []analysis.RelatedInformation{{Pos: at, Message: "here " + w.name + " is open"}}
	}
	w.report(d)
}

// describeLeak describes the leak that stands first in the text, whichever
// the walk came to first.
func (w *walker) describeLeak() (where string, at token.Pos) {
	leak := slices.MinFunc(w.leaks, func(a, b ssa.Instruction) int {
		return cmp.Compare(uint(a.Pos()-1), uint(b.Pos()-1)) // the end of the function, which has no place, comes last
	})
	if !w.exited && !w.deferred && !w.handed {
		return "on any path", token.NoPos
	}
	switch leak.(type) {
	case *ssa.Return:
		if !leak.Pos().IsValid() {
			return "on the path to the end of the function", token.NoPos
		}
		where = fmt.Sprintf("on the path to the return in line %d", w.line(leak.Pos()))
	case *ssa.Panic:
		where = fmt.Sprintf("on the path to the panic in line %d", w.line(leak.Pos()))
	case *ssa.Store:
		where = fmt.Sprintf("before line %d puts another guard in its place", w.line(leak.Pos()))
	default:
		return "before the loop enters the next one", token.NoPos
	}
	return where, leak.Pos()
}

// branch goes on with the sides of a condition that are possible.
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

// decidesAgain reports whether more than one condition may be the value cond.
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

// decide returns the states after a condition that holds and one that does
// not; nil for what cannot be.
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

// enter goes on with block, coming from pred.
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

// learn notes what instr does to variables that are kept in memory because a
// closure or a deferred call refers to them, such as named results.
func (w *walker) learn(instr ssa.Instruction, s *state) {
	if v, ok := instr.(ssa.Value); ok && s.known[v] != nil {
		s.known = maps.Clone(s.known)
		delete(s.known, v) // of the turn of a loop before
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

// set notes that v is x on this path, if that matters to a condition.
func (s *state) set(v, x ssa.Value, w *walker) {
	switch x.(type) {
	case *ssa.Const, *ssa.BinOp, *ssa.Parameter:
	case *ssa.Phi, *ssa.UnOp:
		delete(s.known, v) // it may be something else the next time
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

// key names the state in a block.
func (s *state) key(block *ssa.BasicBlock) string {
	var facts []string
	for v, x := range s.known {
		facts = append(facts, v.Name()+"="+x.Name())
	}
	slices.Sort(facts)
	return fmt.Sprint(block.Index, s.phase, strings.Join(facts, " "))
}

// isTracked reports whether all that is written to the variable is to be seen
// in its function: no closure assigns it, but for deferred ones, which run
// when it does not matter any more.
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

// looksAtErr reports whether instr does something with the error that is not
// followed here.
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

// isNoReturn reports whether the panic is one that ssa puts where nothing gets
// to: behind a select without default, and behind a call that does not return,
// such as os.Exit or t.Fatal.
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

// neverReturns reports whether call is a call of testing.TB that ends the
// test; of *testing.T, ssa knows.
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

// canPanic reports whether instr is a call that may panic, as all may but for
// a few that are known, or a type assertion.
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
	viewMethod("RegistrationData"):            true,
	viewMethod("Context"):                     true,
	closeLater:                                true,
	{drmPath, "Device", "Data"}:               true,
	{drmPath, "Device", "Name"}:               true,
	{drmPath, "Device", "State"}:              true,
	{busPath, "BoundDevice", "Device"}:        true,
	{busPath, "BoundDevice", "Name"}:          true,
	{drmPath, "UnregisteredDevice", "Device"}: true,
}
