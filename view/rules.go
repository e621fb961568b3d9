package view

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/udrm/udrm/control"
	"github.com/udrm/udrm/machine/aim"
)

// A rule is a rule that the page has aimed at the machine.
type rule struct {
	id      int
	trigger *aim.Trigger
}

// Limits of the rules of the page.
const (
	maxRules    = 64
	maxRuleBody = 4 << 10
)

// addRule aims a rule: the body is {"rule": "ADDFB2#3:error=ENOSPC"}.
func (s *Server) addRule(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Rule string `json:"rule"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRuleBody)).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "add a rule", err)
		return
	}
	asked := "rule " + request.Rule
	parsed, err := aim.Parse(request.Rule)
	if err == nil && parsed.Action != nil && parsed.Action.Kind.Name == "screenshot" {
		err = errors.New("the page writes no files; use --on of udrm run")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, asked, err)
		return
	}
	trigger, err := aim.Attach(s.machine, parsed, s.log)
	if err == nil && !s.keep(trigger) {
		_ = trigger.Close()
		err = errors.New("the page has too many rules, or the machine has ended; remove a rule")
	}
	if err != nil {
		refuse(w, http.StatusConflict, asked, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// keep adds the rule of a trigger to the list, and reports whether there is
// room.
func (s *Server) keep(t *aim.Trigger) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.rules) >= maxRules {
		return false
	}
	s.ruleSeq++
	s.rules = append(s.rules, &rule{s.ruleSeq, t})
	s.pokeViewers()
	return true
}

// removeRule ends a rule.
func (s *Server) removeRule(w http.ResponseWriter, r *http.Request) {
	removed := s.take(r.PathValue("id"))
	if removed == nil {
		refuse(w, http.StatusNotFound, "remove rule "+r.PathValue("id"), errors.New("there is no such rule"))
		return
	}
	if err := removed.trigger.Close(); err != nil && !errors.Is(err, aim.ErrNotFired) {
		refuse(w, http.StatusConflict, "rule "+removed.trigger.Rule().String(), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take removes a rule from the list and returns it, or nil.
func (s *Server) take(id string) *rule {
	n, err := strconv.Atoi(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(r *rule) bool { return r.id == n })
	if err != nil || i < 0 {
		return nil
	}
	removed := s.rules[i]
	s.rules = slices.Delete(s.rules, i, i+1)
	s.pokeViewers()
	return removed
}

// refuse answers like the control server.
func refuse(w http.ResponseWriter, status int, asked string, err error) {
	code := map[int]string{
		http.StatusBadRequest: control.CodeBadRequest, http.StatusNotFound: control.CodeNotFound, http.StatusConflict: control.CodeRefused,
	}[status]
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(&control.Error{Code: code, Asked: asked, Reason: err.Error()})
}
