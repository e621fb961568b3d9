package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/tools/go/packages"
)

// docLink is a link to a declaration, as package go/doc/comment defines it, with
// the characters around it.
var docLink = regexp.MustCompile(`(^|[\s(,;"'])\[\*?([A-Za-z_][\w/]*(?:\.[A-Za-z_]\w*){0,2})\]($|[\s).,;:!?'"’-])`)

// checkComments returns the broken references in Go comments.
func checkComments(files repository) (broken []string, err error) {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps,
		Tests: true,
	}, "./...")
	if err != nil {
		return nil, err
	}
	if n := packages.PrintErrors(loaded); n > 0 {
		return nil, fmt.Errorf("%d errors in the packages", n)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	for _, p := range loaded {
		for _, file := range p.Syntax {
			name, err := filepath.Rel(root, p.Fset.File(file.Pos()).Name())
			if err != nil || !files[name] { // generated for a test's main function
				continue
			}
			s := scope{p, file}
			documents := docComments(file)
			for _, group := range file.Comments {
				at := func(pos token.Pos) string { return fmt.Sprintf("%s:%d", name, p.Fset.Position(pos).Line) }
				for _, text := range group.List {
					if documents[group] {
						broken = append(broken, s.checkLinks(text, at)...)
					}
					broken = append(broken, checkFiles(files, path.Dir(name), text, at)...)
				}
			}
		}
	}
	return broken, nil
}

// docComments returns the comments that document a declaration or a package.
func docComments(file *ast.File) map[*ast.CommentGroup]bool {
	found := make(map[*ast.CommentGroup]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.File:
			found[n.Doc] = true
		case *ast.FuncDecl:
			found[n.Doc] = true
		case *ast.GenDecl:
			found[n.Doc] = true
		case *ast.TypeSpec:
			found[n.Doc] = true
		case *ast.ValueSpec:
			found[n.Doc] = true
		case *ast.Field:
			found[n.Doc] = true
		}
		return true
	})
	return found
}

// A scope is where the links of a file are resolved.
type scope struct {
	pkg  *packages.Package
	file *ast.File
}

// checkLinks returns the broken links in one comment.
func (s scope) checkLinks(c *ast.Comment, at func(token.Pos) string) (broken []string) {
	line := strings.TrimPrefix(c.Text, "//")
	if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "  ") && strings.HasPrefix(strings.TrimSpace(line), "[") {
		return nil // code
	}
	for _, link := range docLink.FindAllStringSubmatch(line, -1) {
		if name := link[2]; !s.declares(name) {
			broken = append(broken, fmt.Sprintf("%s: [%s] is not declared", at(c.Pos()), name))
		}
	}
	return broken
}

// declares says whether name is declared: as Name, Type.Name, pkg.Name or
// pkg.Type.Name.
func (s scope) declares(name string) bool {
	first, rest, qualified := strings.Cut(name, ".")
	if obj := s.pkg.Types.Scope().Lookup(first); obj != nil {
		return !qualified || member(obj, rest, s.pkg.Types)
	}
	if !qualified && (types.Universe.Lookup(first) != nil || strings.Contains(first, "/")) {
		return true // a predeclared name, or the path of a package
	}
	imported := s.imported(first)
	if imported == nil || !qualified {
		return imported != nil
	}
	outer, inner, method := strings.Cut(rest, ".")
	obj := imported.Scope().Lookup(outer)
	return obj != nil && (!method || member(obj, inner, imported))
}

// imported returns the package that name stands for: the name or the path of an
// import, in this file or in another one of the package.
func (s scope) imported(name string) *types.Package {
	for _, spec := range s.file.Imports {
		p := s.pkg.Imports[strings.Trim(spec.Path.Value, `"`)]
		if p != nil && spec.Name != nil && spec.Name.Name == name {
			return p.Types
		}
	}
	for path, p := range s.pkg.Imports {
		if p.Types != nil && (p.Name == name || path == name) {
			return p.Types
		}
	}
	return nil
}

// member says whether the type obj has a field or method of that name.
func member(obj types.Object, name string, pkg *types.Package) bool {
	if _, ok := obj.(*types.TypeName); !ok {
		return false
	}
	found, _, _ := types.LookupFieldOrMethod(obj.Type(), true, pkg, name)
	return found != nil
}
