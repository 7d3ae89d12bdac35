// Pins the YAML reader of Go; `main.go` shows what it reads.
module keyferry/stack/goyaml

go 1.26

require go.yaml.in/yaml/v3 v3.0.4
