//! What is applied, where it may go, and what is refused.

use aws_lc_rs::rsa::KeySize;
use serde_json::json;

use super::{CANARY, Site, WRITE, says};
use crate::support::cluster::Cluster;
use crate::support::run::Run;
use crate::support::sealing::{Key, kubeseal};
use crate::support::tools;

const ALL: &str = "  - {sops: 'secrets/*.enc.yaml'}\n";

#[test]
fn manifests_become_the_objects_they_describe_and_a_second_run_writes_nothing() {
    let site = Site::new(WRITE, "  - {name: web, sops: 'secrets/*.enc.yaml'}\n");
    let marks = "labels: {app: web, app.kubernetes.io/instance: argo}\n  annotations: {reflector.v1.k8s.emberstack.com/reflection-allowed: 'true', argocd.argoproj.io/tracking-id: x}";
    site.put(
        "two.enc.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: web-env\n  {marks}\ntype: \
         example.org/env\nimmutable: true\ndata: {{raw: AP8=}}\nstringData: {{password: {CANARY}, \
         url: 'a: b'}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: web-tls, namespace: \
         {}}}\nstringData: {{k: {CANARY}}}\n",
            site.namespace
        ),
    );
    site.put_secret("other");

    let plan = site.run(&["plan"]).expect(10);
    says(
        &plan,
        &[
            "manifests web: two.enc.yaml",
            "create   secret",
            "/web-env (example.org/env)",
            "/other (Opaque)",
            "+ password (15 bytes)",
            "3 to change",
        ],
    );
    let json = site.run(&["plan", "--output", "json"]).expect(10);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(document["deliveries"][1]["steps"][0]["action"], "create");
    assert_eq!(
        document["deliveries"][1]["steps"][0]["type"],
        "example.org/env"
    );
    let markdown = site.run(&["plan", "-o", "markdown"]).expect(10);
    says(&markdown, &["| `manifests web: other.enc.yaml` | `secret"]);
    assert!(site.writes().is_empty(), "{:?}", site.writes());

    says(&site.job().expect(0), &["3 created"]);
    let made = site.secret("web-env").expect("created");
    assert_eq!(made["type"], "example.org/env");
    assert_eq!(made["immutable"], true);
    assert_eq!(made["data"]["raw"], "AP8=");
    assert_eq!(
        made["metadata"]["labels"],
        json!({"app": "web", "app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "site", "keyferry.io/manifests": "web"})
    );
    assert_eq!(
        made["metadata"]["annotations"]["reflector.v1.k8s.emberstack.com/reflection-allowed"],
        "true"
    );
    let value = Cluster::shared().secret_value(&site.namespace, "web-tls", "k");
    assert_eq!(value.as_deref(), Some(CANARY.as_bytes()));

    let before = site.writes();
    says(&site.job().expect(0), &["nothing changed (3 targets)"]);
    assert_eq!(site.writes(), before, "a second run writes nothing");
    says(&site.run(&["plan"]).expect(0), &["nothing to do"]);
    says(&site.run(&["check", "--keys"]).expect(0), &["two.enc.yaml"]);
}

#[test]
fn what_is_moved_in_a_damaged_sops_file_is_refused_by_its_name() {
    let site = Site::new(WRITE, ALL);
    let other = Cluster::shared().namespace();
    site.put_secret("good");
    // Its name is that of a namespace, so exchanging two keys is all it takes; no value changes.
    site.put("app.enc.yaml", &format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: {}\n  name: {other}\nstringData:\n  password: {CANARY}\n",
        site.namespace
    ));
    says(&site.job().expect(0), &["2 created"]);

    let text = std::fs::read_to_string(site.file("app.enc.yaml")).expect("text");
    let moved = text
        .replacen("    namespace: ", "    was-namespace: ", 1)
        .replacen("    name: ", "    namespace: ", 1)
        .replacen("    was-namespace: ", "    name: ", 1);
    assert_ne!(text, moved);
    std::fs::write(site.file("app.enc.yaml"), &moved).expect("written");
    let sops = Run::of(tools::sops())
        .env("HOME", site.folder.path())
        .env("SOPS_AGE_KEY_FILE", site.folder.path().join("age.key"))
        .args(["decrypt"])
        .args([site.file("app.enc.yaml")])
        .run()
        .expect(0);
    assert!(
        sops.stdout.contains(&format!("namespace: {other}")),
        "sops sees nothing wrong with it"
    );

    let done = site.job().expect(6);
    let secret = format!("secret {other}/{}", site.namespace);
    says(
        &done,
        &[
            &secret,
            &format!("manifests may not go to namespace {other}"),
            "list `test-",
        ],
    );
    assert_eq!(Cluster::shared().secret(&other, &site.namespace), None);
    assert!(site.secret(&other).is_some(), "what stood there stays");

    // A value that changed is another matter: there is a checksum for it.
    let renamed = text.replacen(&format!("name: {other}"), "name: evil", 1);
    std::fs::write(site.file("app.enc.yaml"), renamed).expect("written");
    says(&site.job().expect(5), &["app.enc.yaml"]);
    assert_eq!(site.secret("evil"), None);
}

#[test]
fn other_namespaces_are_reached_only_when_listed() {
    let site = Site::new(WRITE, ALL);
    let cluster = Cluster::shared();
    let team = cluster.namespace();
    let manifest = |namespace: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: app, namespace: \
             {namespace}}}\nstringData: {{k: {CANARY}}}\n"
        )
    };
    site.put("app.enc.yaml", &manifest(&team));
    let refused = site.job().expect(6);
    says(
        &refused,
        &[
            "app.enc.yaml",
            &format!("secret {team}/app: manifests may not go to namespace {team}"),
        ],
    );
    assert!(site.writes().is_empty());

    site.configure(&format!(
        "  - {{sops: 'secrets/*.enc.yaml', namespaces: [{team}]}}\n"
    ));
    // Listed, and still without a right there: the API server has its own say.
    says(
        &site.job().expect(3),
        &["may not get secret", "verbs: [get, create, patch]"],
    );
    let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": WRITE}]);
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{team}");
    cluster.create(
        &format!("{rbac}/roles"),
        &json!({"metadata": {"name": "web"}, "rules": rule}),
    );
    cluster.create(
        &format!("{rbac}/rolebindings"),
        &json!({
            "metadata": {"name": "web"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
            "subjects": [{"kind": "ServiceAccount", "name": "job", "namespace": site.namespace}],
        }),
    );
    let token = cluster.token(&site.namespace, "job", "");
    let path = format!("/api/v1/namespaces/{team}/secrets/app");
    crate::support::process::eventually(
        "the Role is known",
        std::time::Duration::from_secs(30),
        || cluster.request_as(&token, "GET", &path, None).0 == 404,
    );
    says(&site.job().expect(0), &["1 created"]);
    assert!(cluster.secret(&team, "app").is_some());
}

#[test]
fn a_foreign_secret_is_left_alone_until_it_may_be_adopted() {
    let site = Site::new(WRITE, ALL);
    let secrets = format!("/api/v1/namespaces/{}/secrets", site.namespace);
    let object = json!({"metadata": {"name": "app"}, "stringData": {"theirs": "x"}});
    Cluster::shared().create(&secrets, &object);
    site.put_secret("app");
    site.put_secret("good");
    let refused = site.job().expect(6);
    says(&refused, &["was not made by keyferry", "`adopt: true`"]);
    assert!(
        site.secret("good").is_some(),
        "one that fails stops no other"
    );
    assert_eq!(
        site.secret("app").expect("there")["data"],
        json!({"theirs": "eA=="})
    );

    site.configure("  - {sops: 'secrets/*.enc.yaml', adopt: true}\n");
    says(&site.job().expect(0), &["1 updated", "1 unchanged"]);
    let app = site.secret("app").expect("there");
    assert_eq!(
        app["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "keyferry"
    );
    assert!(app["data"]["password"].is_string());
}

#[test]
fn sealed_secrets_are_manifests_too() {
    let site = Site::new(WRITE, "");
    let key = Key::new("sealing", KeySize::Rsa2048);
    let seal = |namespace: &str, name: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
            "metadata": {"name": name, "namespace": namespace, "annotations": {"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}},
            "stringData": {"username": "chat", "password": CANARY},
        });
        let certificate = key.certificate.display().to_string();
        kubeseal(&["--cert", &certificate, "-o", "yaml"], secret.to_string())
            .expect(0)
            .stdout
    };
    let config = format!(
        "name: chat\nkeys: {{sealed: [{{file: {}}}]}}\nmanifests:\n  - \
         {{name: chat, sealed: 'secrets/*.yaml'}}\n",
        key.pem_file.display()
    );
    site.folder.write("keyferry.yaml", config);
    let both = format!(
        "{}---\n{}",
        seal(&site.namespace, "a"),
        seal(&site.namespace, "b")
    );
    std::fs::write(site.file("both.yaml"), both).expect("written");
    says(&site.job().expect(0), &["2 created"]);
    let made = site.secret("a").expect("created");
    assert_eq!(made["type"], "kubernetes.io/basic-auth");
    assert_eq!(
        made["metadata"]["annotations"]["reflector.v1.k8s.emberstack.com/reflection-allowed"],
        "true"
    );
    says(&site.job().expect(0), &["nothing changed"]);

    // Sealed for another namespace: refused by ours before, by its own seal after a move.
    std::fs::write(site.file("else.yaml"), seal("kube-system", "c")).expect("written");
    says(
        &site.job().expect(6),
        &["manifests may not go to namespace kube-system"],
    );
    let moved = seal("kube-system", "c").replace("kube-system", &site.namespace);
    std::fs::write(site.file("else.yaml"), moved).expect("written");
    says(&site.job().expect(5), &["else.yaml"]);
    assert_eq!(site.names(), ["a", "b"]);
}

/// A last `---`, or a document that is only a comment, describes nothing and is in nobody's way.
#[test]
fn row_176_documents_that_hold_nothing_are_passed_over() {
    let site = Site::new(WRITE, ALL);
    let secret = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: \
             {{k: {CANARY}}}\n"
        )
    };
    site.put("last.enc.yaml", &format!("{}---\n", secret("last")));
    let first = format!("---\n# a note\n---\n{}", secret("first"));
    site.put("first.enc.yaml", &first);
    let between = format!("{}---\n# a note\n---\n{}", secret("b-one"), secret("b-two"));
    site.put("between.enc.yaml", &between);
    says(&site.job().expect(0), &["4 created"]);
    assert_eq!(site.names(), ["b-one", "b-two", "first", "last"]);
    says(&site.job().expect(0), &["nothing changed (4 targets)"]);

    let key = Key::new("sealing", KeySize::Rsa2048);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "sealed", "namespace": site.namespace},
        "stringData": {"k": CANARY},
    });
    let certificate = key.certificate.display().to_string();
    let sealed = kubeseal(&["--cert", &certificate, "-o", "yaml"], secret.to_string());
    let sealed = format!(
        "# a note\n---\n{}---\n# another\n---\n",
        sealed.expect(0).stdout
    );
    std::fs::write(site.file("sealed.yaml"), sealed).expect("written");
    let config = format!(
        "name: test\nkeys: {{sealed: [{{file: {}}}]}}\nmanifests:\n  - \
         {{sealed: secrets/sealed.yaml}}\n",
        key.pem_file.display()
    );
    site.folder.write("keyferry.yaml", config);
    says(&site.job().expect(0), &["1 created"]);
    assert!(site.secret("sealed").is_some());
}

/// kustomize's `namespace:` changes the metadata of the object and not those of its template: the
/// controller minds only the former.
#[test]
fn row_168_a_sealed_secret_that_kustomize_moved_opens_where_its_scope_allows_it() {
    let site = Site::new(WRITE, "");
    let key = Key::new("sealing", KeySize::Rsa2048);
    let certificate = key.certificate.display().to_string();
    let seal = |scope: &str| {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "app", "namespace": "elsewhere"},
            "stringData": {"k": CANARY},
        });
        let args = ["--cert", &certificate, "--scope", scope, "-o", "yaml"];
        let sealed = kubeseal(&args, secret.to_string()).expect(0).stdout;
        let moved = format!("\n  namespace: {}\n", site.namespace);
        let moved = sealed.replacen("\n  namespace: elsewhere\n", &moved, 1);
        assert_ne!(moved, sealed);
        assert!(moved.contains("      namespace: elsewhere"), "{moved}");
        moved
    };
    let config = format!(
        "name: test\nkeys: {{sealed: [{{file: {}}}]}}\nmanifests:\n  - \
         {{sealed: secrets/app.yaml}}\n",
        key.pem_file.display()
    );
    site.folder.write("keyferry.yaml", config);
    for (scope, code) in [("strict", 5), ("namespace-wide", 5), ("cluster-wide", 0)] {
        std::fs::write(site.file("app.yaml"), seal(scope)).expect("written");
        site.job().expect(code);
        assert_eq!(site.secret("app").is_some(), code == 0, "{scope}");
    }
}
