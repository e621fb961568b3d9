package guardcheck

import (
	"go/token"

	"golang.org/x/tools/go/ssa"
)

// waitsAfter reports whether the function waits for something after at, with a
// call of Wait or a receive from a channel outside of select.
func waitsAfter(at ssa.Instruction) bool {
	for _, block := range at.Parent().Blocks {
		for _, instr := range block.Instrs {
			if d, ok := instr.(*ssa.Defer); ok && isWait(d) {
				return true
			}
		}
	}
	seen := make(map[*ssa.BasicBlock]bool)
	todo := []*ssa.BasicBlock{at.Block()}
	instrs := at.Block().Instrs
	for i := range instrs {
		if instrs[i] == at {
			instrs = instrs[i+1:]
			break
		}
	}
	for {
		for _, instr := range instrs {
			if isWait(instr) {
				return true
			}
		}
		block := todo[0]
		todo = todo[1:]
		for _, succ := range block.Succs {
			if !seen[succ] {
				seen[succ] = true
				todo = append(todo, succ)
			}
		}
		if len(todo) == 0 {
			return false
		}
		instrs = todo[0].Instrs
	}
}

func isWait(instr ssa.Instruction) bool {
	switch instr := instr.(type) {
	case *ssa.UnOp:
		return instr.Op == token.ARROW
	case ssa.CallInstruction:
		common := instr.Common()
		if common.IsInvoke() {
			return common.Method.Name() == "Wait"
		}
		callee := common.StaticCallee()
		return callee != nil && callee.Signature.Recv() != nil && callee.Name() == "Wait"
	}
	return false
}
