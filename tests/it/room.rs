//! A kernel that grants little. Row 64: more secret data than the memory limit has room for is refused; the process is not
//! ended for it. Where it cannot even begin, it ends as with any defect.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::session::secret_file;
use crate::support::stay::{SOON, Staying};
use crate::support::stub::{Reply, Stub};

const MANY: usize = 20;
const MEBIBYTE: usize = 1 << 20;

/// A server of values of one MiB, and a configuration that takes each of them to a file of its own.
fn large(folder: &Path) -> (Stub, String) {
    let stub = Stub::start(|request| {
        let made =
            json!({"created_time": "t", "deletion_time": "", "destroyed": false, "version": 1});
        let data = match request.path.contains("/metadata/") {
            true => json!({"current_version": 1, "versions": {"1": made}}),
            false => json!({"data": {"value": "x".repeat(MEBIBYTE)}, "metadata": made}),
        };
        Reply::json(
            200,
            &json!({"request_id": "r", "lease_duration": 0, "data": data}),
        )
    });
    secret_file(folder, "token", "s.c4naryTokenOfAFile24");
    let deliveries: String = (0..MANY)
        .map(|number| format!("- {{name: d{number}, from: [{{vault: kv/data/{number}}}], to: [{{file: {{path: {number}.env}}}}]}}\n"))
        .collect();
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n{deliveries}",
        stub.url()
    );
    fs::write(folder.join("keyferry.yaml"), &config).unwrap();
    (stub, config)
}

/// How many are there; each of them whole.
fn delivered(folder: &Path) -> usize {
    let sizes =
        (0..MANY).filter_map(|number| fs::metadata(folder.join(format!("{number}.env"))).ok());
    let whole = |size: u64| usize::try_from(size).unwrap() > MEBIBYTE;
    sizes.map(|seen| assert!(whole(seen.len()))).count()
}

#[test]
fn row_64_a_pass_within_little_memory_refuses_what_does_not_fit() {
    for (mode, limit) in [("job", 32), ("init", 32), ("job", 96)] {
        let folder = tempfile::tempdir().unwrap();
        let (_stub, _) = large(folder.path());
        let call = keyferry()
            .dir(folder.path())
            .args([mode, "--deadline", "50s"]);
        let output = call.within(limit).run();
        let whole = delivered(folder.path());
        match limit {
            96 => {
                output.expect(0);
                assert_eq!(whole, MANY);
            }
            _ => {
                let output = output.expect(6);
                let words = "no room for more secrets";
                assert!(output.stderr.contains(words), "{}", output.stderr);
                assert!(
                    output.stderr.contains("the memory limit is 32.0 MiB"),
                    "{}",
                    output.stderr
                );
                assert!(whole < MANY);
            }
        }
    }
}

#[test]
fn row_64_a_sidecar_within_little_memory_lives_and_says_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (_stub, config) = large(folder.path());
    let staying = Staying::start_with(folder.path(), &config, |run| run.within(32));
    eventually("it is told", SOON, || {
        staying.reasons().contains("no room for more secrets")
    });
    let passes = || staying.metric("keyferry_passes_total").unwrap_or_default();
    let before = passes();
    eventually("it goes on", SOON, || passes() > before + 5.0);
    assert!(!staying.is_ready());
    let weight = staying.weight();
    assert!(weight.peak_kib < 64 << 10, "{weight:?}");
    assert!(delivered(folder.path()) < MANY);
    staying.end().expect(0);

    let staying = Staying::start_with(folder.path(), &config, |run| run.within(96));
    staying.ready();
    assert_eq!(delivered(folder.path()), MANY);
    staying.end().expect(0);
}

#[test]
fn a_defect_ends_with_70_a_last_line_and_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("keyferry.yaml"),
        "deliveries: [{name: a, fields: {A: b}, to: [{file: {path: a.env}}]}]\n",
    )
    .unwrap();
    let log = folder.path().join("termination-log");
    // No descriptor is left for an event loop, and nothing of ours foresees that.
    for format in ["text", "json"] {
        fs::write(&log, "").unwrap();
        let output = keyferry()
            .dir(folder.path())
            .args(["job", "--log-format", format, "--termination-log"])
            .args([&log])
            .limited("-n 4")
            .run()
            .expect(70);
        let mut lines = output.stderr.lines();
        let words = "bug: keyferry met a defect of its own";
        assert!(
            lines.next_back().is_some_and(|last| last.contains(words)),
            "{}",
            output.stderr
        );
        assert!(
            lines
                .next_back()
                .is_some_and(|before| before.contains("src/main.rs:")),
            "{}",
            output.stderr
        );
        assert!(fs::read_to_string(&log).unwrap().starts_with(words));
        assert!(!folder.path().join("a.env").exists());
    }
}

#[test]
fn row_193_too_few_descriptors_are_no_mistake_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (_stub, _) = large(folder.path());
    for limit in [5, 6, 7, 8, 10, 12, 16, 20] {
        let call = keyferry()
            .dir(folder.path())
            .args(["job", "--deadline", "2s"]);
        let output = call.limited(&format!("-n {limit}")).run();
        // 127 is the loader's, where even that has no descriptor.
        assert!([0, 7, 8, 127].contains(&output.code), "{limit}: {output:?}");
    }
}
