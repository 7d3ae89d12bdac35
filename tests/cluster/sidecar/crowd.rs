//! Many sidecars at once on one server.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{RIGHTS, VALUE, config, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::stay::Staying;

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
