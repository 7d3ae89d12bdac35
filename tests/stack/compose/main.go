// Command compose loads compose files as docker compose does and prints what they mean as JSON, every variable filled in.
// Its first argument is the `.env` file, the others are the compose files, in order.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(env string, paths []string) error {
	variables, err := dotenv.Read(env)
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(filepath.Dir(paths[0]))
	if err != nil {
		return err
	}
	files := []types.ConfigFile{}
	for _, path := range paths {
		files = append(files, types.ConfigFile{Filename: path})
	}
	details := types.ConfigDetails{WorkingDir: folder, ConfigFiles: files, Environment: variables}
	project, err := loader.LoadWithContext(context.Background(), details, func(options *loader.Options) {
		options.SetProjectName("example", true)
	})
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(text, '\n'))
	return err
}
