package guardcheck

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// store records that the view is now at path in v. It follows v back to its
// origin: a value that the function made holds the view from now on,
// registration data may hold it, and anything else outlives the guard.
func (f *flow) store(at ssa.Instruction, v ssa.Value, path, what, where string) {
	seen := finding{v, path, what}
	if f.stored[seen] || len(path) > maxPath {
		return
	}
	if f.stored == nil {
		f.stored = make(map[finding]bool)
	}
	f.stored[seen] = true

	back := func(x ssa.Value, cut, prefix string) {
		if rest, ok := strings.CutPrefix(path, cut); ok {
			f.store(at, x, prefix+rest, what, where)
		}
	}
	switch v := v.(type) {
	case *ssa.Alloc:
		f.add(v, path, what)
		for _, ref := range *v.Referrers() {
			switch ref := ref.(type) {
			case *ssa.Store:
				f.storeBehind(at, ref, v, path, what, where)
			case *ssa.FieldAddr:
				if rest, ok := strings.CutPrefix(path, "*"+field(ref.Field)); ok {
					for _, inner := range *ref.Referrers() {
						if store, ok := inner.(*ssa.Store); ok {
							f.storeBehind(at, store, ref, "*"+rest, what, where)
						}
					}
				}
			}
		}
		return
	case *ssa.MakeSlice, *ssa.MakeMap, *ssa.MakeChan:
		f.add(v, path, what)
		return
	case *ssa.FieldAddr:
		back(v.X, "*", "*"+field(v.Field))
		return
	case *ssa.IndexAddr:
		if _, slice := v.X.Type().Underlying().(*types.Slice); slice {
			back(v.X, "*", "[]")
		} else {
			back(v.X, "*", "*[]")
		}
		return
	case *ssa.Slice:
		if _, pointer := v.X.Type().Underlying().(*types.Pointer); pointer {
			back(v.X, "", "*")
		} else {
			back(v.X, "", "")
		}
		return
	case *ssa.UnOp:
		back(v.X, "", "*")
		return
	case *ssa.ChangeType:
		back(v.X, "", "")
		return
	case *ssa.MakeInterface:
		back(v.X, "", "")
		return
	case *ssa.TypeAssert:
		back(v.X, "", "")
		return
	case *ssa.Phi:
		f.add(v, path, what)
		for _, edge := range v.Edges {
			back(edge, "", "")
		}
		return
	case *ssa.Const:
		return // nil
	case *ssa.Call:
		if isConstructor(&v.Call) {
			f.add(v, path, what)
			return
		}
		if isRegistrationData(&v.Call) {
			return // it ends with the registration
		}
	case *ssa.Extract:
		switch tuple := v.Tuple.(type) {
		case *ssa.TypeAssert:
			back(tuple.X, "", "")
			return
		case *ssa.Call:
			if isConstructor(&tuple.Call) {
				f.add(v, path, what)
				return
			}
		}
	case *ssa.FreeVar:
		if f.captured {
			return // from the outer function to the outer function
		}
	}
	f.escape(at, what, "it is stored in "+where+"; keep the Device, and take a guard when it is needed")
}

// storeBehind follows the view, which is stored at path in cell, through the
// references that were put into the cell before.
func (f *flow) storeBehind(at ssa.Instruction, before *ssa.Store, cell ssa.Value, path, what, where string) {
	rest := strings.TrimPrefix(path, "*")
	if before.Addr == cell && ssa.Instruction(before) != at && strings.ContainsAny(rest, "*[") {
		f.store(at, before.Val, rest, what, where)
	}
}

// isConstructor reports whether the name of the called function says that it
// makes something new.
func isConstructor(call *ssa.CallCommon) bool {
	callee := call.StaticCallee()
	return callee != nil && call.Signature().Recv() == nil && strings.HasPrefix(strings.ToLower(callee.Name()), "new")
}
