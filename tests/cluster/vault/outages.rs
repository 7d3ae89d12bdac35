//! Rows 11 to 13 and 26 on a server that is sealed, stopped, killed, or limits its rate.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{READ_ALL, SOON, VALUE, app_role, fails};
use crate::support::openbao::OpenBao;
use crate::support::session::{path, read_once};

/// Longer than the client's longest pause between tries.
const OUTAGE: Duration = Duration::from_millis(1500);

fn over_an_outage(begin: fn(&OpenBao), end: fn(&OpenBao), words: &str) {
    let bao = OpenBao::start_sealable();
    bao.put("app", &json!({"password": VALUE}));
    let (secrets, server) = app_role(&bao, READ_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    begin(&bao);
    let begun = Instant::now();
    let brief = Duration::from_secs(2);
    let result = read_once(&secrets, &server, brief, &path("kv/data/app"));
    fails(result, "unavailable", &[words]);
    assert!(begun.elapsed() < brief + Duration::from_secs(5));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(OUTAGE);
            end(&bao);
        });
        read_once(&secrets, &server, SOON, &path("kv/data/app")).expect("it came back");
    });
}

#[test]
fn row_11_a_killed_server_is_waited_for() {
    let end = |bao: &OpenBao| {
        bao.restart();
        bao.unseal();
    };
    over_an_outage(OpenBao::kill, end, "connection refused");
}

#[test]
fn row_12_a_stopped_server_is_waited_for() {
    over_an_outage(OpenBao::stop, OpenBao::cont, "no whole answer within");
}

#[test]
fn row_13_a_sealed_server_is_waited_for() {
    over_an_outage(OpenBao::seal, OpenBao::unseal, "vault is sealed");
}

#[test]
fn row_26_a_rate_limit_is_kept_to() {
    let bao = OpenBao::start();
    bao.put("app", &json!({"password": VALUE}));
    let (secrets, server) = app_role(&bao, READ_ALL, &json!({}));
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
    let quota = json!({"path": "kv/", "rate": 1, "interval": "2s"});
    bao.post("sys/quotas/rate-limit/slow", &quota);
    let begun = Instant::now();
    for _ in 0..3 {
        read_once(&secrets, &server, SOON, &path("kv/data/app")).expect("within the limit");
    }
    assert!(
        begun.elapsed() > Duration::from_secs(2),
        "the limit was met, and waited for"
    );
    let root = bao.root_token();
    let mut statuses = (0..3).map(|_| bao.request(&root, "GET", "kv/data/app", None).0);
    assert!(
        statuses.any(|status| status == 429),
        "there is such a limit"
    );
}
