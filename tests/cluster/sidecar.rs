//! The sidecar on a real OpenBao: what it does while the server is away, refuses, or ends what it gave. Rows of faults.md.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::stay::{SOON, Staying};
use crate::support::stub::{Reply, Stub};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

const RIGHTS: &str = r#"path "*" { capabilities = ["read", "update"] }"#;

/// An AppRole whose files lie in the server's folder, and the part of a configuration that names it.
struct Identity {
    vault: String,
    role_id: String,
}

fn identity(bao: &OpenBao, rules: &str, settings: &Value) -> Identity {
    bao.policy("app", rules);
    bao.post("sys/auth/approle", &json!({"type": "approle"}));
    let mut settings = settings.clone();
    settings["token_policies"] = json!(["app"]);
    bao.post("auth/approle/role/app", &settings);
    let role_id = bao.get("auth/approle/role/app/role-id")["data"]["role_id"]
        .as_str()
        .unwrap()
        .to_owned();
    secret_file(bao.folder(), "role-id", &role_id);
    new_secret_id(bao);
    let folder = bao.folder().display();
    Identity {
        vault: format!(
            "vault: {{address: '{}', auth: {{appRole: {{roleIdFile: {folder}/role-id, secretIdFile: {folder}/secret-id}}}}}}\n",
            bao.addr()
        ),
        role_id,
    }
}

fn new_secret_id(bao: &OpenBao) {
    let made = bao.post("auth/approle/role/app/secret-id", &json!({}));
    secret_file(
        bao.folder(),
        "secret-id",
        made["data"]["secret_id"].as_str().unwrap(),
    );
}

/// `kv/data/app` to `app.env`, looked at each second.
fn config(identity: &Identity, more: &str) -> String {
    format!(
        "{}sidecar: {{refresh: 1s}}\ndeliveries:\n- name: app\n  from: [{{vault: kv/data/app}}]\n  to: [{{file: {{path: app.env}}}}]\n{more}",
        identity.vault
    )
}

fn put(bao: &OpenBao, value: &str) {
    // After an election a server that calls itself active may still refuse for a moment.
    let body = json!({"data": {"password": value}});
    eventually("a write", SOON, || {
        bao.request(&bao.root_token(), "POST", "kv/data/app", Some(&body))
            .0
            == 200
    });
}

fn delivered(folder: &Path) -> String {
    fs::read_to_string(folder.join("app.env")).unwrap_or_default()
}

fn audited(bao: &OpenBao, call: &str) -> usize {
    bao.audited()
        .iter()
        .filter(|seen| seen.starts_with(call))
        .count()
}

const LOGIN: &str = "update auth/approle/login";
const RENEW: &str = "update auth/token/renew-self";

#[test]
fn a_write_is_delivered_within_the_refresh_interval_and_nothing_is_read_in_full_without_need() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    assert!(delivered(folder.path()).contains(VALUE));
    eventually("it looks at the metadata", SOON, || {
        audited(&bao, "read kv/metadata/app") >= 3
    });
    assert_eq!(audited(&bao, "read kv/data/app"), 1);
    put(&bao, OTHER);
    eventually("the change", Duration::from_secs(2), || {
        delivered(folder.path()).contains(OTHER)
    });
    assert_eq!(audited(&bao, "read kv/data/app"), 2);
    assert_eq!((audited(&bao, LOGIN), audited(&bao, RENEW)), (1, 0));
    let output = staying.end().expect(0);
    output.assert_no_canary(&[VALUE, OTHER, &identity.role_id]);
    assert_eq!(
        audited(&bao, "update auth/token/revoke-self"),
        1,
        "its token is given back"
    );
}

#[test]
fn where_metadata_may_not_be_read_the_data_is() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(
        &bao,
        r#"path "kv/data/app" { capabilities = ["read"] }"#,
        &json!({}),
    );
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    put(&bao, OTHER);
    eventually("the change", Duration::from_secs(3), || {
        delivered(folder.path()).contains(OTHER)
    });
    assert!(staying.is_ready());
    assert_eq!(audited(&bao, LOGIN), 1);
}

/// Begins an outage, sees that what was delivered stays and counts, ends it, and sees the sidecar recover.
fn over_an_outage(begin: fn(&OpenBao), end: fn(&OpenBao), words: &str) {
    let bao = OpenBao::start_sealable();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    begin(&bao);
    eventually("it is told", Duration::from_secs(40), || {
        staying.reasons().contains(words)
    });
    assert!(staying.is_ready(), "{}", staying.reasons());
    assert!(delivered(folder.path()).contains(VALUE));
    end(&bao);
    put(&bao, OTHER);
    eventually("it recovers", Duration::from_secs(40), || {
        delivered(folder.path()).contains(OTHER)
    });
    eventually("all is well", SOON, || !staying.reasons().contains(words));
    assert_eq!(audited(&bao, LOGIN), 1, "the token was good all the time");
    staying
        .end()
        .expect(0)
        .assert_no_canary(&[VALUE, OTHER, &identity.role_id]);
}

#[test]
fn row_11_over_a_restart_what_was_delivered_stays() {
    let end = |bao: &OpenBao| {
        bao.restart();
        bao.unseal();
    };
    over_an_outage(OpenBao::kill, end, "connection refused");
}

#[test]
fn row_12_over_a_hanging_server_what_was_delivered_stays() {
    over_an_outage(OpenBao::stop, OpenBao::cont, "no whole answer");
}

#[test]
fn row_13_over_a_seal_what_was_delivered_stays() {
    over_an_outage(OpenBao::seal, OpenBao::unseal, "sealed");
}

#[test]
fn row_59_a_server_that_is_down_at_the_start_is_waited_for() {
    let bao = OpenBao::start_sealable();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    bao.seal();
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    eventually("it says why", SOON, || staying.reasons().contains("sealed"));
    staying.command("ready").expect(7);
    assert_eq!(staying.ask("/livez").map(|(status, _)| status), Some(200));
    bao.unseal();
    staying.ready();
    staying.command("ready").expect(0);
}

#[test]
fn row_17_a_revoked_token_is_replaced_once() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    bao.post("sys/leases/revoke-prefix/auth/approle/login", &json!({}));
    eventually("it logs in again", SOON, || audited(&bao, LOGIN) == 2);
    put(&bao, OTHER);
    eventually("it works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(audited(&bao, LOGIN), 2, "no storm");
}

#[test]
fn row_14_a_refused_login_waits_longer_and_longer_and_not_at_all_when_its_file_changes() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    secret_file(
        bao.folder(),
        "secret-id",
        "7e57ed00-0000-4000-8000-000000000000",
    );
    let begun = Instant::now();
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    eventually("it is told", SOON, || staying.reasons().contains("denied"));
    std::thread::sleep(Duration::from_secs(8).saturating_sub(begun.elapsed()));
    let tries = audited(&bao, LOGIN);
    assert!(
        (1..=6).contains(&tries),
        "{tries} logins in {:?}",
        begun.elapsed()
    );
    new_secret_id(&bao);
    let changed = Instant::now();
    staying.ready();
    assert!(
        changed.elapsed() < Duration::from_secs(3),
        "{:?}",
        changed.elapsed()
    );
}

#[test]
fn row_18_a_right_that_is_taken_away_keeps_what_was_delivered() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let data_only = r#"path "kv/data/app" { capabilities = ["read"] }"#;
    let identity = identity(&bao, data_only, &json!({}));
    let staying = Staying::start(folder.path(), &config(&identity, "  onDenied: unready\n"));
    staying.ready();
    bao.policy("app", r#"path "kv/data/other" { capabilities = ["read"] }"#);
    eventually("it is told", SOON, || !staying.is_ready());
    assert!(
        staying.reasons().contains("may not read `kv/data/app`"),
        "{}",
        staying.reasons()
    );
    assert!(delivered(folder.path()).contains(VALUE));
    bao.policy("app", data_only);
    eventually("it recovers", SOON, || staying.is_ready());
    assert_eq!(audited(&bao, LOGIN), 1);
}

#[test]
fn row_21_and_22_a_deleted_secret_is_kept_and_said_to_be_deleted() {
    for (path, words) in [("kv/data/app", "deleted"), ("kv/metadata/app", "nothing")] {
        let bao = OpenBao::start();
        put(&bao, VALUE);
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(&bao, RIGHTS, &json!({}));
        let staying = Staying::start(folder.path(), &config(&identity, ""));
        staying.ready();
        bao.delete(path);
        eventually("it is told", SOON, || staying.reasons().contains("missing"));
        assert!(
            staying.reasons().contains(words) || words == "nothing",
            "{}",
            staying.reasons()
        );
        assert!(staying.is_ready() && delivered(folder.path()).contains(VALUE));
        put(&bao, OTHER);
        eventually("it comes back", SOON, || {
            delivered(folder.path()).contains(OTHER)
        });
    }
}

#[test]
fn row_30_one_that_fails_stops_no_other() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    bao.put("second", &json!({"a": "b"}));
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let more = "- {name: both, from: [{vault: kv/data/second}, {vault: kv/data/none}], to: [{file: {path: both.env}}]}\n- {name: second, from: [{vault: kv/data/second}], to: [{file: {path: second.env}}]}\n";
    let staying = Staying::start(folder.path(), &config(&identity, more));
    eventually("two are ready", SOON, || {
        let reasons = staying.reasons();
        reasons.contains("app: ok")
            && reasons.contains("second: ok")
            && reasons.contains("both: not ready")
    });
    assert!(!folder.path().join("both.env").exists());
    bao.put("none", &json!({"c": "d"}));
    staying.ready();
}

#[test]
fn row_19_a_token_that_may_not_renew_itself_is_not_asked_to_again_and_again() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let narrow = r#"path "kv/*" { capabilities = ["read"] }"#;
    let settings =
        json!({"token_ttl": "4s", "token_max_ttl": "1h", "token_no_default_policy": true});
    let identity = identity(&bao, narrow, &settings);
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    std::thread::sleep(Duration::from_secs(14));
    let (logins, renewals) = (audited(&bao, LOGIN), audited(&bao, RENEW));
    assert!((3..=6).contains(&logins), "{logins} logins");
    assert!(renewals <= logins, "{renewals} renewals in {logins} lives");
    assert!(staying.is_ready(), "{}", staying.reasons());
}

#[test]
fn row_20_a_short_token_is_renewed_in_time_until_its_maximum() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(
        &bao,
        RIGHTS,
        &json!({"token_ttl": "3s", "token_max_ttl": "9s"}),
    );
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    std::thread::sleep(Duration::from_secs(16));
    let (logins, renewals) = (audited(&bao, LOGIN), audited(&bao, RENEW));
    assert!((2..=4).contains(&logins), "{logins} logins");
    assert!((3..=14).contains(&renewals), "{renewals} renewals");
    put(&bao, OTHER);
    eventually("it works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert!(
        staying.reasons().starts_with("app: ok"),
        "{}",
        staying.reasons()
    );
}

/// RabbitMQ credentials with leases of some seconds. The broker is no server of ours to run: any that accepts will do.
fn broker(bao: &OpenBao, ttl: u64, most: u64) -> Stub {
    let broker = Stub::start(|_| Reply::text(204, "application/json", ""));
    bao.post("sys/mounts/rabbitmq", &json!({"type": "rabbitmq"}));
    let connection = json!({"connection_uri": broker.url(), "username": "admin", "password": "admin", "verify_connection": false});
    bao.post("rabbitmq/config/connection", &connection);
    bao.post(
        "rabbitmq/config/lease",
        &json!({"ttl": ttl, "max_ttl": most}),
    );
    bao.post(
        "rabbitmq/roles/app",
        &json!({"vhosts": r#"{"/": {"read": ".*"}}"#}),
    );
    broker
}

const CREDS: &str = "read rabbitmq/creds/app";
const RENEW_LEASE: &str = "update sys/leases/renew";

fn leased(identity: &Identity, more: &str) -> String {
    format!(
        "{}deliveries:\n- name: app\n  from: [{{vault: rabbitmq/creds/app}}]\n  to: [{{file: {{path: app.env}}}}]\n{more}",
        identity.vault
    )
}

#[test]
fn row_29_a_lease_is_renewed_and_replaced_before_it_ends() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 5, 14);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let more = "  onChange: [{run: {command: [sh, -c, 'echo x >> seen']}}]\n";
    let staying = Staying::start(folder.path(), &leased(&identity, more));
    staying.ready();
    let first = delivered(folder.path());
    eventually("renewed", SOON, || audited(&bao, RENEW_LEASE) >= 2);
    assert_eq!(delivered(folder.path()), first, "the same credentials");
    eventually("replaced", SOON, || delivered(folder.path()) != first);
    assert_eq!(audited(&bao, CREDS), 2);
    assert!(
        bao.list("sys/leases/lookup/rabbitmq/creds/app")["data"]["keys"]
            .as_array()
            .is_some_and(|keys| keys.len() == 2),
        "the old ones still work"
    );
    eventually("the reaction", SOON, || folder.path().join("seen").exists());
    let left = staying.metric("keyferry_delivery_lease_remaining_seconds{delivery=\"app\"}");
    assert!(
        left.is_some_and(|left| left > 0.0 && left <= 14.0),
        "{left:?}"
    );
    assert_eq!(audited(&bao, LOGIN), 1);
    staying.end().expect(0);
    assert_eq!(
        audited(&bao, "update auth/token/revoke-self"),
        0,
        "what was delivered lives on"
    );
}

#[test]
fn row_29_credentials_that_end_with_their_token_are_replaced_with_it() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 600, 3600);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(
        &bao,
        RIGHTS,
        &json!({"token_ttl": "6s", "token_max_ttl": "6s"}),
    );
    let staying = Staying::start(folder.path(), &leased(&identity, ""));
    staying.ready();
    let first = delivered(folder.path());
    eventually(
        "replaced before the token ends",
        Duration::from_secs(7),
        || delivered(folder.path()) != first,
    );
    assert!(staying.is_ready());
    let (logins, creds) = (audited(&bao, LOGIN), audited(&bao, CREDS));
    assert!(
        logins == creds && logins <= 3,
        "{logins} logins, {creds} credentials"
    );
}

#[test]
fn row_29_a_lease_outlives_an_outage_shorter_than_itself() {
    let bao = OpenBao::start_sealable();
    let _broker = broker(&bao, 20, 3600);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let staying = Staying::start(folder.path(), &leased(&identity, ""));
    staying.ready();
    let first = delivered(folder.path());
    bao.stop();
    std::thread::sleep(Duration::from_secs(12));
    assert!(staying.is_ready(), "{}", staying.reasons());
    bao.cont();
    eventually("renewed", SOON, || audited(&bao, RENEW_LEASE) >= 1);
    assert_eq!(delivered(folder.path()), first);
    assert_eq!(audited(&bao, CREDS), 1);
}

#[test]
fn a_certificate_is_issued_anew_before_it_ends_and_not_at_every_look() {
    let bao = OpenBao::start();
    bao.post("sys/mounts/pki", &json!({"type": "pki"}));
    bao.post(
        "pki/root/generate/internal",
        &json!({"common_name": "ca", "ttl": "24h"}),
    );
    bao.post(
        "pki/roles/web",
        &json!({"allow_any_name": true, "max_ttl": "1h"}),
    );
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({}));
    let config = format!(
        "{}sidecar: {{refresh: 1s}}\ndeliveries:\n- name: web\n  from: [{{vault: pki/issue/web, write: {{common_name: web.example, ttl: 10s}}, pick: [certificate, private_key]}}]\n  to: [{{files: {{dir: web, createDirs: true}}}}]\n",
        identity.vault
    );
    let staying = Staying::start(folder.path(), &config);
    staying.ready();
    let certificate =
        || fs::read_to_string(folder.path().join("web/certificate")).unwrap_or_default();
    let first = certificate();
    assert!(first.contains("BEGIN CERTIFICATE"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(
        audited(&bao, "update pki/issue/web"),
        1,
        "looks do not issue"
    );
    eventually("issued anew", Duration::from_secs(7), || {
        certificate() != first
    });
    assert_eq!(audited(&bao, "update pki/issue/web"), 2);
}

#[test]
fn a_reload_keeps_tokens_and_leases() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 600, 3600);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let staying = Staying::start(folder.path(), &leased(&identity, ""));
    staying.ready();
    let first = delivered(folder.path());
    staying.configure(&leased(&identity, "  maxAge: 1h\n"));
    eventually("it is taken", SOON, || {
        staying.metric("keyferry_config_loads_total") == Some(2.0)
    });
    eventually("it passes", SOON, || {
        staying.metric("keyferry_passes_total") >= Some(2.0)
    });
    assert_eq!(delivered(folder.path()), first);
    assert_eq!((audited(&bao, LOGIN), audited(&bao, CREDS)), (1, 1));
}

#[test]
fn a_restart_writes_the_secrets_version_once_however_many_see_the_change() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    cluster.service_account(&namespace, "keeper");
    cluster.grant(
        &namespace,
        "keeper",
        &json!([
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "create", "patch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["app"], "verbs": ["get", "patch"]},
        ]),
    );
    let labels = json!({"app": "app"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app"}]}},
    }});
    cluster.create(
        &format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        &deployment,
    );
    let stored = || {
        cluster
            .find(&format!(
                "/apis/apps/v1/namespaces/{namespace}/deployments/app"
            ))
            .unwrap()
    };
    let mark = || {
        stored()["spec"]["template"]["metadata"]["annotations"]["keyferry/restarted-for"]
            .as_str()
            .map(str::to_owned)
    };

    let bao = OpenBao::start();
    put(&bao, VALUE);
    let identity = identity(&bao, RIGHTS, &json!({}));
    let config = format!(
        "{}sidecar: {{refresh: 1s, state: .}}\ndeliveries:\n- name: app\n  from: [{{vault: kv/data/app}}]\n  to: [{{secret: {{name: app, namespace: {namespace}}}}}]\n  onChange: [{{restart: {{deployment: {namespace}/app}}}}]\n",
        identity.vault
    );
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "keeper");
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let both = folders.each_ref().map(|folder| {
        let staying = Staying::start_with(folder.path(), &config, |run| {
            run.env("KUBECONFIG", &kubeconfig)
        });
        staying.ready();
        staying
    });
    assert_eq!(mark(), None, "a first delivery restarts nothing");
    put(&bao, OTHER);
    eventually("restarted", SOON, || mark().is_some());
    let secret = cluster.secret(&namespace, "app").unwrap();
    let version = format!(
        "{namespace}/app@{}.{}",
        secret["metadata"]["uid"].as_str().unwrap(),
        secret["metadata"]["resourceVersion"].as_str().unwrap()
    );
    assert_eq!(mark(), Some(version));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stored()["metadata"]["generation"], 2, "one rollout");
    for staying in both {
        staying.end().expect(0).assert_no_canary(&[VALUE, OTHER]);
    }
}

/// What the audit log holds of one sidecar with leases of five seconds and tokens of a minute, after this many seconds.
fn at_length(seconds: u64) -> Value {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 5, 60);
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(
        &bao,
        RIGHTS,
        &json!({"token_ttl": "60s", "token_max_ttl": "1h"}),
    );
    let static_one = "- {name: static, from: [{vault: kv/data/app}], to: [{file: {path: static.env}}], refresh: 10s}\n";
    let staying = Staying::start(folder.path(), &leased(&identity, static_one));
    staying.ready();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        assert!(
            staying.is_ready(),
            "{:?}: {}",
            begun.elapsed(),
            staying.reasons()
        );
    }
    let said = staying.end().expect(0).stderr;
    assert!(!said.contains("failed"), "{said}");
    json!({
        "seconds": seconds, "logins": audited(&bao, LOGIN), "token renewals": audited(&bao, RENEW),
        "lease renewals": audited(&bao, RENEW_LEASE), "credentials": audited(&bao, CREDS),
        "data": audited(&bao, "read kv/data/app"), "metadata": audited(&bao, "read kv/metadata/app"),
    })
}

#[test]
fn row_20_and_29_a_minute_of_short_leases_costs_as_many_requests_as_it_must() {
    let counts = at_length(60);
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(count("logins"), 1, "{counts}");
    assert_eq!(count("data"), 1, "{counts}");
    assert!((1..=3).contains(&count("token renewals")), "{counts}");
    assert!((11..=30).contains(&count("lease renewals")), "{counts}");
    assert!((1..=3).contains(&count("credentials")), "{counts}");
    assert!((5..=8).contains(&count("metadata")), "{counts}");
}

#[test]
#[ignore = "takes ten minutes"]
fn ten_minutes_of_short_leases_cost_as_many_requests_as_they_must() {
    let counts = at_length(600);
    println!("{counts}");
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("logins"), count("data")), (1, 1), "{counts}");
    assert!((10..=20).contains(&count("token renewals")), "{counts}");
    assert!((100..=260).contains(&count("lease renewals")), "{counts}");
    assert!((9..=16).contains(&count("credentials")), "{counts}");
    assert!((55..=70).contains(&count("metadata")), "{counts}");
}

#[test]
#[ignore = "takes two minutes and two hundred processes"]
fn row_13_many_sidecars_do_not_come_all_at_once_after_a_seal() {
    const MANY: usize = 200;
    let bao = OpenBao::start_sealable();
    put(&bao, VALUE);
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "10m"}));
    let before = bao.list("auth/token/accessors")["data"]["keys"]
        .as_array()
        .map_or(0, Vec::len);
    bao.seal();
    let folders: Vec<tempfile::TempDir> = (0..MANY).map(|_| tempfile::tempdir().unwrap()).collect();
    let all: Vec<Staying> = folders
        .iter()
        .map(|folder| Staying::start(folder.path(), &config(&identity, "")))
        .collect();
    std::thread::sleep(Duration::from_secs(60));
    bao.unseal();
    let unsealed = Instant::now();
    let ready = || all.iter().filter(|staying| staying.is_ready()).count();
    let mut waiting = ready();
    while waiting < MANY && unsealed.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_secs(1));
        waiting = ready();
    }
    println!("{waiting} of {MANY} ready after {:?}", unsealed.elapsed());
    assert_eq!(waiting, MANY);
    assert!(
        unsealed.elapsed() < Duration::from_secs(75),
        "{:?}",
        unsealed.elapsed()
    );
    let mut by_second = std::collections::BTreeMap::<String, usize>::new();
    for entry in bao.audit_log() {
        if entry["type"] == "response"
            && entry["request"]["path"] == "auth/approle/login"
            && entry["error"].is_null()
        {
            let second = entry["time"].as_str().unwrap().chars().take(19).collect();
            *by_second.entry(second).or_default() += 1;
        }
    }
    println!("{by_second:?}");
    assert!(
        by_second.values().all(|&logins| logins <= MANY / 5),
        "{by_second:?}"
    );
    for staying in &all {
        staying.signal(rustix::process::Signal::TERM);
    }
    for staying in all {
        staying.end().expect(0);
    }
    let after = bao.list("auth/token/accessors")["data"]["keys"]
        .as_array()
        .map_or(0, Vec::len);
    assert_eq!(after, before, "no token is left over");
}

#[test]
fn a_rotated_jwt_gives_a_new_token_at_once_and_the_old_one_back() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    let bao = cluster.vault_with_kubernetes_auth();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let rotate = || {
        secret_file(
            folder.path(),
            "jwt",
            &cluster.token(&namespace, "default", "vault"),
        )
    };
    rotate();
    let vault = format!(
        "vault: {{address: '{}', auth: {{kubernetes: {{role: platform, tokenFile: jwt}}}}}}\n",
        bao.addr()
    );
    let identity = Identity {
        vault,
        role_id: String::new(),
    };
    let staying = Staying::start(folder.path(), &config(&identity, ""));
    staying.ready();
    let login = "update auth/kubernetes/login";
    assert_eq!(audited(&bao, login), 1);
    // Tokens of one account differ only from second to second.
    std::thread::sleep(Duration::from_millis(1100));
    rotate();
    eventually("it logs in anew", Duration::from_secs(3), || {
        audited(&bao, login) == 2
    });
    eventually("the old token is given back", SOON, || {
        audited(&bao, "update auth/token/revoke-self") == 1
    });
    put(&bao, OTHER);
    eventually("it works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    // A role that is taken away is told of once the token ends, and what was delivered stays.
    bao.delete("auth/kubernetes/role/platform");
    bao.post("sys/leases/revoke-prefix/auth/kubernetes/login", &json!({}));
    eventually("it is told", SOON, || staying.reasons().contains("denied"));
    assert!(staying.is_ready() && delivered(folder.path()).contains(OTHER));
}

#[test]
fn a_token_without_an_end_is_made_once() {
    let bao = OpenBao::start();
    let folder = tempfile::tempdir().unwrap();
    let root = secret_file(bao.folder(), "root", &bao.root_token());
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: {}}}}}}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n- name: app\n  from: [{{vault: auth/token/create, write: {{policies: [root], no_parent: true}}, pick: [client_token]}}]\n  to: [{{file: {{path: app.env}}}}]\n",
        bao.addr(),
        root.display()
    );
    let staying = Staying::start(folder.path(), &config);
    staying.ready();
    std::thread::sleep(Duration::from_secs(4));
    assert!(staying.metric("keyferry_passes_total") >= Some(3.0));
    assert_eq!(audited(&bao, "update auth/token/create"), 1);
}
