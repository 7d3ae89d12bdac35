//! SealedSecrets as sources of `keyferry job`: from files without any server, and with keys and
//! objects of a real cluster and Vault.

use std::path::{Path, PathBuf};

use keyferry::config::{Config, Keys, LocatedKey, SealedKey};
use keyferry::envelope::manifest::from_secret_document;
use keyferry::pass::source;
use keyferry::pass::world::World;
use serde_json::{Value, json};

use super::{keys, seal};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually};
use crate::support::run::{Output, keyferry};

const CANARY: &str = "canary-5ea1ed-c0ffee";

fn sealed(key: usize, namespace: &str, name: &str) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
        "stringData": {"password": CANARY, "user": "chat"},
    });
    seal(&keys()[key], "strict", &secret)
}

/// A folder with a configuration that delivers one source to `out/`.
struct Place {
    folder: Scratch,
}

impl Place {
    fn new(keys: &str, source: &str) -> Self {
        let folder = Scratch::new("sealed-source");
        let config = format!(
            "keys: {{sealed: [{keys}]}}\ndeliveries:\n  - name: chat\n    from: [{source}]\n    \
             to: [{{files: {{dir: out, createDirs: true}}}}]\n"
        );
        folder.write("keyferry.yaml", config);
        Self { folder }
    }

    fn with(self, name: &str, body: &str) -> Self {
        self.folder.write(name, body);
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, environment: &[(&str, &Path)]) -> Output {
        self.run_with(&["job", "--deadline", "20s", "--config"], environment)
    }

    /// What `check --keys` says of the only source.
    fn checked(&self, environment: &[(&str, &Path)], code: i32) -> Value {
        let args = ["check", "--keys", "--output", "json", "--config"];
        let done = self.run_with(&args, environment).expect(code);
        let mut document: Value = serde_json::from_str(&done.stdout).expect("it is JSON");
        document["sources"][0].take()
    }

    fn run_with(&self, args: &[&str], environment: &[(&str, &Path)]) -> Output {
        let mut run = keyferry().args(args).args([self.file("keyferry.yaml")]);
        for (name, value) in environment {
            run = run.env(name, value);
        }
        let done = run.run();
        done.assert_no_canary(&[CANARY, &keys()[0].pem[100..160]]);
        done
    }

    fn delivered(&self) -> Option<String> {
        std::fs::read_to_string(self.file("out/password")).ok()
    }
}

#[test]
fn a_file_is_opened_without_any_server() {
    let place = Place::new("{file: sealing.pem}", "{sealed: chat.yaml}")
        .with("sealing.pem", &keys()[0].pem)
        .with("chat.yaml", &sealed(0, "chat", "app"));
    assert!(place.run(&[]).expect(0).stderr.contains("1 created"));
    assert_eq!(place.delivered().as_deref(), Some(CANARY));
    assert!(place.run(&[]).expect(0).stderr.contains("nothing changed"));

    place.folder.write(
        "chat.yaml",
        sealed(0, "chat", "app").replace("namespace: chat", "namespace: other"),
    );
    let refused = place.run(&[]).expect(5);
    assert!(
        refused
            .stderr
            .contains("chat.yaml: sealed secret other/app: no key opens `password` (scope strict)"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        place.delivered().as_deref(),
        Some(CANARY),
        "what was delivered stays"
    );
}

#[test]
fn one_of_several_in_a_file_is_named() {
    let both = format!("{}{}", sealed(0, "chat", "app"), sealed(0, "chat", "other"));
    for (source, code, told) in [
        ("{sealed: 'both.yaml#app'}", 0, "1 created"),
        ("{sealed: 'both.yaml#chat/other'}", 0, "1 created"),
        (
            "{sealed: both.yaml}",
            2,
            "both.yaml: it holds several SealedSecrets that could be meant",
        ),
        (
            "{sealed: 'both.yaml#nope'}",
            4,
            "both.yaml: it holds no SealedSecret `nope`",
        ),
        ("{sealed: absent.yaml}", 4, "absent.yaml does not exist"),
    ] {
        let place = Place::new("{file: sealing.pem}", source)
            .with("sealing.pem", &keys()[0].pem)
            .with("both.yaml", &both);
        let done = place.run(&[]).expect(code);
        assert!(done.stderr.contains(told), "{}", done.stderr);
        assert_eq!(place.delivered().is_some(), code == 0);
    }
}

#[test]
fn without_a_key_nothing_is_delivered_and_optional_does_not_forgive_it() {
    for (keys, source, code, told) in [
        ("", "{sealed: chat.yaml}", 2, "no sealing key is configured"),
        (
            "{file: absent.pem}",
            "{sealed: chat.yaml, optional: true}",
            4,
            "sealing key file",
        ),
        (
            "{file: chat.yaml}",
            "{sealed: chat.yaml}",
            5,
            "chat.yaml is no backup of sealing keys",
        ),
    ] {
        let place = Place::new(keys, source).with("chat.yaml", &sealed(0, "chat", "app"));
        let done = place.run(&[]).expect(code);
        assert!(done.stderr.contains(told), "{}", done.stderr);
        assert_eq!(place.delivered(), None);
    }
}

/// A controller's namespace with an active key and one that is compromised.
fn controller(cluster: &Cluster) -> String {
    let namespace = cluster.namespace();
    for (key, name, state) in [
        (0, "sealed-secrets-key5x2vd", "active"),
        (1, "sealed-secrets-keyh9k4r", "compromised"),
    ] {
        let mut secret = keys()[key].secret(name, state);
        secret["metadata"]["namespace"] = json!(namespace);
        cluster.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret);
    }
    namespace
}

#[test]
fn the_controllers_active_keys_are_found_by_their_label() {
    let cluster = Cluster::shared();
    let namespace = controller(cluster);
    cluster.grant(
        &namespace,
        "lister",
        &json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]),
    );
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "lister");
    let source = "{sealed: chat.yaml}";
    let place = |key: usize, keys: &str| {
        Place::new(keys, source).with("chat.yaml", &sealed(key, "chat", "app"))
    };
    let by_label = format!("{{secret: {{namespace: {namespace}}}}}");
    let all = format!(
        "{{secret: {{namespace: {namespace}, selector: \
         sealedsecrets.bitnami.com/sealed-secrets-key}}}}"
    );
    for keys in [&by_label, &all] {
        let active = place(0, keys);
        active.run(&[("KUBECONFIG", &kubeconfig)]).expect(0);
        assert_eq!(active.delivered().as_deref(), Some(CANARY));
        let compromised = place(1, keys).run(&[("KUBECONFIG", &kubeconfig)]).expect(5);
        assert!(
            compromised.stderr.contains("no key opens `password`"),
            "{}",
            compromised.stderr
        );
    }
    let none = format!("{{secret: {{namespace: {namespace}, selector: nobody=here}}}}");
    let none = place(0, &none)
        .run(&[("KUBECONFIG", &kubeconfig)])
        .expect(4);
    assert!(
        none.stderr.contains(&format!(
            "no secret in namespace {namespace} has label nobody=here"
        )),
        "{}",
        none.stderr
    );
}

#[test]
fn one_key_by_its_name_needs_no_list() {
    let cluster = Cluster::shared();
    let namespace = controller(cluster);
    let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["sealed-secrets-key5x2vd"], "verbs": ["get"]}]);
    cluster.grant(&namespace, "getter", &rule);
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "getter");
    let by = |what: &str| format!("{{secret: {{namespace: {namespace}{what}}}}}");
    let place = |keys: &str| {
        Place::new(keys, "{sealed: chat.yaml}").with("chat.yaml", &sealed(0, "chat", "app"))
    };
    let named = place(&by(", name: sealed-secrets-key5x2vd"));
    named.run(&[("KUBECONFIG", &kubeconfig)]).expect(0);
    assert_eq!(named.delivered().as_deref(), Some(CANARY));
    let listed = place(&by("")).run(&[("KUBECONFIG", &kubeconfig)]).expect(3);
    assert!(
        listed.stderr.contains("may not list secrets in"),
        "{}",
        listed.stderr
    );
    assert!(
        listed.stderr.contains("name one Secret instead of a label"),
        "{}",
        listed.stderr
    );
}

#[test]
fn a_key_that_lies_in_vault_is_on_no_disk() {
    let bao = OpenBao::start();
    bao.put("sealing", &json!({"tls.key": keys()[0].pem}));
    let token = Scratch::new("token");
    let token = token.write("token", bao.root_token());
    let place = Place::new("{vault: 'kv/sealing#tls.key'}", "{sealed: chat.yaml}")
        .with("chat.yaml", &sealed(0, "chat", "app"));
    let config = std::fs::read_to_string(place.file("keyferry.yaml")).expect("ours");
    let vault = format!(
        "vault: {{address: '{}', auth: {{token: {{file: '{}'}}}}}}\n",
        bao.plain_addr(),
        token.display()
    );
    place.folder.write("keyferry.yaml", vault + &config);
    place.run(&[]).expect(0);
    assert_eq!(place.delivered().as_deref(), Some(CANARY));
    let checked = place.checked(&[], 0);
    assert_eq!(checked["format"], "strict");
    assert!(
        checked["openedBy"][0]
            .as_str()
            .is_some_and(|key| key.starts_with("SHA256:")),
        "{checked}"
    );
    bao.put("sealing", &json!({"tls.key": keys()[1].pem}));
    let checked = place.checked(&[], 5);
    assert_eq!(checked["integrity"], "unknown");
    assert_eq!(checked["failures"][0]["class"], "undecryptable");
}

/// The kind that the controller's installation brings.
fn define(cluster: &Cluster) {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "sealedsecrets.bitnami.com"},
        "spec": {
            "group": "bitnami.com", "scope": "Namespaced",
            "names": {"kind": "SealedSecret", "listKind": "SealedSecretList", "plural": "sealedsecrets", "singular": "sealedsecret"},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    let (status, answer) = cluster.request("POST", path, Some(&definition));
    assert!(matches!(status, 201 | 409), "{answer}");
    eventually(
        "the kind is served",
        std::time::Duration::from_secs(30),
        || {
            cluster
                .request("GET", "/apis/bitnami.com/v1alpha1/sealedsecrets", None)
                .0
                == 200
        },
    );
}

#[test]
fn an_object_of_the_cluster_is_opened_on_request() {
    let cluster = Cluster::shared();
    define(cluster);
    let namespace = cluster.namespace();
    let objects = format!("/apis/bitnami.com/v1alpha1/namespaces/{namespace}/sealedsecrets");
    let json = |text: String| -> Value { serde_saphyr::from_str(&text).expect("YAML") };
    cluster.create(&objects, &json(sealed(0, &namespace, "app")));
    let rule = json!([{"apiGroups": ["bitnami.com"], "resources": ["sealedsecrets"], "resourceNames": ["app"], "verbs": ["get"]}]);
    cluster.grant(&namespace, "reader", &rule);
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "reader");
    let place = |source: &str| {
        Place::new("{file: sealing.pem}", source).with("sealing.pem", &keys()[0].pem)
    };
    let app = place("{sealedSecret: {name: app}}");
    app.run(&[("KUBECONFIG", &kubeconfig)]).expect(0);
    assert_eq!(app.delivered().as_deref(), Some(CANARY));
    let checked = app.checked(&[("KUBECONFIG", &kubeconfig)], 0);
    assert_eq!(checked["source"], "sealed secret app");
    assert_eq!(checked["integrity"], "good");
    let refused = place("{sealedSecret: {name: other}}")
        .run(&[("KUBECONFIG", &kubeconfig)])
        .expect(3);
    assert!(
        refused
            .stderr
            .contains(&format!("may not get sealed secret {namespace}/other")),
        "{}",
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("apiGroups: [\"bitnami.com\"], resources: [sealedsecrets]"),
        "{}",
        refused.stderr
    );
    let admin = cluster.kubeconfig();
    let absent = place(&format!(
        "{{sealedSecret: {{name: other, namespace: {namespace}}}}}"
    ))
    .run(&[("KUBECONFIG", &admin)])
    .expect(4);
    assert!(
        absent.stderr.contains("does not exist"),
        "{}",
        absent.stderr
    );
}

#[test]
fn a_file_without_a_namespace_belongs_to_our_own() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    cluster.service_account(&namespace, "any");
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "any");
    let text = sealed(0, &namespace, "app").replace(&format!("  namespace: {namespace}\n"), "");
    assert!(!text.contains(&namespace));
    let place = Place::new("{file: sealing.pem}", "{sealed: chat.yaml}")
        .with("sealing.pem", &keys()[0].pem)
        .with("chat.yaml", &text);
    place.run(&[("KUBECONFIG", &kubeconfig)]).expect(0);
    assert_eq!(place.delivered().as_deref(), Some(CANARY));
    let lost = place.run(&[]).expect(5);
    assert!(
        lost.stderr
            .contains("sealed secret app names no namespace, and its scope is strict"),
        "{}",
        lost.stderr
    );
}

#[tokio::test]
async fn all_secrets_of_a_file_become_the_documents_they_describe() {
    let folder = Scratch::new("sealed-manifests");
    let both = format!("{}{}", sealed(0, "chat", "app"), sealed(2, "chat", "other"));
    let file = folder.write("both.yaml", both);
    let config = Config {
        keys: Keys {
            sealed: keys()
                .iter()
                .map(|key| LocatedKey {
                    key: SealedKey::File(key.pem_file.clone()),
                    at: None,
                })
                .collect(),
            ..Keys::default()
        },
        ..Config::default()
    };
    let world = World::new(&config, None, std::time::Duration::from_secs(20));
    let found = source::sealed::manifests(&file, &config.keys, &world)
        .await
        .expect("it opens");
    let mut names = Vec::new();
    for document in found.documents {
        for manifest in from_secret_document(document).expect("a Secret") {
            assert_eq!(manifest.namespace.as_deref(), Some("chat"));
            assert_eq!(manifest.data["password"].expose(), CANARY.as_bytes());
            names.push(manifest.name);
        }
    }
    assert_eq!(names, ["app", "other"]);
}
