//! A kernel that grants little. Row 64: more secret data than the memory limit has room for is
//! refused; the process is not ended for it. Where it cannot even begin, it ends as with any
//! defect.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::group::Group;
use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};
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
        .map(|number| {
            format!(
                "- {{name: d{number}, from: [{{vault: \
            kv/data/{number}}}], to: [{{file: {{path: {number}.env}}}}]}}\n"
            )
        })
        .collect();
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: {{refresh: \
         1s}}\ndeliveries:\n{deliveries}",
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
fn row_64_a_pass_within_little_memory_delivers_one_after_another_or_refuses() {
    for (mode, apart) in [("job", true), ("job", false), ("init", false)] {
        let folder = tempfile::tempdir().unwrap();
        let out = tempfile::tempdir().unwrap();
        let _stub = values(folder.path(), out.path(), MANY, apart);
        let call = keyferry()
            .dir(folder.path())
            .args([mode, "--deadline", "50s"]);
        let output = call.within(40).run();
        let files = fs::read_dir(out.path()).unwrap().count();
        if apart {
            output.expect(0);
            assert_eq!(files, MANY);
            continue;
        }
        let output = output.expect(6);
        for words in ["no room for more secrets", "the memory limit is 40.0 MiB"] {
            assert!(output.stderr.contains(words), "{}", output.stderr);
        }
        assert_eq!(files, 0);
    }
}

/// Nine tenths of what a Secret holds.
const LARGE: usize = 9 * MEBIBYTE / 10;

/// So many large values, each in a file of its own, or all in one.
fn values(folder: &Path, out: &Path, count: usize, apart: bool) -> Stub {
    let made = json!({"created_time": "t", "deletion_time": "", "destroyed": false, "version": 1});
    let stub = Stub::start(move |request| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        let value = json!({format!("V{name}"): "x".repeat(LARGE)});
        let data = json!({"data": value, "metadata": made});
        Reply::json(
            200,
            &json!({"request_id": "r", "lease_duration": 0, "data": data}),
        )
    });
    secret_file(folder, "token", "s.c4naryTokenOfAFile24");
    let source = |number: usize| format!("{{vault: kv/data/{number}}}");
    let out = out.display();
    let deliveries: Vec<String> = match apart {
        true => (0..count)
            .map(|n| {
                format!(
                    "{{name: d{n}, from: [{}], to: [{{file: {{path: {out}/{n}.env}}}}]}}",
                    source(n)
                )
            })
            .collect(),
        false => {
            let all: Vec<String> = (0..count).map(source).collect();
            vec![format!(
                "{{name: all, from: [{}], to: [{{file: {{path: {out}/all.env}}}}]}}",
                all.join(", ")
            )]
        }
    };
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\ndeliveries: [{}]\n",
        stub.url(),
        deliveries.join(", ")
    );
    fs::write(folder.join("keyferry.yaml"), config).unwrap();
    stub
}

#[test]
fn row_194_no_number_of_large_values_is_the_end_of_a_container() {
    let memory = Path::new("/dev/shm");
    // Values, MiB, and whether all of them fit on a disk, each in a file of its own.
    let rows = [
        (1, 12, true),
        (4, 16, true),
        (8, 16, true),
        (12, 24, true),
        (40, 32, true),
        (40, 64, true),
    ];
    for (count, limit, fits) in rows {
        for (on_disk, apart) in [(true, true), (true, false), (false, true), (false, false)] {
            let folder = tempfile::tempdir().unwrap();
            let out = match on_disk {
                true => tempfile::tempdir().unwrap(),
                false => tempfile::tempdir_in(memory).unwrap(),
            };
            let _stub = values(folder.path(), out.path(), count, apart);
            let call = keyferry()
                .dir(folder.path())
                .args(["init", "--deadline", "50s"]);
            let group = Group::of(limit);
            let call = match &group {
                Some(group) => call.inside(group),
                None => call.within(limit),
            };
            let output = call.run();
            let case = format!("{count} values, {limit} MiB, disk {on_disk}, apart {apart}");
            let killed = group.as_ref().map_or(0, Group::killed);
            assert!(
                killed == 0 && [0, 6].contains(&output.code),
                "{case}: {output:?}"
            );
            let files = fs::read_dir(out.path()).unwrap().map(|file| file.unwrap());
            let sizes: Vec<u64> = files.map(|file| file.metadata().unwrap().len()).collect();
            let least = u64::try_from(LARGE * if apart { 1 } else { count }).unwrap();
            assert!(sizes.iter().all(|size| *size > least), "{case}: {sizes:?}");
            let all = if apart { count } else { 1 };
            assert_eq!(output.code == 0, sizes.len() == all, "{case}: {output:?}");
            if on_disk && apart && fits {
                output.expect(0);
            }
        }
    }
}

#[test]
fn row_64_a_sidecar_within_little_memory_lives_and_says_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (_stub, config) = large(folder.path());
    let sidecar = RunningSidecar::start_with(folder.path(), &config, |run| run.within(32));
    eventually("it is told", SOON, || {
        sidecar.reasons().contains("no room for more secrets")
    });
    let passes = || sidecar.metric("keyferry_passes_total").unwrap_or_default();
    let before = passes();
    eventually("it goes on", SOON, || passes() > before + 5.0);
    assert!(!sidecar.is_ready());
    let weight = sidecar.weight();
    assert!(weight.peak_kib < 64 << 10, "{weight:?}");
    assert!(delivered(folder.path()) < MANY);
    sidecar.end().expect(0);

    let sidecar = RunningSidecar::start_with(folder.path(), &config, |run| run.within(96));
    sidecar.ready();
    assert_eq!(delivered(folder.path()), MANY);
    sidecar.end().expect(0);
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
    // No thread has room for its stack, and nothing of ours foresees that.
    for format in ["text", "json"] {
        fs::write(&log, "").unwrap();
        let output = keyferry()
            .dir(folder.path())
            .args(["job", "--log-format", format, "--termination-log"])
            .args([&log])
            .env("RUST_MIN_STACK", "99999999999999")
            .run()
            .expect(70);
        let words = "bug: keyferry met a defect of its own";
        let (before, _) = output.stderr.split_once(words).expect("told");
        assert!(before.contains(".rs:"), "{}", output.stderr);
        assert!(output.last_line().contains(words), "{}", output.stderr);
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
