// Command gotemplate renders templates as the sealed-secrets controller does: text/template with sprig, without the three
// functions that it takes away. One JSON request per line in, one JSON answer per line out; the tests compare our own engine
// with it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

type request struct {
	Text string            `json:"text"`
	Data map[string][]byte `json:"data"`
}

type answer struct {
	Out   []byte `json:"out"`
	Error string `json:"error,omitempty"`
}

func render(functions template.FuncMap, ask request) answer {
	data := map[string]string{}
	for key, value := range ask.Data {
		data[key] = string(value)
	}
	parsed, err := template.New("key").Funcs(functions).Parse(ask.Text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Out: out.Bytes()}
}

func main() {
	functions := template.FuncMap(sprig.GenericFuncMap())
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	answers := json.NewEncoder(out)
	for {
		var ask request
		if err := in.Decode(&ask); err != nil {
			return
		}
		if err := answers.Encode(render(functions, ask)); err != nil {
			return
		}
	}
}
