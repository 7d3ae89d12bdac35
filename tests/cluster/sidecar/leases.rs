//! Leases and certificates: renewed, replaced in time, kept over outages and reloads.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{Identity, LOGIN, RIGHTS, audited, delivered, identity};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};
use crate::support::stub::{Reply, Stub};

/// RabbitMQ credentials with leases of some seconds. The broker is no server of ours to run: any
/// that accepts will do.
pub(super) fn broker(bao: &OpenBao, ttl: u64, most: u64) -> Stub {
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

pub(super) const CREDS: &str = "read rabbitmq/creds/app";
pub(super) const RENEW_LEASE: &str = "update sys/leases/renew";

pub(super) fn leased(identity: &Identity, more: &str) -> String {
    format!(
        "{}deliveries:\n- name: app\n  from: [{{vault: rabbitmq/creds/app}}]\n  to: [{{file: \
         {{path: app.env}}}}]\n{more}",
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
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, more));
    sidecar.ready();
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
    let left = sidecar.metric("keyferry_delivery_lease_remaining_seconds{delivery=\"app\"}");
    assert!(
        left.is_some_and(|left| left > 0.0 && left <= 14.0),
        "{left:?}"
    );
    assert_eq!(audited(&bao, LOGIN), 1);
    sidecar.end().expect(0);
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
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, ""));
    sidecar.ready();
    let first = delivered(folder.path());
    eventually(
        "replaced before the token ends",
        Duration::from_secs(7),
        || delivered(folder.path()) != first,
    );
    assert!(sidecar.is_ready());
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
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, ""));
    sidecar.ready();
    let first = delivered(folder.path());
    bao.stop();
    std::thread::sleep(Duration::from_secs(12));
    assert!(sidecar.is_ready(), "{}", sidecar.reasons());
    bao.cont();
    eventually("renewed", SOON, || audited(&bao, RENEW_LEASE) >= 1);
    assert_eq!(delivered(folder.path()), first);
    assert_eq!(audited(&bao, CREDS), 1);
}

#[test]
fn row_29_credentials_whose_role_is_gone_are_kept_and_replaced_when_it_is_back() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 5, 3600);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, ""));
    sidecar.ready();
    let first = delivered(folder.path());
    bao.delete("rabbitmq/roles/app");
    bao.post("sys/leases/revoke-prefix/rabbitmq/creds/app", &json!({}));
    eventually("it is told once the lease is over", SOON, || {
        sidecar.reasons().contains("unknown role")
    });
    assert!(sidecar.is_ready() && delivered(folder.path()) == first);
    assert!(
        audited(&bao, CREDS) <= 9,
        "no storm: {}",
        audited(&bao, CREDS)
    );
    let role = json!({"vhosts": r#"{"/": {"read": ".*"}}"#});
    bao.post("rabbitmq/roles/app", &role);
    eventually("other ones", SOON, || {
        delivered(folder.path()) != first && !sidecar.reasons().contains("unknown role")
    });
    assert_eq!(audited(&bao, LOGIN), 1);
}

#[test]
fn a_certificate_is_issued_again_before_it_ends_and_not_at_every_look() {
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
        "{}sidecar: {{refresh: 1s}}\ndeliveries:\n- name: web\n  from: [{{vault: pki/issue/web, \
         write: {{common_name: web.example, ttl: 10s}}, pick: [certificate, private_key]}}]\n  \
         to: [{{files: {{dir: web, createDirs: true}}}}]\n",
        identity.vault
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
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
    eventually("issued again", Duration::from_secs(7), || {
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
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, ""));
    sidecar.ready();
    let first = delivered(folder.path());
    sidecar.configure(&leased(&identity, "  maxAge: 1h\n"));
    eventually("it is taken", SOON, || {
        sidecar.metric("keyferry_config_loads_total") == Some(2.0)
    });
    eventually("it passes", SOON, || {
        sidecar.metric("keyferry_passes_total") >= Some(2.0)
    });
    assert_eq!(delivered(folder.path()), first);
    assert_eq!((audited(&bao, LOGIN), audited(&bao, CREDS)), (1, 1));
}

#[test]
fn row_153_leased_data_whose_lease_was_revoked_is_replaced() {
    let bao = OpenBao::start();
    let _broker = broker(&bao, 6, 3600);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, ""));
    sidecar.ready();
    let first = delivered(folder.path());
    bao.post("sys/leases/revoke-prefix/rabbitmq/creds/app", &json!({}));
    eventually("replaced", SOON, || delivered(folder.path()) != first);
    let output = sidecar.end().expect(0);
    assert!(
        output.stderr.contains("leased data is replaced at once"),
        "{}",
        output.stderr
    );
}

/// A role of a database whose password is changed so often. The database is no server of ours to
/// run: any that says yes will do.
fn static_role(bao: &OpenBao, period: u64) -> Stub {
    let yes = json!({"results": [{"series": [{"columns": ["user", "admin"], "values": [["admin", true]]}]}]});
    let database = Stub::start(move |request| match request.path.starts_with("/ping") {
        true => Reply::text(204, "application/json", "").with("X-Influxdb-Version", "1.8.10"),
        false => Reply::json(200, &yes),
    });
    bao.post("sys/mounts/database", &json!({"type": "database"}));
    let connection = json!({
        "plugin_name": "influxdb-database-plugin", "host": "127.0.0.1", "port": database.port().to_string(),
        "username": "admin", "password": "admin", "allowed_roles": "*",
    });
    bao.post("database/config/influx", &connection);
    let role = json!({"db_name": "influx", "username": "app", "rotation_period": period});
    bao.post("database/static-roles/app", &role);
    database
}

#[test]
fn row_151_a_static_role_is_read_again_right_after_it_rotates_and_written_only_then() {
    let bao = OpenBao::start();
    let _database = static_role(&bao, 8);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    // Nothing but the time that the role tells makes it look again, or it looks all the time.
    let rows = [("1h", true), ("1s", false)];
    for (refresh, rotates) in rows {
        let config = format!(
            "{}sidecar: {{refresh: {refresh}}}\ndeliveries: [{{name: app, from: \
             [{{vault: database/static-creds/app}}], to: [{{file: {{path: app.env}}}}]}}]\n",
            identity.vault
        );
        let creds = || bao.get("database/static-creds/app")["data"].clone();
        let holds = |password: &str| delivered(folder.path()).contains(password);
        let sidecar = RunningSidecar::start(folder.path(), &config);
        sidecar.ready();
        let first = creds()["password"].as_str().unwrap().to_owned();
        eventually("delivered", SOON, || holds(&first));
        if rotates {
            eventually("followed", SOON * 2, || {
                creds()["password"]
                    .as_str()
                    .is_some_and(|now| now != first && holds(now))
            });
        } else {
            let reads = audited(&bao, STATIC);
            let mut contents = BTreeSet::new();
            eventually("looked at", SOON * 2, || {
                contents.insert(delivered(folder.path()));
                audited(&bao, STATIC) >= reads + 6
            });
            let password = |text: &String| {
                text.lines()
                    .find(|line| line.starts_with("password="))
                    .map(str::to_owned)
            };
            let passwords: BTreeSet<_> = contents.iter().map(password).collect();
            assert_eq!(
                contents.len(),
                passwords.len(),
                "the time that is left is no news"
            );
        }
        sidecar.end().expect(0);
    }
}

const STATIC: &str = "read database/static-creds/app";
