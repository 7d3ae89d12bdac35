//! Encrypted manifests on a real API server: files as the real sops and kubeseal write them, run as
//! a job with few rights.

mod applied;
mod pruned;
mod stays;

use std::path::PathBuf;

use keyferry::base::material::SecretBytes;
use keyferry::envelope::age;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::process::{Scratch, eventually};
use crate::support::run::{Output, Run, keyferry};
use crate::support::tools;

/// In every value of these tests, and in no message.
const CANARY: &str = "canary-4d616e69";

/// What a pass needs without `prune`, and what it needs with it.
const WRITE: &[&str] = &["get", "create", "patch"];
const PRUNE: &[&str] = &["get", "create", "patch", "list", "delete"];

/// A Git checkout with encrypted files, and the job that applies them to its own namespace.
struct Site {
    folder: Scratch,
    namespace: String,
    kubeconfig: PathBuf,
    recipient: String,
}

impl Site {
    /// `sets` are the entries of `manifests`.
    fn new(verbs: &[&str], sets: &str) -> Self {
        let cluster = Cluster::shared();
        let namespace = cluster.namespace();
        let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]);
        cluster.grant(&namespace, "job", &rule);
        let folder = Scratch::new("manifests");
        std::fs::create_dir(folder.path().join("secrets")).expect("made");
        let key = Run::of(tools::age_keygen()).run().expect(0).stdout;
        let identity = age::identities(&SecretBytes::from(key.as_str())).expect("a key");
        folder.write("age.key", &key);
        let site = Self {
            kubeconfig: cluster.service_account_kubeconfig(&namespace, "job"),
            recipient: identity[0].recipient().to_owned(),
            namespace,
            folder,
        };
        site.configure(sets);
        site.await_rights(&site.namespace);
        site
    }

    /// The API server learns of a new Role a moment later than it accepts it.
    fn await_rights(&self, namespace: &str) {
        let cluster = Cluster::shared();
        let token = cluster.token(&self.namespace, "job", "");
        let path = format!("/api/v1/namespaces/{namespace}/secrets/none");
        eventually(
            "the Role is known",
            std::time::Duration::from_secs(30),
            || cluster.request_as(&token, "GET", &path, None).0 == 404,
        );
    }

    fn configure(&self, sets: &str) {
        let config = format!("name: site\nkeys: {{age: [{{file: age.key}}]}}\nmanifests:\n{sets}");
        self.folder.write("keyferry.yaml", config);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("secrets").join(name)
    }

    /// Encrypts a manifest as people do, its values only, and puts it among the others.
    fn put(&self, name: &str, manifest: &str) {
        let encrypted = Run::of(tools::sops())
            .env("HOME", self.folder.path())
            .args(["encrypt", "--age", &self.recipient])
            .args(["--encrypted-regex", "^(data|stringData)$"])
            .args(["--input-type", "yaml", "--output-type", "yaml"])
            .args([self.folder.write("plain.yaml", manifest)])
            .run()
            .expect(0);
        assert!(!encrypted.stdout.contains(CANARY));
        std::fs::write(self.file(name), encrypted.bytes).expect("written");
    }

    /// One Secret with one value, in a file of its name.
    fn put_secret(&self, name: &str) {
        let manifest = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: \
             {{password: {CANARY}}}\n"
        );
        self.put(&format!("{name}.enc.yaml"), &manifest);
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(&format!("{name}.enc.yaml"))).expect("removed");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let done = keyferry()
            .env("KUBECONFIG", &self.kubeconfig)
            .args(arguments)
            .args(["--config"])
            .args([self.folder.path().join("keyferry.yaml")])
            .run();
        done.assert_no_canary(&[CANARY]);
        done
    }

    fn job(&self) -> Output {
        self.run(&["job", "--deadline", "30s"])
    }

    fn secret(&self, name: &str) -> Option<Value> {
        Cluster::shared().secret(&self.namespace, name)
    }

    /// Names of all Secrets of the namespace.
    fn names(&self) -> Vec<String> {
        let path = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        let list = Cluster::shared().find(&path).expect("a list");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let names = items
            .iter()
            .filter_map(|item| item["metadata"]["name"].as_str());
        names.map(str::to_owned).collect()
    }

    /// What the job did in its namespace beside reading single objects.
    fn writes(&self) -> Vec<String> {
        let user = format!("system:serviceaccount:{0}:job", self.namespace);
        let mut lines = Cluster::shared().audited_by(&self.namespace, &user);
        lines.retain(|line| !line.starts_with("get ") && !line.starts_with("list "));
        lines
    }
}

#[track_caller]
fn says(done: &Output, parts: &[&str]) {
    let all = format!("{}{}", done.stdout, done.stderr);
    for part in parts {
        assert!(all.contains(part), "no {part:?} in:\n{all}");
    }
}
