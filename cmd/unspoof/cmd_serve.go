package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/unspoof/unspoof/internal/desk"
	"github.com/unspoof/unspoof/internal/desk/auth"
	"github.com/unspoof/unspoof/internal/web"
)

func serveCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve --case DIR",
		Short: "Serve the case's pages to a browser on this machine",
		Args:  cobra.NoArgs,
	}
	dir := caseFlag(cmd)
	listen := cmd.Flags().String("listen", "127.0.0.1:8080", "address to listen on")
	demo := cmd.Flags().Bool("demo-user", false, "make the user demo with a new password, printed once (synthetic cases only)")
	user := cmd.Flags().String("add-user", "", "make this user with a new password, printed once, and stop")
	role := cmd.Flags().String("role", "analyst", "the new user's role: reader, analyst or supervisor")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if r := auth.Role(*role); r != auth.Reader && r != auth.Analyst && r != auth.Supervisor {
			return &coded{exitUsage, fmt.Errorf("--role %q: a user is a reader, analyst or supervisor", *role)}
		}
		w, err := openCase(ctx, *dir, false)
		if err != nil {
			return err
		}
		defer w.Close()
		if *user != "" {
			d, err := openDesk(ctx, w)
			if err != nil {
				return err
			}
			password := auth.NewPassword()
			if err := d.SetPassword(ctx, w.hand.Actor, *user, auth.Role(*role), password); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "user %s, role %s, password %s\n", *user, *role, password)
			return nil
		}
		return serve(ctx, w, *listen, *demo, func(format string, args ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...) })
	}
	return cmd
}

// keptRows holds in memory what has a row an account, a script, a payment or a policy's result,
// of the largest platform known, and leaves calls and called numbers in their files.
const keptRows = 250_000

func openDesk(ctx context.Context, w *workspace) (*desk.Desk, error) {
	e, err := w.keeping(ctx, keptRows)
	if err != nil {
		return nil, err
	}
	return desk.Open(ctx, desk.Config{Case: w.Case, Engine: e, Log: w.log, DB: w.db})
}

// serve serves the case until the context ends.
func serve(ctx context.Context, w *workspace, listen string, demo bool, say func(string, ...any)) error {
	d, err := openDesk(ctx, w)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &coded{exitUsage, fmt.Errorf("--listen %q: only loopback addresses are served, such as 127.0.0.1:8080; put a proxy with TLS in front for other machines", listen)}
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if demo {
		name, password, err := d.EnsureDemoUser(ctx)
		if err != nil {
			ln.Close()
			return err
		}
		say("sign in as %s with password %s", name, password)
	}
	say("serving %s at http://%s (Ctrl-C ends)", w.Config.Name, ln.Addr())
	if err := web.Serve(ctx, ln, web.New(d, web.Options{Listen: ln.Addr().String(), Version: version()})); err != nil {
		return err
	}
	return w.sign(ctx)
}
