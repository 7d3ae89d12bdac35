// Reads one file as docker compose or as a Kubernetes-style YAML reader does, and prints what it found as JSON.
// It exists so that the tests ask the real readers and not our idea of them.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"go.yaml.in/yaml/v3"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(format, path string) error {
	var found any
	switch format {
	case "dotenv":
		variables, err := dotenv.Read(path)
		if err != nil {
			return err
		}
		found = variables
	case "yaml":
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(text, &found); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown format %q", format)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
