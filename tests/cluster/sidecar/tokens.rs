//! Tokens that end, are taken away or cannot be had, and credentials that change.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Identity, LOGIN, OTHER, RENEW, RIGHTS, VALUE, audited, config, delivered, identity,
    new_secret_id, put,
};
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

#[test]
fn row_17_a_revoked_token_is_replaced_once() {
    let bao = OpenBao::start();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
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
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    eventually("it is told", SOON, || sidecar.reasons().contains("denied"));
    std::thread::sleep(Duration::from_secs(8).saturating_sub(begun.elapsed()));
    let tries = audited(&bao, LOGIN);
    assert!(
        (1..=6).contains(&tries),
        "{tries} logins in {:?}",
        begun.elapsed()
    );
    new_secret_id(&bao);
    let changed = Instant::now();
    sidecar.ready();
    assert!(
        changed.elapsed() < Duration::from_secs(3),
        "{:?}",
        changed.elapsed()
    );
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
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    std::thread::sleep(Duration::from_secs(14));
    let (logins, renewals) = (audited(&bao, LOGIN), audited(&bao, RENEW));
    assert!((3..=6).contains(&logins), "{logins} logins");
    assert!(renewals <= logins, "{renewals} renewals in {logins} lives");
    assert!(sidecar.is_ready(), "{}", sidecar.reasons());
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
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    std::thread::sleep(Duration::from_secs(16));
    let (logins, renewals) = (audited(&bao, LOGIN), audited(&bao, RENEW));
    assert!((2..=4).contains(&logins), "{logins} logins");
    assert!((3..=14).contains(&renewals), "{renewals} renewals");
    put(&bao, OTHER);
    eventually("it works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    assert!(
        sidecar.reasons().starts_with("app: ok"),
        "{}",
        sidecar.reasons()
    );
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
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    let login = "update auth/kubernetes/login";
    assert_eq!(audited(&bao, login), 1);
    // Tokens of one account differ only from second to second.
    std::thread::sleep(Duration::from_millis(1100));
    rotate();
    eventually("it logs in again", SOON, || audited(&bao, login) == 2);
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
    eventually("it is told", SOON, || sidecar.reasons().contains("denied"));
    assert!(sidecar.is_ready() && delivered(folder.path()).contains(OTHER));
}

#[test]
fn a_token_without_an_end_is_made_once() {
    let bao = OpenBao::start();
    let folder = tempfile::tempdir().unwrap();
    let root = secret_file(bao.folder(), "root", &bao.root_token());
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: {}}}}}}}\nsidecar: \
         {{refresh: 1s}}\ndeliveries:\n- name: app\n  from: [{{vault: auth/token/create, write: \
         {{policies: [root], no_parent: true}}, pick: [client_token]}}]\n  to: [{{file: {{path: \
         app.env}}}}]\n",
        bao.addr(),
        root.display()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    std::thread::sleep(Duration::from_secs(4));
    assert!(sidecar.metric("keyferry_passes_total") >= Some(3.0));
    assert_eq!(audited(&bao, "update auth/token/create"), 1);
}
