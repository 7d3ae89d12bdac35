//! Sync windows on a real OpenBao: sources are read and what ends is replaced, while all else
//! waits.

use std::fs;

use serde_json::json;

use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

#[test]
fn outside_the_window_a_certificate_is_replaced_before_it_ends_and_a_secret_waits() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    bao.post("sys/mounts/pki", &json!({"type": "pki"}));
    let root = json!({"common_name": "ca", "ttl": "24h"});
    bao.post("pki/root/generate/internal", &root);
    let role = json!({"allow_any_name": true, "max_ttl": "1h"});
    bao.post("pki/roles/web", &role);
    let folder = tempfile::tempdir().unwrap();
    let token = secret_file(folder.path(), "token", &bao.root_token());
    // Shut for at least ten hours, whatever the hour is.
    let hour = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .hour();
    let (from, to) = ((hour + 11) % 24, (hour + 12) % 24);
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: {}}}}}}}\nsidecar: \
         {{refresh: 1s, windows: [{{from: '{from:02}:00', to: '{to:02}:00'}}]}}\ndeliveries:\n- \
         name: web\n  from: [{{vault: pki/issue/web, write: {{common_name: web.example, ttl: \
         12s}}, pick: [certificate, private_key]}}]\n  to: [{{files: {{dir: web, createDirs: \
         true}}}}]\n- {{name: app, from: [{{vault: kv/data/app}}], to: [{{file: {{path: \
         app.env}}}}]}}\n",
        bao.addr(),
        token.display()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let certificate =
        || fs::read_to_string(folder.path().join("web/certificate")).unwrap_or_default();
    let first = certificate();
    bao.put("app", &json!({"password": OTHER}));
    let waiting = || sidecar.metric("keyferry_delivery_waiting_targets{delivery=\"app\"}");
    eventually("the change is seen", SOON, || waiting() == Some(1.0));
    eventually("the certificate is replaced", SOON, || {
        certificate() != first
    });
    let app = fs::read_to_string(folder.path().join("app.env")).unwrap();
    assert!(app.contains(VALUE));
    assert_eq!(waiting(), Some(1.0));
    assert!(sidecar.is_ready(), "{}", sidecar.reasons());
    sidecar.end().expect(0).assert_no_canary(&[VALUE, OTHER]);
}

#[test]
fn a_secret_of_the_cluster_is_delivered_at_once_however_rarely_it_is_looked_at() {
    let cluster = crate::support::cluster::Cluster::shared();
    let namespace = cluster.namespace();
    cluster.grant(
        &namespace,
        "reader",
        &json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]),
    );
    let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
    let put = |value: &str| {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": value}});
        let path = format!("{secrets}/db?fieldManager=test&force=true");
        let (status, answer) = cluster.request("PATCH", &path, Some(&secret));
        assert!(status < 300, "{answer}");
    };
    put(VALUE);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "reader");
    // One of our own namespace and one that names it; both are followed.
    let config = format!(
        "sidecar: {{refresh: 1h}}\ndeliveries:\n- {{name: own, from: [{{secret: {{name: db}}}}], \
         to: [{{file: {{path: own.env}}}}]}}\n- {{name: named, from: [{{secret: {{name: db, \
         namespace: {namespace}}}}}], to: [{{file: {{path: named.env}}}}]}}\n"
    );
    let sidecar = RunningSidecar::start_with(folder.path(), &config, |run| {
        run.env("KUBECONFIG", &kubeconfig)
    });
    sidecar.ready();
    for value in [OTHER, VALUE] {
        put(value);
        for file in ["own.env", "named.env"] {
            eventually(file, SOON, || {
                let text = fs::read_to_string(folder.path().join(file));
                text.is_ok_and(|text| text.contains(value))
            });
        }
    }
    sidecar.end().expect(0).assert_no_canary(&[VALUE, OTHER]);

    let going = keyferry()
        .dir(folder.path())
        .env("KUBECONFIG", &kubeconfig)
        .args([
            "exec",
            "--watch",
            "--config",
            "keyferry.yaml",
            "--delivery",
            "own",
        ])
        .args(["--", "sh", "-c", "printenv password > got; exec sleep 300"])
        .start();
    for value in [VALUE, OTHER] {
        put(value);
        eventually("a program too", SOON, || {
            let text = fs::read_to_string(folder.path().join("got"));
            text.is_ok_and(|text| text.contains(value))
        });
    }
    going.signal(rustix::process::Signal::TERM);
    going.finish();
}
