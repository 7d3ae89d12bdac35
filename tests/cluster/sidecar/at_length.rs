//! What short leases cost over a while, counted in the server's audit log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::leases::{CREDS, RENEW_LEASE, broker, leased};
use super::{LOGIN, RENEW, RIGHTS, VALUE, audited, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::sidecar::RunningSidecar;

/// What the audit log holds of one sidecar with leases of five seconds and tokens of a minute,
/// after this many seconds.
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
    let static_one = "- {name: static, from: [{vault: kv/data/app}], to: [{file: \
        {path: static.env}}], refresh: 10s}\n";
    let sidecar = RunningSidecar::start(folder.path(), &leased(&identity, static_one));
    sidecar.ready();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(1));
        assert!(
            sidecar.is_ready(),
            "{:?}: {}",
            begun.elapsed(),
            sidecar.reasons()
        );
    }
    let said = sidecar.end().expect(0).stderr;
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
