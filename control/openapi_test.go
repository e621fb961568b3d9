package control

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestOpenAPI checks that docs/control.openapi.yaml has the routes of the
// server, the fields of its types and the codes of its errors.
func TestOpenAPI(t *testing.T) {
	text, err := os.ReadFile("../docs/control.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Required   []string
		Properties map[string]struct{ Enum []string }
	}
	var document struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]schema }
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var documented, served []string
	for path, methods := range document.Paths {
		for method := range methods {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, r := range routes {
		served = append(served, r.method+" "+r.path)
	}
	compare := func(what string, documented, real []string) {
		t.Helper()
		slices.Sort(documented)
		slices.Sort(real)
		if !slices.Equal(documented, real) {
			t.Errorf("%s: documented are %q, not %q", what, documented, real)
		}
	}
	compare("requests", documented, served)

	types := map[string]reflect.Type{}
	for _, value := range []any{Machine{}, Card{}, Connector{}, CRTC{}, ConnectRequest{}, WaitRequest{}, Error{},
		CompareRequest{}, Comparison{}, RuleRequest{}, RuleWaitRequest{}, Rule{}, TraceRequest{}, StopTraceRequest{}, Trace{}, Clock{}, StepRequest{},
		ViewRequest{}, View{}, AddConnectorRequest{}, AddedConnector{}, Seat{}, Session{}, SeatRequest{},
	} {
		types[reflect.TypeOf(value).Name()] = reflect.TypeOf(value)
	}
	compare("types", slices.Collect(maps.Keys(document.Components.Schemas)), slices.Collect(maps.Keys(types)))
	for name, typ := range types {
		var fields, required []string
		for field := range typ.Fields() {
			word, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, word)
			if rest != "omitempty" {
				required = append(required, word)
			}
		}
		s := document.Components.Schemas[name]
		compare(name, slices.Collect(maps.Keys(s.Properties)), fields)
		compare(name+", required", s.Required, required)
	}
	compare("codes", document.Components.Schemas["Error"].Properties["code"].Enum, slices.Collect(maps.Keys(statuses)))
}
