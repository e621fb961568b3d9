package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/udrm/udrm/machine/aim"
)

// maxRules is how many rules of clients there can be at a time. Each of them
// looks at each request of the program.
const maxRules = 100

// A RuleRequest is a rule to aim at the machine.
type RuleRequest struct {
	Rule string `json:"rule"` // as in udrm run --on
}

// A RuleWaitRequest says how long to wait for a rule.
type RuleWaitRequest struct {
	Timeout string `json:"timeout,omitempty"` // such as "1500ms"; default: 10s
}

// A Rule is a rule that is aimed at the machine.
type Rule struct {
	ID    int    `json:"id"`
	Rule  string `json:"rule"`            // as it was written
	Fired int    `json:"fired"`           // how often it has fired
	Error string `json:"error,omitempty"` // of its actions
}

// A rule is a rule of a client.
type rule struct {
	id      int
	trigger *aim.Trigger
}

func (r *rule) describe() Rule {
	answer := Rule{ID: r.id, Rule: r.trigger.Rule().String(), Fired: r.trigger.Fired()}
	if err := r.trigger.Err(); err != nil {
		answer.Error = err.Error()
	}
	return answer
}

func (s *Server) getRules(http.ResponseWriter, *http.Request) (any, error) {
	return s.Rules(), nil
}

// Rules returns the rules that clients have added and not removed.
func (s *Server) Rules() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Rule{}
	for _, r := range s.rules {
		list = append(list, r.describe())
	}
	return list
}

func (s *Server) addRule(w http.ResponseWriter, r *http.Request) (any, error) {
	var request RuleRequest
	if err := decode(w, r, "on", &request); err != nil {
		return nil, err
	}
	asked := "on " + request.Rule
	parsed, err := aim.Parse(request.Rule)
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: "on", Reason: err.Error(), Advice: "see udrm help on"}
	}
	if err := checkFiles(parsed.Action); err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	if parsed.Action != nil && parsed.Action.Kind.Name == "screenshot" {
		if err := checkWriter(r, asked); err != nil {
			return nil, err
		}
	}
	if err := parsed.Check(s.machine); err != nil {
		return nil, &Error{Code: CodeNotFound, Asked: asked, Reason: err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rules) >= maxRules {
		return nil, &Error{Code: CodeRefused, Asked: asked, Reason: fmt.Sprintf("there are %d rules already", maxRules), Advice: "remove some of them"}
	}
	trigger, err := aim.Attach(s.machine, parsed, s.log)
	if err != nil {
		return nil, &Error{Code: CodeRefused, Asked: asked, Reason: err.Error()}
	}
	s.lastRule++
	added := rule{s.lastRule, trigger}
	s.rules = append(s.rules, added)
	return added.describe(), nil
}

// checkFiles returns an error if an action uses a file of the client's
// directory: the machine may be in another one.
func checkFiles(a *aim.Action) error {
	switch {
	case a == nil:
	case a.Kind.Name == "screenshot" && !filepath.IsAbs(a.Argument):
		return fmt.Errorf("%s is relative, and the machine may be in another directory; write the whole path", a.Argument)
	case strings.Contains(a.Argument, "edid="):
		return errors.New("the server reads no files; use connect for a monitor with an EDID file")
	}
	return nil
}

// removeRule removes a rule. Its answer comes when the actions of the rule have
// ended.
func (s *Server) removeRule(_ http.ResponseWriter, r *http.Request) (any, error) {
	id := r.PathValue("rule")
	removed, err := s.rule("remove rule "+id, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.rules = slices.DeleteFunc(s.rules, func(r rule) bool { return r.id == removed.id })
	s.mu.Unlock()
	_ = removed.trigger.Close() // describe has its error
	return removed.describe(), nil
}

// awaitRule waits until a rule has fired, and its actions are done.
func (s *Server) awaitRule(w http.ResponseWriter, r *http.Request) (any, error) {
	name := r.PathValue("rule")
	asked := "wait for rule " + name
	var request RuleWaitRequest
	if err := decode(w, r, asked, &request); err != nil {
		return nil, err
	}
	timeout, err := parseTimeout(request.Timeout)
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	awaited, err := s.rule(asked, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, errTimeout)
	defer cancel()
	if err := awaited.trigger.Wait(ctx); err != nil {
		e := &Error{Code: CodeRefused, Asked: asked, Reason: err.Error()}
		if errors.Is(err, errTimeout) {
			e.Code, e.Advice = CodeTimeout, fmt.Sprintf("check the program, or wait longer than %v", timeout)
		}
		return nil, e
	}
	return awaited.describe(), nil
}

// rule returns the rule with an id.
func (s *Server) rule(asked, id string) (rule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if strconv.Itoa(r.id) == id {
			return r, nil
		}
	}
	return rule{}, &Error{Code: CodeNotFound, Asked: asked, Reason: "there is no rule " + id, Advice: "udrm on list shows the rules"}
}

// Triggers returns the triggers of [Server.Rules].
func (s *Server) Triggers() []*aim.Trigger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*aim.Trigger
	for _, r := range s.rules {
		list = append(list, r.trigger)
	}
	return list
}
