// Package usage refuses command lines: one way for all programs of Firesteel to say what cannot be used, and where it is explained.
package usage

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/urfave/cli/v2"
)

// Err is the cause of a refusal of the command line. Such a program ends with exit code 2.
var Err = errors.New("the command line cannot be used")

type refusal struct{ text, command string }

func (r *refusal) Error() string { return r.text + " (see " + r.command + " --help)" }
func (r *refusal) Unwrap() error { return Err }

// Errorf makes a refusal that names the command's help.
func Errorf(c *cli.Context, format string, args ...any) error {
	name := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	return &refusal{text: fmt.Sprintf(format, args...), command: name}
}

// oneDash finds the flags in the flag package's messages, which writes them with one dash whatever they were given with.
var oneDash = regexp.MustCompile(`(^|\s)-([a-z][a-z-]+)`)

// BadFlag is a cli.OnUsageErrorFunc. Commands do not inherit it from their application.
func BadFlag(c *cli.Context, err error, _ bool) error {
	return Errorf(c, "%s", oneDash.ReplaceAllString(err.Error(), "$1--$2"))
}
