//! Row 72 on the connections themselves, by a wire between the reflector and the API server, and a
//! store that goes back in time.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::estate::{Estate, GIVES};
use crate::support::cluster::Cluster;
use crate::support::process::eventually;
use crate::support::wire::Wire;

/// The row's own time, and some for a busy machine.
const CONVERGED: Duration = Duration::from_secs(45);

/// Ticks of a second in `/proc`.
const TICKS: u64 = 100;

/// A reflector on a wire, in namespaces `a` (of sources), `b` and `c`, with a copy of `a/x` and one
/// of `a/y` in each.
fn wired(config: &str) -> (Estate, Wire) {
    wired_on(Cluster::shared(), config)
}

fn wired_on(cluster: &'static Cluster, config: &str) -> (Estate, Wire) {
    let mut estate = Estate::on(cluster, "a b c");
    let (wire, kubeconfig) = estate
        .cluster
        .wired(estate.cluster.admin_token(), b"no such bytes");
    let config = estate.config(config);
    estate.start(config, kubeconfig);
    estate.put("a/x", GIVES, "k=1");
    estate.put("a/y", GIVES, "k=1");
    for copy in ["b/x", "c/x", "b/y", "c/y"] {
        estate.holds(copy, "k=1");
    }
    (estate, wire)
}

/// A change, a deletion and a new source: what has to be seen whatever happened to the connections.
fn change(estate: &Estate) {
    estate.put("a/x", GIVES, "k=2");
    estate.delete("a/y");
    estate.put("a/z", GIVES, "k=3");
}

fn converges(estate: &Estate, limit: Duration) -> Duration {
    let start = Instant::now();
    eventually("what was missed is made good", limit, || {
        let held = |at: &str| estate.held(at);
        ["b", "c"].iter().all(|short| {
            held(&format!("{short}/x")).as_deref() == Some("k=2")
                && held(&format!("{short}/y")).is_none()
                && held(&format!("{short}/z")).as_deref() == Some("k=3")
        })
    });
    start.elapsed()
}

#[test]
fn row_72_watches_that_are_half_open_are_given_up_after_the_configured_silence() {
    let (estate, wire) = wired("{silence: 12s}");
    assert!(wire.silence(true) >= 3, "all three watches are cut off");
    change(&estate);
    let after = converges(&estate, CONVERGED);
    assert!(
        after > Duration::from_secs(2),
        "the wire was not silent: {after:?}"
    );
}

#[test]
fn row_72_the_kernel_asks_whether_the_other_end_of_a_silent_connection_lives() {
    let (_estate, wire) = wired("{}");
    let port = format!(":{:04X}", wire.port());
    // Of an established connection to it, the timer that runs, and for how long: 02 is that of
    // these questions, and Linux would ask after two hours.
    let timers = || {
        let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
        let rows = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let ours = rows.filter(|row| row.len() > 5 && row[2].ends_with(&port) && row[3] == "01");
        ours.map(|row| row[5].to_owned()).collect::<Vec<_>>()
    };
    let soon = |timer: &str| {
        let ticks = timer
            .strip_prefix("02:")
            .map(|ticks| u64::from_str_radix(ticks, 16));
        ticks.is_some_and(|ticks| ticks.is_ok_and(|ticks| ticks <= 30 * TICKS))
    };
    eventually("each connection has the timer", CONVERGED, || {
        let timers = timers();
        timers.len() >= 4 && timers.iter().all(|timer| soon(timer))
    });
}

#[test]
fn row_72_all_connections_half_open_at_once() {
    // The Lease is renewed on a new connection in time, so nothing but the silence tells of the
    // watches.
    let (estate, wire) = wired("{silence: 12s}");
    assert!(wire.silence(false) >= 4, "watches and the Lease");
    change(&estate);
    converges(&estate, CONVERGED);
}

#[test]
fn row_98_who_lost_the_consent_gets_no_newer_value_while_the_watches_are_half_open() {
    let (estate, wire) = wired("{}");
    assert!(wire.silence(true) >= 3, "all three watches are cut off");
    let only = format!("{GIVES};reflection-allowed-namespaces={}", estate.name("c"));
    estate.put("a/x", &only, "k=2");
    // The slow comparison in the background finds an edit without any watch. As long as the older
    // value is still at hand, it is put back; then the source is read, and says that it gives no
    // more.
    eventually("the copy is taken away", CONVERGED, || {
        let held = estate.held("b/x");
        assert_ne!(held.as_deref(), Some("k=2"), "the newer value");
        if held.as_deref() == Some("k=1") {
            estate.edit("b/x", |copy| {
                copy["data"] = serde_json::json!({"k": "eA=="})
            });
        }
        held.is_none()
    });
}

#[test]
fn row_72_connections_that_are_cut_and_refused_for_a_while() {
    let (estate, wire) = wired("{}");
    wire.refuse(true);
    wire.cut();
    change(&estate);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        estate.held("b/x").as_deref(),
        Some("k=1"),
        "nothing goes through"
    );
    wire.refuse(false);
    converges(&estate, CONVERGED);
}

#[test]
fn row_72_a_watch_from_a_version_that_the_server_forgot_is_a_list() {
    // After a restart it has no event of earlier versions, so the error is its own.
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start_own()));
    cluster.kill_api();
    cluster.restart_api();
    let (mut estate, wire) = wired_on(cluster, "{}");
    let before = estate
        .figure("lists_total")
        .parse::<u32>()
        .expect("a count");
    wire.age(3);
    wire.cut();
    change(&estate);
    converges(&estate, CONVERGED);
    eventually("each list was followed by another", CONVERGED, || {
        estate
            .figure("lists_total")
            .parse::<u32>()
            .expect("a count")
            >= before + 6
    });
    let old =
        |path: &str| path.contains("resourceVersion=1&") || path.ends_with("resourceVersion=1");
    let asked = wire.exchanges();
    assert_eq!(asked.iter().filter(|asked| old(&asked.path)).count(), 3);
    estate.stop();
}

#[test]
fn row_72_a_store_that_goes_back_in_time_is_followed_back() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start_own()));
    let mut estate = Estate::on(cluster, "a b c");
    estate.reflector("{}");
    for source in ["a/x", "a/y", "a/w"] {
        estate.put(source, GIVES, "k=1");
        estate.holds(&source.replace("a/", "b/"), "k=1");
        estate.holds(&source.replace("a/", "c/"), "k=1");
    }
    // What is kept is behind itself: a source that changed, and one that is new, while nobody
    // copied.
    estate.stop();
    estate.put("a/x", GIVES, "k=2");
    estate.put("a/n", GIVES, "k=4");
    cluster.keep_store();
    estate.reflector("{}");
    for copy in ["b/x", "c/x"] {
        estate.holds(copy, "k=2");
    }
    estate.holds("c/n", "k=4");
    estate.put("a/x", GIVES, "k=3");
    estate.put("a/z", GIVES, "k=5");
    estate.delete("a/y");
    for (copy, data) in [("c/x", "k=3"), ("c/z", "k=5"), ("c/y", "-")] {
        estate.holds(copy, data);
    }
    let mark = cluster.audit_end();
    cluster.restore_store();
    let expected = [("x", "k=2"), ("y", "k=1"), ("w", "k=1"), ("n", "k=4")];
    eventually(
        "the copies are those of the restored sources",
        CONVERGED,
        || {
            ["b", "c"].iter().all(|short| {
                expected.iter().all(|(name, data)| {
                    estate.held(&format!("{short}/{name}")).as_deref() == Some(data)
                })
            })
        },
    );
    let done = cluster.audit_from(mark, "keyferry/");
    let did = |verb: &str, name: &str| {
        let of = |line: &&Value| line["verb"] == verb && line["objectRef"]["resource"] == "secrets";
        let named = |line: &&Value| name.is_empty() || line["objectRef"]["name"] == name;
        // The Lease went back too, so this replica may find it lost and break off what it was about
        // to write.
        let good = |line: &&Value| line["responseStatus"]["code"].as_u64() < Some(300);
        done.iter().filter(of).filter(named).filter(good).count()
    };
    assert_eq!(did("delete", ""), 0, "nothing that is wanted was deleted");
    assert_eq!(did("patch", "n"), 2, "what was kept before it was copied");
    assert_eq!((did("patch", "w"), did("patch", "y")), (0, 0), "equal");
    // Versions are given out a second time now, for other contents.
    for round in 6..9 {
        estate.put("a/x", GIVES, &format!("k={round}"));
        estate.holds("b/x", &format!("k={round}"));
        estate.holds("c/x", &format!("k={round}"));
    }
    estate.stop();
}
