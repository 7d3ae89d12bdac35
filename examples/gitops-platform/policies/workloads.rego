# What every pod must say. Input: one manifest, as `conftest test` gives it.
package main

import rego.v1

pod := input.spec.template.spec if input.kind in {"Deployment", "StatefulSet", "DaemonSet", "Job"}

pod := input.spec.jobTemplate.spec.template.spec if input.kind == "CronJob"

containers contains container if some container in pod.containers

containers contains container if some container in pod.initContainers

deny contains sprintf("%s %s: the pod may run as root", [input.kind, input.metadata.name]) if {
	pod
	object.get(pod, ["securityContext", "runAsNonRoot"], false) != true
}

deny contains sprintf("%s %s: the pod has no seccomp profile", [input.kind, input.metadata.name]) if {
	pod
	object.get(pod, ["securityContext", "seccompProfile", "type"], "") != "RuntimeDefault"
}

deny contains sprintf("%s %s: it runs as the namespace's default account", [input.kind, input.metadata.name]) if {
	pod
	object.get(pod, "serviceAccountName", "default") == "default"
}

deny contains sprintf("%s %s: %s may gain privileges", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	object.get(container, ["securityContext", "allowPrivilegeEscalation"], true) != false
}

deny contains sprintf("%s %s: %s may write its image", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	object.get(container, ["securityContext", "readOnlyRootFilesystem"], false) != true
}

deny contains sprintf("%s %s: %s keeps capabilities", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	not "ALL" in object.get(container, ["securityContext", "capabilities", "drop"], [])
}

deny contains sprintf("%s %s: %s has no limit of memory", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	object.get(container, ["resources", "limits", "memory"], "") == ""
}

deny contains sprintf("%s %s: the image of %s has no version", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	not regex.match(`(:[^:/]+|@sha256:[0-9a-f]{64})$`, container.image)
}

deny contains sprintf("%s %s: the image of %s is `latest`", [input.kind, input.metadata.name, container.name]) if {
	some container in containers
	endswith(container.image, ":latest")
}
