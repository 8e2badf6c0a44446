package main

import (
	"slices"
	"strings"
	"time"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/urfave/cli/v2"
)

const (
	defaultAddress = "127.0.0.1:7078"
	defaultPort    = "7078"
	defaultTimeout = 15 * time.Second
)

// common are the flags that every command takes, before or behind its name. Only the first set reads the environment.
func common(env ...string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "address", Aliases: []string{"a"}, Value: defaultAddress, EnvVars: env,
			Usage: "`H:PORT[,H:PORT...]` where masters serve gRPC; some of them are enough, without a port it is " + defaultPort},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, wide, json or yaml"},
		&cli.DurationFlag{Name: "timeout", Value: defaultTimeout, Usage: "`TIME` for one question, all masters and a failover included"},
	}
}

func init() { // urfave/cli has one for all apps of a process, of which tests make many at once
	cli.HelpFlag = &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "show help"}
}

func newApp() *cli.App {
	app := &cli.App{
		Name:  "clusterctl",
		Usage: "look after a Firesteel cluster, through any of its masters",
		Description: "Masters are asked in turn: one that is dead, frozen or unreachable costs a second or so.\n" +
			"What is shown holds all that was committed before the question; --stale asks without a quorum.\n" +
			"Exit codes: 0 done, 1 refused or failed, 2 usage, 3 no master or no leader, 4 not found, 5 --wait-timeout,\n" +
			"and of a driver that is waited for: 10 FAILED, 11 KILLED, 12 ERROR, 13 not known any more.",
		HideHelpCommand:      true,
		EnableBashCompletion: true,
		Flags:                common("CLUSTERCTL_ADDRESS"),
		Commands: []*cli.Command{
			statusCommand(), mastersCommand(), workerCommand(), appCommand(), driverCommand(), logsCommand(), snapshotCommand(), completionCommand(),
		},
		Action:         noCommand,
		OnUsageError:   usage.BadFlag,
		ExitErrHandler: func(*cli.Context, error) {},
	}
	prepare(app.Commands)
	return app
}

// prepare gives commands what they do not inherit.
func prepare(commands []*cli.Command) {
	for _, cmd := range commands {
		cmd.OnUsageError = usage.BadFlag
		cmd.HideHelpCommand = true
		if len(cmd.Subcommands) > 0 {
			cmd.Action = noCommand
			prepare(cmd.Subcommands)
			continue
		}
		cmd.Flags = append(cmd.Flags, common()...)
	}
}

// noCommand answers a command line that ends before it names something to do.
func noCommand(c *cli.Context) error {
	if c.NArg() > 0 {
		return usage.Errorf(c, "there is no command %q", c.Args().First())
	}
	if c.Command != nil && len(c.Command.Subcommands) > 0 && c.Command.Name != c.App.Name {
		return usage.Errorf(c, "%s needs a command", c.Command.Name)
	}
	return cli.ShowAppHelp(c)
}

// arguments checks how many there are.
func arguments(c *cli.Context, least, most int, what string) error {
	switch n := c.NArg(); {
	case n < least:
		return usage.Errorf(c, "%s needs %s", c.Command.HelpName, what)
	case most >= 0 && n > most:
		return usage.Errorf(c, "%s does not take %q", c.Command.HelpName, c.Args().Get(most))
	}
	return nil
}

// set finds the context in which a common flag was given: the command's own, else the one before the command's name.
func set(c *cli.Context, name string) *cli.Context {
	lineage := c.Lineage()
	for _, l := range lineage {
		if l.Command != nil && l.IsSet(name) {
			return l
		}
	}
	return c
}

// stopsAtArgument are commands whose first argument ends their flags, since what follows belongs to a program.
var stopsAtArgument = []string{"submit"}

// flagsFirst moves a command's flags before its arguments, where the flag package looks for them: people write them behind.
func flagsFirst(app *cli.App, args []string) []string {
	flags, commands := app.Flags, app.Commands
	for i := 1; i < len(args); i++ {
		if name, isFlag := flagName(args[i]); isFlag {
			if takesValue(flags, name) && !strings.Contains(args[i], "=") {
				i++
			}
			continue
		}
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[i]) })
		if at < 0 {
			return args
		}
		cmd := commands[at]
		flags, commands = cmd.Flags, cmd.Subcommands
		if len(commands) == 0 {
			return append(slices.Clone(args[:i+1]), permute(flags, args[i+1:], slices.Contains(stopsAtArgument, cmd.Name))...)
		}
	}
	return args
}

// permute also gives every flag its first name: the flag package refuses two forms of one flag, as -c and --conf.
func permute(flags []cli.Flag, args []string, stop bool) []string {
	var front, back []string
	for i := 0; i < len(args); i++ {
		name, isFlag := flagName(args[i])
		switch {
		case args[i] == "--":
			return append(append(front, "--"), append(back, args[i+1:]...)...)
		case !isFlag && stop:
			return append(front, args[i:]...)
		case !isFlag:
			back = append(back, args[i])
		default:
			_, value, has := strings.Cut(args[i], "=")
			f := args[i]
			if known := findFlag(flags, name); known != nil {
				f = "--" + known.Names()[0]
				if has {
					f += "=" + value
				}
			}
			front = append(front, f)
			if takesValue(flags, name) && !has && i+1 < len(args) {
				i++
				front = append(front, args[i])
			}
		}
	}
	return append(front, back...)
}

func flagName(arg string) (string, bool) {
	if len(arg) < 2 || arg[0] != '-' || arg == "--" {
		return "", false
	}
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return name, true
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func takesValue(flags []cli.Flag, name string) bool {
	f := findFlag(flags, name)
	_, isBool := f.(*cli.BoolFlag)
	return f != nil && !isBool
}

func staleFlag() cli.Flag {
	return &cli.BoolFlag{Name: "stale", Usage: "what the asked master knows, which may be behind: for a cluster without a quorum"}
}
