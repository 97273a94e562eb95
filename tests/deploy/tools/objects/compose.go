package main

import (
	"context"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

// compose checks the files against the Compose specification, merges them as docker compose does and prints the result.
func compose(files []string) error {
	options, err := cli.NewProjectOptions(files, cli.WithProfiles([]string{"*"}))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
