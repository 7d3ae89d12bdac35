// Pins the Lua that Argo CD runs health checks with; `main.go` runs one.
module keyferry/stack/lua

go 1.26

require github.com/yuin/gopher-lua v1.1.1
