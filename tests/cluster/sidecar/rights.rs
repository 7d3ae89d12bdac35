//! Row 69: no right in one namespace of several, for a job and for a sidecar.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, SOON};

/// Lets the account `keeper` of `home` write the Secret `app` of a namespace.
fn grant(cluster: &Cluster, home: &str, namespace: &str) {
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    let rules = json!([
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "create", "patch"]},
    ]);
    cluster.create(
        &format!("{rbac}/roles"),
        &json!({"metadata": {"name": "keeper"}, "rules": rules}),
    );
    let binding = json!({
        "metadata": {"name": "keeper"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "keeper"},
        "subjects": [{"kind": "ServiceAccount", "name": "keeper", "namespace": home}],
    });
    cluster.create(&format!("{rbac}/rolebindings"), &binding);
    let token = cluster.token(home, "keeper", "");
    let path = format!("/api/v1/namespaces/{namespace}/secrets/app");
    // The API server learns of a new Role a moment later than it accepts it.
    eventually("the Role is known", SOON, || {
        cluster.request_as(&token, "GET", &path, None).0 != 403
    });
}

#[test]
fn row_69_no_right_in_one_namespace_of_several_keeps_no_other_from_its_secret() {
    let cluster = Cluster::shared();
    let [first, denied, last] = [(); 3].map(|()| cluster.namespace());
    cluster.service_account(&first, "keeper");
    for namespace in [&first, &last] {
        grant(cluster, &first, namespace);
    }
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = cluster.service_account_kubeconfig(&first, "keeper");
    let delivery = |namespace: &String| {
        format!(
            "- {{name: in-{namespace}, fields: {{a: b}}, to: [{{secret: {{name: app, namespace: \
             {namespace}}}}}]}}\n"
        )
    };
    let deliveries: String = [&first, &denied, &last].map(delivery).concat();
    let config = format!("name: rights\nsidecar: {{refresh: 1s}}\ndeliveries:\n{deliveries}");
    std::fs::write(folder.path().join("keyferry.yaml"), &config).unwrap();

    let job = keyferry()
        .dir(folder.path())
        .env("KUBECONFIG", &kubeconfig)
        .args(["job", "--deadline", "20s"])
        .run()
        .expect(3);
    let last_line = job.last_line();
    assert!(
        last_line.contains(&format!("in-{denied}"))
            && last_line.contains("system:serviceaccount")
            && last_line.contains("may not"),
        "{}",
        job.stderr
    );
    let value = |namespace: &str| cluster.secret_value(namespace, "app", "a");
    assert_eq!(value(&first).as_deref(), Some(b"b".as_slice()));
    assert_eq!(value(&last).as_deref(), Some(b"b".as_slice()));
    assert_eq!(value(&denied), None);

    let sidecar = RunningSidecar::start_with(folder.path(), &config, |run| {
        run.env("KUBECONFIG", &kubeconfig)
    });
    eventually("two of three", SOON, || {
        let reasons = sidecar.reasons();
        reasons.contains(&format!("in-{first}: ok"))
            && reasons.contains(&format!("in-{last}: ok"))
            && reasons.contains(&format!(
                "in-{denied}: not ready: not delivered yet: denied: "
            ))
    });
    grant(cluster, &first, &denied);
    sidecar.ready();
    assert_eq!(value(&denied).as_deref(), Some(b"b".as_slice()));
    sidecar.end().expect(0);
}
