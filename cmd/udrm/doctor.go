package main

import "errors"

type doctorCmd struct{}

func (cmd *doctorCmd) Run() error { return errors.New("doctor: not yet") }
