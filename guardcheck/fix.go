package guardcheck

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/ssa"
)

// deferFix returns the edit that defers the Exit of a guard, if the edit changes
// nothing else: the guard is not entered in a loop, the error is checked right
// after, and the function ends where the guard is exited now.
func (c *checker) deferFix(g *guard) []analysis.SuggestedFix {
	if g.deferred || g.handed {
		return nil
	}
	file := c.fileOf(g.call.Pos())
	insert, ok := c.insertDefer(g, file)
	if !ok {
		return nil
	}
	edits := []analysis.TextEdit{insert}
	for instr, e := range g.events {
		if e != exit {
			continue
		}
		edit, ok := removeLast(file, instr)
		if !ok {
			return nil
		}
		edits = append(edits, edit)
	}
	slices.SortFunc(edits, func(a, b analysis.TextEdit) int { return int(a.Pos - b.Pos) })
	return []analysis.SuggestedFix{{Message: "defer " + g.name + ".Exit()", TextEdits: edits}}
}

func (c *checker) fileOf(pos token.Pos) *ast.File {
	for _, file := range c.pass.Files {
		if file.FileStart <= pos && pos < file.FileEnd {
			return file
		}
	}
	return nil
}

// insertDefer inserts the deferred Exit where g is certainly open:
//
//	guard, err := dev.RegistrationGuard()
//	if err != nil {
//		return err
//	} ← here
//
//	if guard, err := dev.RegistrationGuard(); err == nil { ← here
func (c *checker) insertDefer(g *guard, file *ast.File) (edit analysis.TextEdit, ok bool) {
	path, _ := astutil.PathEnclosingInterval(file, g.call.Pos(), g.call.Pos())
	i := slices.IndexFunc(path, func(n ast.Node) bool { _, ok := n.(*ast.AssignStmt); return ok })
	if i < 0 || i+1 >= len(path) || inLoop(path[i:]) {
		return edit, false
	}
	assign := path[i].(*ast.AssignStmt)
	if len(assign.Lhs) != 2 {
		return edit, false
	}
	statement := "defer " + g.name + ".Exit()"

	switch parent := path[i+1].(type) {
	case *ast.IfStmt:
		if parent.Init == assign && comparesToNil(parent.Cond, assign.Lhs[1], token.EQL) && len(parent.Body.List) > 0 {
			first := parent.Body.List[0].Pos()
			return analysis.TextEdit{Pos: first, End: first, NewText: []byte(statement + "\n" + c.indent(first))}, true
		}
	case *ast.BlockStmt:
		next := slices.Index(parent.List, ast.Stmt(assign)) + 1
		if next >= len(parent.List) {
			break
		}
		check, ok := parent.List[next].(*ast.IfStmt)
		if ok && check.Init == nil && check.Else == nil && comparesToNil(check.Cond, assign.Lhs[1], token.NEQ) && ends(check.Body) {
			return analysis.TextEdit{Pos: check.End(), End: check.End(), NewText: []byte("\n" + c.indent(check.Pos()) + statement)}, true
		}
	}
	return edit, false
}

// indent returns the tabs before the statement at pos.
func (c *checker) indent(pos token.Pos) string {
	return strings.Repeat("\t", c.pass.Fset.Position(pos).Column-1)
}

func inLoop(path []ast.Node) bool {
	for _, node := range path {
		switch node.(type) {
		case *ast.ForStmt, *ast.RangeStmt, *ast.LabeledStmt:
			return true
		case *ast.FuncLit, *ast.FuncDecl:
			return false
		}
	}
	return false
}

// comparesToNil reports whether cond is "err op nil".
func comparesToNil(cond, err ast.Expr, op token.Token) bool {
	binary, ok := cond.(*ast.BinaryExpr)
	if !ok || binary.Op != op {
		return false
	}
	x, _ := binary.X.(*ast.Ident)
	y, _ := binary.Y.(*ast.Ident)
	e, _ := err.(*ast.Ident)
	return x != nil && y != nil && e != nil && x.Name == e.Name && y.Name == "nil"
}

// ends reports whether the block ends in a return.
func ends(block *ast.BlockStmt) bool {
	if len(block.List) == 0 {
		return false
	}
	_, ok := block.List[len(block.List)-1].(*ast.ReturnStmt)
	return ok
}

// removeLast removes the statement "guard.Exit()" if it is the last one before
// the function returns.
func removeLast(file *ast.File, instr ssa.Instruction) (edit analysis.TextEdit, ok bool) {
	path, _ := astutil.PathEnclosingInterval(file, instr.Pos(), instr.Pos())
	i := slices.IndexFunc(path, func(n ast.Node) bool { _, ok := n.(*ast.ExprStmt); return ok })
	if i < 0 || i+2 >= len(path) {
		return edit, false
	}
	stmt := path[i].(*ast.ExprStmt)
	call, _ := stmt.X.(*ast.CallExpr)
	block, _ := path[i+1].(*ast.BlockStmt)
	if call == nil || block == nil || call.Rparen < instr.Pos() {
		return edit, false
	}
	if _, ok := call.Fun.(*ast.SelectorExpr); !ok {
		return edit, false
	}
	edit = analysis.TextEdit{Pos: stmt.Pos(), End: stmt.End()}
	at := slices.Index(block.List, ast.Stmt(stmt))
	next := at + 1
	if next == len(block.List) {
		if at > 0 && !commented(file, block.List[at-1].End(), stmt.Pos()) {
			edit.Pos = block.List[at-1].End()
		}
		switch path[i+2].(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			return edit, true
		}
		return edit, false
	}
	ret, isReturn := block.List[next].(*ast.ReturnStmt)
	if !isReturn || !plain(ret.Results) {
		return edit, false
	}
	if !commented(file, stmt.End(), ret.Pos()) {
		edit.End = ret.Pos()
	}
	return edit, true
}

// plain reports whether the evaluation of the expressions has no side effects.
func plain(exprs []ast.Expr) bool {
	for _, expr := range exprs {
		switch expr.(type) {
		case *ast.Ident, *ast.BasicLit:
		default:
			return false
		}
	}
	return true
}

func commented(file *ast.File, from, to token.Pos) bool {
	return slices.ContainsFunc(file.Comments, func(g *ast.CommentGroup) bool { return from <= g.Pos() && g.Pos() < to })
}
