package view

import "time"

// frameTime is the least time between two pictures of a screen, on average.
const frameTime = time.Second / 24

// A pace is the times of the pictures of a screen. The time that a picture takes
// does not delay the next one, as long as it is less than frameTime.
type pace struct{ due time.Time } // when the next picture may be taken

// next takes account of a picture of now, and returns when the next one may be
// taken. The picture of now may be late by the time that it took to compose.
func (p *pace) next(now time.Time) time.Time {
	if p.due = p.due.Add(frameTime); p.due.Before(now) {
		p.due = now
	}
	return p.due
}
