// Command goyaml reads YAML files as most of Kubernetes' tools do and prints what they mean, one line for each file: values with
// their types, keys in order of their names, merge keys applied.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, path := range os.Args[1:] {
		fmt.Fprintln(out, read(path))
	}
}

func read(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return "error: " + err.Error()
	}
	defer file.Close()
	documents := yaml.NewDecoder(file)
	var all []string
	for {
		var document any
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return strings.Join(all, " --- ")
		}
		if err != nil {
			return "error: " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		all = append(all, shown(document))
	}
}

func shown(value any) string {
	switch value := value.(type) {
	case string:
		return fmt.Sprintf("%q", value)
	case time.Time:
		return "time " + value.Format(time.RFC3339Nano)
	case []any:
		var items []string
		for _, item := range value {
			items = append(items, shown(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		var entries []string
		for key, item := range value {
			entries = append(entries, fmt.Sprintf("%q: %s", key, shown(item)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	default:
		return fmt.Sprintf("%T %v", value, value)
	}
}
