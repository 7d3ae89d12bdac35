//! The server is away: what was delivered stays and counts, and afterwards all goes on.

use std::time::Duration;

use serde_json::json;

use super::{LOGIN, OTHER, RIGHTS, VALUE, audited, config, delivered, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON};

/// Begins an outage, sees that what was delivered stays and counts, ends it, and sees the sidecar
/// recover.
fn over_an_outage(begin: fn(&OpenBao), end: fn(&OpenBao), words: &str) {
    let bao = OpenBao::start_sealable();
    put(&bao, VALUE);
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "1h"}));
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    sidecar.ready();
    let before = sidecar.weight();
    let up = || sidecar.metric("keyferry_vault_up{server=\"default\"}");
    assert_eq!(up(), Some(1.0));
    begin(&bao);
    eventually("it is told", Duration::from_secs(40), || {
        sidecar.reasons().contains(words)
    });
    assert!(sidecar.is_ready(), "{}", sidecar.reasons());
    assert_eq!(up(), Some(0.0));
    assert!(delivered(folder.path()).contains(VALUE));
    end(&bao);
    put(&bao, OTHER);
    eventually("it recovers", Duration::from_secs(40), || {
        delivered(folder.path()).contains(OTHER)
    });
    eventually("all is well", SOON, || !sidecar.reasons().contains(words));
    assert_eq!(up(), Some(1.0));
    assert_eq!(audited(&bao, LOGIN), 1, "the token was good all the time");
    let after = sidecar.weight();
    assert!(
        after.files <= before.files + 2 && after.threads <= before.threads + 4,
        "{before:?} {after:?}"
    );
    sidecar
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
    let sidecar = RunningSidecar::start(folder.path(), &config(&identity, ""));
    eventually("it says why", SOON, || sidecar.reasons().contains("sealed"));
    sidecar.command("ready").expect(7);
    assert_eq!(sidecar.ask("/livez").map(|(status, _)| status), Some(200));
    bao.unseal();
    sidecar.ready();
    sidecar.command("ready").expect(0);
}
