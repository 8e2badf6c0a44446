package main

import (
	"fmt"

	"github.com/firesteel/firesteel/cmd/internal/usage"
	"github.com/urfave/cli/v2"
)

// completions are the scripts that ask the program itself for what may come next.
var completions = map[string]string{
	"bash": `_clusterctl() {
  local cur words
  cur="${COMP_WORDS[COMP_CWORD]}"
  words=$("${COMP_WORDS[@]:0:COMP_CWORD}" ${cur:+$([[ "$cur" == -* ]] && printf %s "$cur")} --generate-bash-completion 2>/dev/null)
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _clusterctl clusterctl
`,
	"zsh": `#compdef clusterctl
_clusterctl() {
  local -a opts
  opts=("${(@f)$(${words[@]:0:#words[@]-1} --generate-bash-completion 2>/dev/null)}")
  if [[ -n "${opts[1]}" ]]; then _describe 'values' opts; else _files; fi
}
compdef _clusterctl clusterctl
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "a script for the shell: source <(clusterctl completion bash)", ArgsUsage: "bash|zsh",
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1, 1, "bash or zsh"); err != nil {
				return err
			}
			script, ok := completions[c.Args().First()]
			if !ok {
				return usage.Errorf(c, "%q: use bash or zsh", c.Args().First())
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
