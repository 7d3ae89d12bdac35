//! `reflect` beside a Secret: one pass makes all copies, the second writes nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::{CANARY, annotation, held};
use crate::support::cluster::Cluster;
use crate::support::process::Scratch;
use crate::support::run::{Output, keyferry};

/// A source namespace with a Secret `db`, and namespaces after it whose names begin alike.
pub(super) struct Estate {
    pub(super) cluster: &'static Cluster,
    pub(super) home: String,
    pub(super) scratch: Scratch,
}

impl Estate {
    pub(super) fn new() -> Self {
        let cluster = Cluster::shared();
        let home = cluster.namespace();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {
            "user": format!("{CANARY}u"), "password": format!("{CANARY}p/1"), "host": "pg",
        }});
        cluster.create(&format!("/api/v1/namespaces/{home}/secrets"), &secret);
        Self {
            cluster,
            home,
            scratch: Scratch::new("reflect"),
        }
    }

    /// A namespace of its own with labels.
    pub(super) fn team(&self, name: &str, labels: &Value) -> String {
        let name = format!("{}-{name}", self.home);
        self.cluster.named_namespace(&name, labels);
        name
    }

    /// A configuration with one delivery; `HOME` in it is the name of the source's namespace.
    pub(super) fn text(&self, target: &str) -> String {
        let text = format!(
            "name: test\nmarkKey: {{namespace: HOME}}\ndeliveries:\n  - name: copies\n    from: \
             [{{secret: {{namespace: HOME, name: db}}}}]\n    fields: {{URL: \"pg://{{{{ user \
             }}}}@{{{{ host }}}}\"}}\n    to:\n      - {target}\n"
        );
        text.replace("HOME", &self.home)
    }

    pub(super) fn job(&self, target: &str) -> Output {
        self.run(&["job"], target)
    }

    pub(super) fn run(&self, command: &[&str], target: &str) -> Output {
        self.run_as(command, target, &self.cluster.kubeconfig())
    }

    pub(super) fn run_as(&self, command: &[&str], target: &str, kubeconfig: &Path) -> Output {
        let file = self.scratch.write("keyferry.yaml", self.text(target));
        let output = keyferry()
            .args(command)
            .args(["--config"])
            .args([&file])
            .env("KUBECONFIG", kubeconfig)
            .run();
        output.assert_no_canary(&[CANARY]);
        output
    }
}

#[test]
fn a_declared_copy_goes_where_names_and_labels_say_and_the_second_pass_writes_nothing() {
    let estate = Estate::new();
    let pull = json!({"pull": "yes"});
    let (a, b) = (estate.team("a", &pull), estate.team("b", &json!({})));
    let c = estate.team("c", &pull);
    let no = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": c, "annotations": {"keyferry.io/accept": "false"}}});
    estate.cluster.request(
        "PATCH",
        &format!("/api/v1/namespaces/{c}?fieldManager=test"),
        Some(&no),
    );
    let target = "{secret: {namespace: HOME, name: app, labels: {l: x}}, reflect: {namespaces: [\"HOME-*\"], selector: pull=yes, rename: theirs, pick: [URL], labels: {team: t}}}";
    let first = estate.job(target).expect(0);
    assert!(first.stderr.contains("2 created"), "{}", first.stderr);
    assert_eq!(
        held(estate.cluster, &a, "theirs").as_deref(),
        Some("URL=pg://u@pg")
    );
    let copy = estate.cluster.secret(&a, "theirs").expect("it is there");
    assert_eq!(
        copy["metadata"]["labels"],
        json!({"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "test", "team": "t"})
    );
    assert_eq!(
        annotation(&copy, "keyferry.io/reflected-from"),
        Some(format!("{}/app", estate.home).as_str())
    );
    for namespace in [&b, &c] {
        assert_eq!(held(estate.cluster, namespace, "theirs"), None);
    }
    let second = estate.job(target).expect(0);
    assert!(
        second.stderr.contains("nothing changed (2 targets)"),
        "{}",
        second.stderr
    );
    let d = estate.team("d", &pull);
    let third = estate.job(target).expect(0);
    assert!(
        third.stderr.contains("1 created, 0 updated, 2 unchanged"),
        "{}",
        third.stderr
    );
    assert!(held(estate.cluster, &d, "theirs").is_some());
}

#[test]
fn row_66_a_stranger_in_one_namespace_is_left_and_the_others_get_theirs() {
    let estate = Estate::new();
    let (a, b) = (estate.team("a", &json!({})), estate.team("b", &json!({})));
    let theirs = json!({"metadata": {"name": "db"}, "stringData": {"x": "theirs"}});
    estate
        .cluster
        .create(&format!("/api/v1/namespaces/{a}/secrets"), &theirs);
    let before = estate.cluster.secret(&a, "db");
    let target =
        "{secret: {name: db, adopt: true}, reflect: {namespaces: [\"HOME-*\"], home: false}}";
    let output = estate.job(target).expect(6);
    assert!(
        output.stderr.contains(&format!("secret {a}/db")),
        "{}",
        output.stderr
    );
    assert_eq!(estate.cluster.secret(&a, "db"), before);
    assert!(held(estate.cluster, &b, "db").is_some());
}

#[test]
fn a_plain_name_needs_no_right_to_list_namespaces() {
    let estate = Estate::new();
    let tenant = estate.team("tenant", &json!({}));
    let cluster = estate.cluster;
    let rule = |name: &str, verbs: &[&str]| json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": verbs}]);
    cluster.grant(&estate.home, "copier", &rule("db", &["get"]));
    let account = format!("system:serviceaccount:{}:copier", estate.home);
    cluster.apply_yaml(
        &tenant,
        &format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: copier}}, rules: {}}}\n---\n{{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: copier}}, roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: copier}}, subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: '{account}'}}]}}\n",
            rule("chat-db", &["get", "create", "patch"])
        ),
    );
    let text = format!(
        "name: url\ndeliveries:\n  - name: url\n    from: [{{secret: {{namespace: {0}, name: \
         db}}}}]\n    fields: {{DATABASE_URL: \"postgresql://{{{{ user | urlencode }}}}:{{{{ \
         password | urlencode }}}}@{{{{ host }}}}:5432/chat\"}}\n    deliver: [DATABASE_URL]\n    \
         to: [{{secret: {{name: chat-db}}, reflect: {{namespaces: [{tenant}], home: false}}}}]\n",
        estate.home
    );
    let file = estate.scratch.write("keyferry.yaml", text);
    let run = || {
        keyferry()
            .args(["job", "--deadline", "20s", "--config"])
            .args([&file])
            .env(
                "KUBECONFIG",
                cluster.service_account_kubeconfig(&estate.home, "copier"),
            )
            .run()
    };
    // The API server learns of a new Role a moment later.
    crate::support::process::eventually(
        "it has its rights",
        std::time::Duration::from_secs(20),
        || run().code == 0,
    );
    assert_eq!(
        held(cluster, &tenant, "chat-db").as_deref(),
        Some(
            format!("DATABASE_URL=postgresql://u:{CANARY}p%2F1@pg:5432/chat")
                .replace(CANARY, "")
                .as_str()
        )
    );
}
