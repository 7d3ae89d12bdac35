# What keyferry's containers must say besides. Input: one manifest.
package main

import rego.v1

ours contains container if {
	some container in containers
	container.name == "keyferry"
}

deny contains sprintf("%s %s: keyferry does not log JSON", [input.kind, input.metadata.name]) if {
	some container in ours
	not {"name": "KEYFERRY_LOG_FORMAT", "value": "json"} in object.get(container, "env", [])
}

deny contains sprintf("Job %s: the sync hangs while keyferry waits", [input.metadata.name]) if {
	input.kind == "Job"
	count(ours) > 0
	object.get(input.spec, "activeDeadlineSeconds", 0) == 0
}

deny contains sprintf("%s %s: %s has keyferry's token for Vault", [input.kind, input.metadata.name, container.name]) if {
	some volume in pod.volumes
	some source in volume.projected.sources
	source.serviceAccountToken.audience
	some container in containers
	container.name != "keyferry"
	some mount in container.volumeMounts
	mount.name == volume.name
}
