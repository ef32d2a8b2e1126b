package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/unspoof/unspoof/internal/store"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDamage      = 3
	exitVerify      = 4
	exitNotBuilt    = 5
	exitBusy        = 6
	exitInterrupted = 130
)

var exitTable = []struct {
	code int
	what string
}{
	{exitDone, "done"},
	{exitFailed, "failed; nothing is half done"},
	{exitUsage, "wrong usage, or a name that is not in the case"},
	{exitDamage, "done, but part of a source could not be read (see the damage listed)"},
	{exitVerify, "verification failed: the case is not as it was recorded"},
	{exitNotBuilt, "an answer needs tables that are not made yet"},
	{exitBusy, "another command is writing to the case"},
	{exitInterrupted, "interrupted; the same command continues"},
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitTable {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.what)
	}
	return b.String()
}

// coded is an error with its exit code.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

// errDamage ends a command that did its work on a damaged source; it has been told already.
var errDamage = &coded{exitDamage, errors.New("part of a source could not be read")}

func exitCode(err error) int {
	var c *coded
	switch {
	case errors.As(err, &c):
		return c.code
	case errors.Is(err, store.ErrBusy):
		return exitBusy
	case errors.Is(err, store.ErrNoTable):
		return exitNotBuilt
	case errors.Is(err, store.ErrNotCase), errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOSPC):
		return exitUsage
	}
	return exitFailed
}
