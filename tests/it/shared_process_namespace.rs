//! Where containers share their processes, keyferry's has a group of its own: the others can signal
//! it, and read nothing of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::process::eventually;
use crate::support::sidecar::SOON;

/// Every YAML document of the manifests, the examples and the docs.
fn documents() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    let mut folders = ["deploy", "examples", "docs"]
        .map(|name| root.join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = || fs::read_to_string(&path).unwrap();
            if path.ends_with("kustomize/sidecar/sidecar.yaml") {
                texts.push((path.clone(), put_in(root, &text())));
                continue;
            }
            match path.extension().and_then(|ending| ending.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("yaml") => texts.push((path.clone(), text())),
                Some("md") => {
                    let text = text();
                    let blocks = text.split("```yaml\n").skip(1);
                    let blocks = blocks.filter_map(|rest| rest.split("```").next());
                    texts.extend(blocks.map(|block| (path.clone(), block.to_owned())));
                }
                _ => {}
            }
        }
    }
    let parsed = texts.into_iter().flat_map(|(path, text)| {
        let documents = serde_saphyr::from_multiple::<Value>(&text).unwrap_or_default();
        documents
            .into_iter()
            .map(move |document| (path.clone(), document))
    });
    parsed.collect()
}

/// The sidecar's patch in the pod that `deploy/sidecar` has for it.
fn put_in(root: &Path, patch: &str) -> String {
    let read = |text: &str| serde_saphyr::from_str::<Value>(text).expect("YAML");
    let deployment = fs::read_to_string(root.join("deploy/sidecar/deployment.yaml")).unwrap();
    let (mut patch, pod) = (read(patch), read(&deployment));
    for key in ["containers", "securityContext"] {
        patch["spec"]["template"]["spec"][key] = pod["spec"]["template"]["spec"][key].clone();
    }
    patch.to_string()
}

/// Pod specs in which processes are shared.
fn shared(value: &Value) -> Vec<&Value> {
    let inner = match value {
        Value::Object(map) => map.values().flat_map(shared).collect(),
        Value::Array(list) => list.iter().flat_map(shared).collect(),
        _ => Vec::new(),
    };
    let own = (value["shareProcessNamespace"] == true).then_some(value);
    own.into_iter().chain(inner).collect()
}

/// User and group of each container that stays: keyferry's, and the others'.
type Ids = (u64, u64);
fn ids(pod: &Value) -> (Vec<Ids>, Vec<Ids>) {
    let lists = [&pod["initContainers"], &pod["containers"]];
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    let (keyferry, others): (Vec<&Value>, Vec<&Value>) = all
        .filter(|container| container["args"][0] != "init")
        .partition(|container| {
            container["image"]
                .as_str()
                .unwrap_or_default()
                .starts_with("keyferry")
        });
    let of = |container: &Value| {
        let id = |key: &str| {
            let own = container["securityContext"][key].as_u64();
            own.or(pod["securityContext"][key].as_u64())
                .expect("an id that is not left to the image")
        };
        (id("runAsUser"), id("runAsGroup"))
    };
    let ids = |containers: Vec<&Value>| containers.into_iter().map(of).collect();
    (ids(keyferry), ids(others))
}

fn program((user, group): Ids, command: &[&str]) -> Command {
    let mut call = Command::new("setpriv");
    call.args([format!("--reuid={user}"), format!("--regid={group}")]);
    call.arg("--clear-groups")
        .args(command)
        .stdin(Stdio::null());
    call
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Stands for a keyferry that has started and did not close itself yet.
fn open(ids: Ids) -> Ended {
    let child = Ended(
        program(ids, &["sleep", "60"])
            .spawn()
            .expect("setpriv needs root"),
    );
    let comm = format!("/proc/{}/comm", child.0.id());
    eventually("it runs", SOON, || {
        fs::read_to_string(&comm).unwrap_or_default() == "sleep\n"
    });
    child
}

/// Ways to read what another process has.
const LOOKS: [(&str, &str); 3] = [
    ("cat", "environ"),
    ("cat", "root/etc/hostname"),
    ("readlink", "fd/0"),
];

fn looked(ids: Ids, pid: &str, (tool, file): (&str, &str)) -> bool {
    let looked = program(ids, &[tool, &format!("/proc/{pid}/{file}")]).output();
    looked.unwrap().status.success()
}

#[test]
fn row_141_where_processes_are_shared_keyferry_has_a_group_of_its_own() {
    let documents = documents();
    let pods: Vec<(&PathBuf, &Value)> = documents
        .iter()
        .flat_map(|(path, document)| shared(document).into_iter().map(move |pod| (path, pod)))
        .collect();
    assert!(
        pods.len() >= 2,
        "those of deploy/sidecar and of the docs are found"
    );
    for (path, pod) in pods {
        let (keyferry, others) = ids(pod);
        assert!(
            !keyferry.is_empty() && !others.is_empty(),
            "{}",
            path.display()
        );
        for ours in &keyferry {
            let before = open(*ours);
            let pid = before.0.id().to_string();
            for theirs in &others {
                assert_eq!(
                    ours.0,
                    theirs.0,
                    "{}: signals need one user",
                    path.display()
                );
                assert!(
                    pod["securityContext"]["fsGroup"].is_null(),
                    "a group of all of them"
                );
                for look in LOOKS {
                    let read = looked(*theirs, &pid, look);
                    assert!(
                        !read,
                        "{}: {look:?} of {ours:?} by {theirs:?}",
                        path.display()
                    );
                }
                let served = open(*theirs);
                let id = served.0.id().to_string();
                let mut signal = program(*ours, &["kill", "-TERM", &id]);
                assert!(
                    signal.status().unwrap().success(),
                    "keyferry signals the program"
                );
            }
            // With the same group all of that could be read, or this test would show nothing.
            for look in LOOKS {
                assert!(looked(*ours, &pid, look), "{look:?} of {ours:?}");
            }
        }
    }
}
