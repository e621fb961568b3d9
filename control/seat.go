package control

import (
	"net/http"

	"github.com/udrm/udrm/seat"
)

// A Seat describes the seat of a machine as it is now.
type Seat struct {
	Paused   bool      `json:"paused"`
	Sessions []Session `json:"sessions"` // in the order of their numbers
}

// A Session describes a session on a seat.
type Session struct {
	Number  int      `json:"number"` // of its virtual terminal
	PID     int      `json:"pid"`
	State   string   `json:"state"`   // see [seat.SessionStatus]
	Devices []string `json:"devices"` // the paths of the nodes that it has open
}

// A SeatRequest tells a seat what to do.
type SeatRequest struct {
	Do string `json:"do"` // pause, resume, revoke or restore; see [seat.Seat]
}

func (s *Server) getSeat(http.ResponseWriter, *http.Request) (any, error) {
	st, err := s.seat("seat")
	if err != nil {
		return nil, err
	}
	now := st.Status()
	answer := Seat{Paused: now.Paused, Sessions: []Session{}}
	for _, one := range now.Sessions {
		answer.Sessions = append(answer.Sessions, Session{one.Number, one.PID, one.State, append([]string{}, one.Devices...)})
	}
	return answer, nil
}

func (s *Server) steerSeat(w http.ResponseWriter, r *http.Request) (any, error) {
	var request SeatRequest
	if err := decode(w, r, "seat", &request); err != nil {
		return nil, err
	}
	asked := "seat " + request.Do
	st, err := s.seat(asked)
	if err != nil {
		return nil, err
	}
	if err := st.Do(request.Do); err != nil {
		return nil, &Error{Code: CodeBadRequest, Asked: asked, Reason: err.Error()}
	}
	return s.getSeat(w, r)
}

func (s *Server) seat(asked string) (*seat.Seat, error) {
	if st := s.machine.Seat(); st != nil {
		return st, nil
	}
	return nil, &Error{Code: CodeRefused, Asked: asked, Reason: "this machine has no seat", Advice: "start it with udrm run --seat"}
}
