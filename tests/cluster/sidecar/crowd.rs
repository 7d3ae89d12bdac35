//! Many sidecars at once on one server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{RIGHTS, VALUE, config, identity, put};
use crate::support::openbao::OpenBao;
use crate::support::sidecar::RunningSidecar;

#[test]
fn row_13_some_sidecars_do_not_come_all_at_once_after_a_seal() {
    // Of so few, chance alone brings a fifth together now and then.
    println!("{}", crowd(40, Duration::from_secs(15), 14));
}

#[test]
#[ignore = "takes two minutes and two hundred processes"]
fn row_13_many_sidecars_do_not_come_all_at_once_after_a_seal() {
    println!("{}", crowd(200, Duration::from_secs(60), 40));
}

/// So many start on a server that is sealed for so long; no second may see more than `most` of them
/// log in.
fn crowd(many: usize, sealed: Duration, most: usize) -> String {
    let bao = OpenBao::start_sealable();
    put(&bao, VALUE);
    let identity = identity(&bao, RIGHTS, &json!({"token_ttl": "10m"}));
    let before = accessors(&bao);
    bao.seal();
    let begun = Instant::now();
    let folders: Vec<tempfile::TempDir> = (0..many).map(|_| tempfile::tempdir().unwrap()).collect();
    let all: Vec<RunningSidecar> = folders
        .iter()
        .map(|folder| RunningSidecar::start(folder.path(), &config(&identity, "")))
        .collect();
    std::thread::sleep(sealed.saturating_sub(begun.elapsed()));
    bao.unseal();
    let unsealed = Instant::now();
    let mut waiting: Vec<&RunningSidecar> = all.iter().collect();
    while !waiting.is_empty() && unsealed.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_secs(1));
        waiting.retain(|sidecar| !sidecar.is_ready());
    }
    let took = unsealed.elapsed();
    let by_second = logins(&bao);
    assert!(
        waiting.is_empty(),
        "{} are not ready after {took:?}",
        waiting.len()
    );
    assert!(took < Duration::from_secs(62), "{took:?}");
    assert!(
        by_second.values().all(|&logins| logins <= most),
        "{by_second:?}"
    );
    for sidecar in &all {
        sidecar.signal(rustix::process::Signal::TERM);
    }
    for sidecar in all {
        sidecar.ended().expect(0);
    }
    let left: Vec<String> = accessors(&bao).difference(&before).cloned().collect();
    assert_eq!(left, [""; 0], "no token is left over");
    format!("{many} ready within {took:?}; logins by second: {by_second:?}")
}

fn accessors(bao: &OpenBao) -> BTreeSet<String> {
    let answer = bao.list("auth/token/accessors");
    let keys = answer["data"]["keys"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    keys.iter()
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect()
}

/// Granted logins in each second of the server's clock.
fn logins(bao: &OpenBao) -> BTreeMap<String, usize> {
    let mut by_second = BTreeMap::new();
    for entry in bao.audit_log() {
        if entry["type"] == "response"
            && entry["request"]["path"] == "auth/approle/login"
            && entry["error"].is_null()
        {
            let second = entry["time"]
                .as_str()
                .unwrap()
                .chars()
                .skip(11)
                .take(8)
                .collect();
            *by_second.entry(second).or_default() += 1;
        }
    }
    by_second
}
