package guardcheck

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// A phase is the state of a guard on a path.
type phase int

const (
	unchecked phase = iota // perhaps entered: the error was not checked
	looked                 // the error was used, in a way that tells nothing
	open
	failed // the error is not nil
	deferred
	exited
)

// A walker follows one guard over all paths of its function, from its entry to
// its Exit or the end of the function. It leaves out paths that contradict the
// variables in known.
type walker struct {
	*checker
	*guard
	leaks    []ssa.Instruction // ends of paths on which the guard is not exited
	mayPanic ssa.Instruction   // while the guard is open
	seen     map[string]bool
	todo     []step
}

type step struct {
	block *ssa.BasicBlock
	from  int // the instruction to continue with
	state state
}

// maxSteps limits the walk. Functions with more paths are not reported.
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

// again handles a loop that comes back to the entry of the guard.
func (w *walker) again(p phase) {
	switch p {
	case unchecked, open:
		w.leaks = append(w.leaks, w.call)
	case deferred:
		w.reportf(w.call, "leak", "defer %s.Exit() in a loop: the guards add up until the function returns; make the body of the loop a function, or use WithGuard", w.name)
	}
}

// do applies the effect of instr. It returns false at the end of the path.
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

// exitIn reports an Exit in a phase that does not allow it.
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

// useAfterExit reports instr if it uses what the guard has proved. The general
// device and its methods may be used.
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

// describeLeak describes the leak that is first in the source, which need not be
// the one that the walk found first.
func (w *walker) describeLeak() (where string, at token.Pos) {
	leak := slices.MinFunc(w.leaks, func(a, b ssa.Instruction) int {
		return cmp.Compare(uint(a.Pos()-1), uint(b.Pos()-1)) // the end of the function has no position and comes last
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
