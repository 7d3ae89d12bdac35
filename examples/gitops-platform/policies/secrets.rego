# No value in Git, and rights on Secrets by name. Input: one manifest.
package main

import rego.v1

deny contains sprintf("Secret %s: a value in Git; seal it", [input.metadata.name]) if input.kind == "Secret"

deny contains sprintf("ServiceAccount %s: its token is mounted wherever nobody says otherwise", [input.metadata.name]) if {
	input.kind == "ServiceAccount"
	object.get(input, "automountServiceAccountToken", true) != false
}

deny contains sprintf("%s %s: a wildcard is not a right by name", [input.kind, input.metadata.name]) if {
	some rule in input.rules
	some words in [rule.verbs, object.get(rule, "resources", []), object.get(rule, "apiGroups", [])]
	"*" in words
}

# Who reads or writes any Secret of a namespace, or of the cluster. `list` and `delete` have no names in Kubernetes.
by_name := {"get", "create", "update", "patch"}

# The one that copies Secrets for everybody.
everywhere := {"keyferry-reflector"}

deny contains sprintf("%s %s: %s of every Secret", [input.kind, input.metadata.name, verb]) if {
	input.kind in {"Role", "ClusterRole"}
	some rule in input.rules
	"secrets" in rule.resources
	count(object.get(rule, "resourceNames", [])) == 0
	some verb in rule.verbs
	verb in by_name
	not input.metadata.name in everywhere
}
