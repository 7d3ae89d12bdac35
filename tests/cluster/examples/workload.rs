//! keyferry's part of a workload as kustomize laid it out: its own arguments, configuration and
//! ServiceAccount, without the kubelet.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::kustomize::rendered;
use crate::support::process::{Scratch, eventually, free_ports};
use crate::support::run::{Output, Run, keyferry};

use super::example;

/// Where the configuration is mounted.
const MOUNTED: &str = "/etc/keyferry/";

/// A ConfigMap as the kubelet mounts it: each name leads through `..data`.
pub(super) struct Mount(Scratch);

impl Mount {
    /// Of the only ConfigMap among the documents.
    pub(super) fn of(documents: &[Value]) -> Self {
        Self::with(
            documents
                .iter()
                .find(|document| document["kind"] == "ConfigMap")
                .expect("a ConfigMap"),
        )
    }

    /// Of this ConfigMap.
    pub(super) fn with(map: &Value) -> Self {
        let mount = Self(Scratch::new("mount"));
        let folder = mount.0.path();
        fs::create_dir(folder.join("..1")).expect("made");
        symlink("..1", folder.join("..data")).expect("linked");
        for (name, text) in map["data"].as_object().expect("files") {
            fs::write(mount.file(name), text.as_str().expect("text")).expect("written");
            symlink(Path::new("..data").join(name), folder.join(name)).expect("linked");
        }
        mount
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join("..1").join(name)
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.file(name)).expect("removed");
        fs::remove_file(self.0.path().join(name)).expect("removed");
    }

    pub(super) fn job(&self, kubeconfig: &Path) -> Output {
        keyferry()
            .env("KUBECONFIG", kubeconfig)
            .args(["job", "--deadline", "30s", "--config"])
            .args([self.0.path().join("keyferry.yaml")])
            .run()
    }
}

/// The pod template of a workload.
pub(super) fn template(object: &Value) -> Option<&Value> {
    let kind = object["kind"].as_str().unwrap_or_default();
    ["Job", "Deployment"]
        .contains(&kind)
        .then(|| &object["spec"]["template"])
}

/// Every object of a folder of the examples, accepted by the server with Pod Security `restricted`
/// where the namespace says so, and the pods of its workloads too. Gives them.
pub(super) fn applied(cluster: &Cluster, folder: &str) -> Vec<Value> {
    let (text, objects) = rendered(&example(folder));
    cluster.apply_yaml("default", &text);
    for object in &objects {
        let Some(template) = template(object) else {
            continue;
        };
        let namespace = object["metadata"]["namespace"].as_str().expect("its own");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": {"generateName": "pod-", "labels": template["metadata"]["labels"]},
        });
        cluster.create(
            &format!("/api/v1/namespaces/{namespace}/pods?fieldValidation=Strict"),
            &pod,
        );
    }
    objects
}

/// Applies what kustomize rendered and gives the Job's own kubeconfig, once the API server knows
/// its Roles.
pub(super) fn installed(
    cluster: &Cluster,
    text: &str,
    namespace: &str,
    account: &str,
    secret: &str,
) -> PathBuf {
    cluster.apply_yaml(namespace, text);
    let token = cluster.token(namespace, account, "");
    let path = format!("/api/v1/namespaces/{namespace}/secrets/{secret}");
    eventually("the Roles are known", Duration::from_secs(30), || {
        cluster.request_as(&token, "GET", &path, None).0 == 404
    });
    cluster.service_account_kubeconfig(namespace, account)
}

/// A field of a Secret that is there.
pub(super) fn value(cluster: &Cluster, namespace: &str, name: &str, key: &str) -> String {
    let value = cluster.secret_value(namespace, name, key);
    String::from_utf8(value.expect("it is there")).expect("text")
}

/// The documents of a file.
pub(super) fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// A copy of an example, so that a test may change it.
pub(super) fn copied(name: &str) -> Scratch {
    let copy = Scratch::new("example");
    let from = example(name);
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(copy.path().join(&folder)).expect("made");
        for entry in fs::read_dir(from.join(&folder)).expect("listed") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                fs::copy(entry.path(), copy.path().join(path)).expect("copied");
            }
        }
    }
    copy
}

/// keyferry's container of a workload.
pub(super) struct Part {
    mount: Mount,
    args: Vec<String>,
    token: Option<String>,
    kubeconfig: Option<PathBuf>,
}

impl Part {
    /// Of the workload with this name among the objects.
    pub(super) fn of(cluster: &Cluster, objects: &[Value], name: &str) -> Self {
        let workload = objects
            .iter()
            .find(|object| template(object).is_some() && object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no workload {name}"));
        let namespace = workload["metadata"]["namespace"]
            .as_str()
            .expect("a namespace");
        let pod = &template(workload).expect("a pod")["spec"];
        let lists = ["initContainers", "containers"].map(|list| &pod[list]);
        let containers = lists.into_iter().filter_map(Value::as_array).flatten();
        let ours = containers
            .clone()
            .find(|container| container["name"] == "keyferry")
            .expect("a container of ours");
        let volumes = pod["volumes"].as_array().expect("volumes");
        let mounted = |at: &str| {
            let mounts = ours["volumeMounts"].as_array().expect("mounts");
            let mount = mounts.iter().find(|mount| mount["mountPath"] == at)?;
            volumes
                .iter()
                .find(|volume| volume["name"] == mount["name"])
        };
        let config = mounted(MOUNTED.trim_end_matches('/')).expect("a configuration");
        let map = objects.iter().find(|object| {
            object["kind"] == "ConfigMap"
                && object["metadata"]["name"] == config["configMap"]["name"]
        });
        let mount = Mount::with(map.expect("the ConfigMap is there"));
        let into = format!("{}/", mount.path().display());
        let args = ours["args"].as_array().expect("arguments").iter();
        let [port] = free_ports();
        let args = args.map(|arg| match arg.as_str().expect("text") {
            ":9733" => format!("127.0.0.1:{port}"),
            arg => arg.replace(MOUNTED, &into),
        });
        let account = pod["serviceAccountName"].as_str().expect("an account");
        let audience = |volume: &Value| {
            let source = &volume["projected"]["sources"][0]["serviceAccountToken"];
            source["audience"].as_str().unwrap_or_default().to_owned()
        };
        let token = mounted("/var/run/secrets/vault")
            .map(|volume| cluster.token(namespace, account, &audience(volume)));
        let api = pod["automountServiceAccountToken"] == true
            || mounted("/var/run/secrets/kubernetes.io/serviceaccount").is_some();
        Self {
            args: args.collect(),
            token,
            kubeconfig: api.then(|| cluster.service_account_kubeconfig(namespace, account)),
            mount,
        }
    }

    /// The same call as in the pod. What only a pod has is told by variables.
    pub(super) fn call(&self) -> Run {
        let mut run = keyferry().args(&self.args);
        if let Some(token) = &self.token {
            run = run.env(
                "VAULT_JWT_FILE",
                self.mount.0.write("..token", token.as_bytes()),
            );
        }
        if let Some(kubeconfig) = &self.kubeconfig {
            run = run.env("KUBECONFIG", kubeconfig);
        }
        run
    }
}
