// Command unspoof turns the lawfully seized server of a caller-ID-spoofing service into
// suspects, victims, impersonated institutions, money flows and court-ready evidence. It
// investigates only: it never places calls, sends messages, spoofs a number or captures a
// passcode.
//
// Every command is one file, cmd_NAME.go; app.go has what they share (opening a case, the
// actor, output); exit.go has the table of exit codes; progress.go shows long work.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	duck "github.com/duckdb/duckdb-go/v2"
	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that test stories can call it.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errDamage) {
		var engine *duck.Error // the SQL engine has its own word for it
		if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.As(err, &engine) && engine.Type == duck.ErrorTypeInterrupt) {
			err = &coded{exitInterrupted, errors.New("stopped; the same command continues")}
		}
		fmt.Fprintln(os.Stderr, "unspoof:", err)
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "unspoof",
		Short: "From a seized caller-ID-spoofing server to suspects, victims, figures and evidence",
		Long: `Unspoof turns the lawfully seized server of a caller-ID-spoofing service into
suspects, victims, impersonated institutions, money flows and court-ready evidence.

` + exitHelp(),
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs, // what follows and is no command is an error, not a page of help
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	usageErrors(root)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &coded{exitUsage, fmt.Errorf("%w (see `%s --help`)", err, c.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, group := range commands() {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, c := range group.commands {
			c.GroupID = group.id
			if c.HasSubCommands() {
				for _, sub := range c.Commands() {
					usageErrors(sub)
				}
			}
			usageErrors(c)
			root.AddCommand(c)
		}
	}
	return root
}

// usageErrors gives wrong arguments, and flags that are missing, the exit code for usage.
func usageErrors(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				err = c.ValidateRequiredFlags()
			}
			if err != nil {
				return &coded{exitUsage, fmt.Errorf("%w (see `%s --help`)", err, c.CommandPath())}
			}
			return nil
		}
	}
}

type group struct {
	id, title string
	commands  []*cobra.Command
}

// commands lists every command.
func commands() []group {
	return []group{
		{"case", "From file to findings:", []*cobra.Command{initCmd(), addCmd(), mapCmd(), snapshotsCmd(), buildCmd()}},
		{"answers", "Answers:", []*cobra.Command{figuresCmd(), suspectsCmd(), victimsCmd(), institutionsCmd(), callsCmd(), campaignsCmd(), reportsCmd(), registryCmd(), showCmd(), statusCmd(), serveCmd()}},
		{"evidence", "Evidence:", []*cobra.Command{exportCmd(), briefingCmd(), verifyCmd(), ledgerCmd()}},
		{"try", "Trying it out:", []*cobra.Command{demoCmd(), synthCmd()}},
	}
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && v == "(devel)" {
			v = "commit " + s.Value[:12]
		}
	}
	return v
}
