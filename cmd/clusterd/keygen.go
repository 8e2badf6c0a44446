package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/firesteel/firesteel/membership"
	"github.com/urfave/cli/v2"
)

func keygenCommand() *cli.Command {
	return &cli.Command{
		Name:  "keygen",
		Usage: "print a new gossip key",
		Description: "Put it into a file that only the cluster's user can read, the same one on every machine, and give\n" +
			"that file to every master and worker: clusterd keygen > gossip.key && chmod 600 gossip.key",
		HideHelpCommand: true,
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			fmt.Fprintln(c.App.Writer, membership.GenerateKey())
			return nil
		},
	}
}

// gossipFlags are those that master and worker share.
func gossipFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "gossip-key-file", Usage: "`FILE` with the cluster's gossip key (clusterd keygen); without one gossip stays on loopback", EnvVars: []string{"FIRESTEEL_GOSSIP_KEY_FILE"}},
		&cli.StringFlag{Name: "profile", Value: "normal", Usage: "timings of the network: normal, fast (one rack) or wan", EnvVars: []string{"FIRESTEEL_PROFILE"}},
	}
}

func checkProfile(c *cli.Context) error {
	if _, err := membership.ProfileByName(c.String("profile")); err != nil {
		return usage.Errorf(c, "--profile: %s", err)
	}
	return nil
}

func gossipKey(c *cli.Context) ([]byte, error) {
	path := c.String("gossip-key-file")
	if path == "" {
		return nil, nil
	}
	key, err := membership.LoadKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--gossip-key-file %s: %w; give the file that every member has, or make the first one with `clusterd keygen`", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("--gossip-key-file %s: %w", path, err)
	}
	return key, nil
}
