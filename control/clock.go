package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/udrm/udrm/machine"
)

// maxSteps is how many steps of the clock a request can ask for.
const maxSteps = 1_000_000

// A Clock says what makes the vblanks of the displays happen.
type Clock struct {
	Mode machine.ClockMode `json:"mode"` // real, step or fast
}

// A StepRequest asks for vblanks. The mode of the clock must be step.
type StepRequest struct {
	Steps   int    `json:"steps"`             // at least 1
	Timeout string `json:"timeout,omitempty"` // of all steps, such as "1500ms"; default: 10s
}

func (s *Server) getClock(http.ResponseWriter, *http.Request) (any, error) {
	return Clock{Mode: s.machine.Clock()}, nil
}

func (s *Server) setClock(w http.ResponseWriter, r *http.Request) (any, error) {
	var request Clock
	if err := decode(w, r, "clock", &request); err != nil {
		return nil, err
	}
	mode, err := machine.ParseClockMode(string(request.Mode))
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: "clock", Reason: err.Error()}
	}
	s.machine.SetClock(mode)
	return s.getClock(w, r)
}

func (s *Server) stepClock(w http.ResponseWriter, r *http.Request) (any, error) {
	var request StepRequest
	if err := decode(w, r, "clock step", &request); err != nil {
		return nil, err
	}
	asked := fmt.Sprintf("clock step %d", request.Steps)
	timeout, err := parseTimeout(request.Timeout)
	if err == nil && (request.Steps < 1 || request.Steps > maxSteps) {
		err = fmt.Errorf("the number of steps is one from 1 to %d", maxSteps)
	}
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, errTimeout)
	defer cancel()
	if err := s.machine.StepClock(ctx, request.Steps); err != nil {
		e := &Error{Code: CodeRefused, Asked: asked, Reason: err.Error()}
		switch {
		case errors.Is(err, errTimeout):
			e.Code, e.Advice = CodeTimeout, fmt.Sprintf("check the program, or wait longer than %v", timeout)
		case s.machine.Clock() != machine.ClockStep:
			e.Advice = "udrm clock stop does that"
		}
		return nil, e
	}
	return s.getClock(w, r)
}
