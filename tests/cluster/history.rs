//! What a delivery carried before, and the way back to it: on a real OpenBao, a real API server and
//! a real Git.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually};
use crate::support::run::{Output, Run, keyferry};
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};
use crate::support::tools;

const VALUES: [&str; 4] = [
    "c4nary-none",
    "c4nary-v4lue-one",
    "c4nary-v4lue-two",
    "c4nary-v4lue-three",
];

/// A folder whose configuration delivers `kv/app` there.
fn place(bao: &OpenBao, target: &str) -> Scratch {
    let folder = Scratch::new("history");
    let token = secret_file(folder.path(), "token", &bao.root_token());
    let config = format!(
        "name: shop\nvault: {{address: '{}', auth: {{token: {{file: '{}'}}}}}}\nsidecar: \
         {{refresh: 1s}}\ndeliveries:\n  - name: app\n    history: 20\n    from: [{{vault: \
         kv/app}}]\n    to: [{target}]\n",
        bao.plain_addr(),
        token.display()
    );
    folder.write("keyferry.yaml", config);
    folder
}

fn put(bao: &OpenBao, version: usize) {
    bao.put("app", &json!({"PASSWORD": VALUES[version], "USER": "shop"}));
}

fn run(folder: &Scratch, args: &[&str]) -> Output {
    run_as(folder, args, |run| run)
}

fn run_as(folder: &Scratch, args: &[&str], more: impl FnOnce(Run) -> Run) -> Output {
    let done = more(keyferry().dir(folder.path()).args(args)).run();
    done.assert_no_canary(&VALUES);
    done
}

fn history(folder: &Scratch, more: impl FnOnce(Run) -> Run) -> Value {
    let shown = run_as(folder, &["history", "-o", "json"], more).expect(0);
    let document: Value = serde_json::from_str(&shown.stdout).unwrap();
    document["deliveries"][0].clone()
}

/// The versions of its one source, the newest first.
fn versions(history: &Value) -> Vec<&str> {
    let entries = history["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["sources"][0]["version"].as_str().unwrap())
        .collect()
}

fn delivered(folder: &Path) -> usize {
    let text = fs::read_to_string(folder.join("app.env")).unwrap_or_default();
    VALUES
        .iter()
        .position(|value| text.contains(value))
        .unwrap_or(0)
}

#[test]
fn a_file_goes_back_stays_there_and_is_released() {
    let bao = OpenBao::start();
    let folder = place(&bao, "{file: {path: app.env}}");
    for version in 1..=3 {
        put(&bao, version);
        run(&folder, &["job"]).expect(0);
        run(&folder, &["job"]).expect(0);
    }
    let told = history(&folder, |run| run);
    assert_eq!(versions(&told), ["3", "2", "1"], "{told:#}");
    assert_eq!(told["entries"][0]["changed"], json!(["PASSWORD"]));
    assert_eq!(told["entries"][2]["changed"], json!(["PASSWORD", "USER"]));
    assert_eq!(told["held"], Value::Null);
    let states = &told["vault"][0]["versions"];
    assert_eq!(states.as_array().map(Vec::len), Some(3), "{states:#}");
    assert_eq!(states[0]["state"], "readable");

    // What would come of it, and nothing of it yet.
    let dry = run(&folder, &["job", "--to", "previous", "--dry-run"]).expect(10);
    assert!(
        dry.stdout.starts_with("app (held at version 2 since "),
        "{}",
        dry.stdout
    );
    assert_eq!(delivered(folder.path()), 3);

    let back = run(&folder, &["job", "--to", "previous"]).expect(0);
    assert_eq!(delivered(folder.path()), 2);
    assert!(
        back.last_line()
            .contains("; `app` is held at version 2 since "),
        "{}",
        back.stderr
    );
    // A later version in Vault changes nothing: of no command.
    put(&bao, 3);
    run(&folder, &["job"]).expect(0);
    run(&folder, &["init"]).expect(0);
    let planned = run(&folder, &["plan", "-o", "json"]).expect(0);
    let planned: Value = serde_json::from_str(&planned.stdout).unwrap();
    let held = planned["deliveries"][0]["held"].as_str().unwrap();
    assert!(held.starts_with("held at version 2 since "), "{held}");
    assert_eq!(delivered(folder.path()), 2);
    let told = history(&folder, |run| run);
    assert_eq!(versions(&told), ["2", "3", "2", "1"]);
    assert_eq!(told["held"]["sources"], json!({"vault kv/app": "2"}));

    // By its number, then forward again.
    run(&folder, &["job", "--to", "1", "--delivery", "app"]).expect(0);
    assert_eq!(delivered(folder.path()), 1);
    run(&folder, &["job", "--release"]).expect(0);
    assert_eq!(delivered(folder.path()), 3);
    assert_eq!(history(&folder, |run| run)["held"], Value::Null);
    run(&folder, &["plan"]).expect(0);
    let mode = fs::metadata(folder.path().join(".keyferry-history.app.app.env"));
    assert_eq!(
        std::os::unix::fs::MetadataExt::mode(&mode.unwrap()) & 0o777,
        0o600
    );
}

#[test]
fn one_secret_in_two_sources_goes_back_as_one() {
    let bao = OpenBao::start();
    let folder = place(&bao, "{file: {path: app.env}}");
    let config = fs::read_to_string(folder.path().join("keyferry.yaml")).unwrap();
    let two = "{vault: kv/app, pick: [KEY], encoding: base64}, \
        {vault: kv/data/app, pick: [PASSWORD]}, {vault: kv/app, pick: [USER]}";
    folder.write("keyferry.yaml", config.replace("{vault: kv/app}", two));
    for value in &VALUES[1..=2] {
        bao.put(
            "app",
            &json!({"PASSWORD": value, "USER": "shop", "KEY": "a2V5"}),
        );
        run(&folder, &["job"]).expect(0);
    }
    run(&folder, &["job", "--to", "1"]).expect(0);
    assert_eq!(delivered(folder.path()), 1);
    let told = history(&folder, |run| run);
    let held = json!({"vault kv/app": "1", "vault kv/data/app": "1"});
    assert_eq!(told["held"]["sources"], held);
    assert_eq!(told["vault"].as_array().map(Vec::len), Some(1), "{told:#}");
    let sources = told["entries"][0]["sources"].as_array().map(Vec::len);
    assert_eq!(sources, Some(2), "{told:#}");
}

#[test]
fn row_199_what_cannot_be_had_again_is_not_held() {
    let bao = OpenBao::start();
    let folder = place(&bao, "{file: {path: app.env}}");
    put(&bao, 1);
    run(&folder, &["job"]).expect(0);
    let refused = |args: &[&str], code: i32, what: &str| {
        let refused = run(&folder, args).expect(code);
        let told = refused.stderr.replace("\n       ", " ");
        assert!(told.contains(what), "{args:?}: {}", refused.stderr);
        assert_eq!(history(&folder, |run| run)["held"], Value::Null);
    };
    refused(&["job", "--to", "previous"], 4, "no state before");
    refused(&["job", "--to", "7"], 4, "version 7");
    refused(&["job", "--to", "2020-01-01"], 4, "its history begins at");
    refused(&["job", "--rev", "HEAD"], 2, "it reads no SOPS file");
    refused(
        &["job", "--to", "1", "--delivery", "other"],
        2,
        "no delivery `other`",
    );
    refused(&["job", "--to", "yesterday"], 2, "write `previous`");
    refused(&["job", "--delivery", "app"], 2, "--release");
    // A version that was destroyed.
    put(&bao, 2);
    run(&folder, &["job"]).expect(0);
    bao.post("kv/destroy/app", &json!({"versions": [1]}));
    refused(&["job", "--to", "previous"], 4, "version 1");
    assert_eq!(delivered(folder.path()), 2);
    let states = &history(&folder, |run| run)["vault"][0]["versions"];
    assert_eq!(states[1]["state"], "destroyed");
}

#[test]
fn row_200_nothing_is_delivered_past_a_journal_that_cannot_be_read() {
    let bao = OpenBao::start();
    let folder = place(&bao, "{file: {path: app.env}}");
    put(&bao, 2);
    run(&folder, &["job"]).expect(0);
    let journal = folder.path().join(".keyferry-history.app.app.env");
    fs::write(&journal, "{").unwrap();
    put(&bao, 3);
    let failed = run(&folder, &["job"]).expect(6);
    assert!(failed.stderr.contains("move it away"), "{}", failed.stderr);
    assert_eq!(delivered(folder.path()), 2);
    fs::remove_file(journal).unwrap();
    run(&folder, &["job"]).expect(0);
    assert_eq!(delivered(folder.path()), 3);
}

#[test]
fn row_201_in_memory_nothing_is_held() {
    let bao = OpenBao::start();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let target = format!("{{file: {{path: '{}/app.env'}}}}", memory.path().display());
    let folder = place(&bao, &target);
    for version in 1..=2 {
        put(&bao, version);
        run(&folder, &["job"]).expect(0);
    }
    assert_eq!(versions(&history(&folder, |run| run)), ["2", "1"]);
    let refused = run(&folder, &["job", "--to", "previous"]).expect(6);
    let told = refused.stderr.replace("\n      ", "");
    assert!(told.contains("lies in memory"), "{told}");
    assert!(told.contains("`version: 3` beside `vault:`"), "{told}");
    assert_eq!(delivered(memory.path()), 2);
}

#[test]
fn row_202_a_sidecar_obeys_and_says_so() {
    let bao = OpenBao::start();
    let folder = place(&bao, "{file: {path: app.env}}");
    put(&bao, 1);
    let config = fs::read_to_string(folder.path().join("keyferry.yaml")).unwrap();
    let config = config.replace(
        "    history: 20\n",
        "    history: 20\n    onMissing: delete\n",
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    put(&bao, 2);
    eventually("the second version", SOON, || delivered(folder.path()) == 2);
    run(&folder, &["job", "--to", "previous"]).expect(0);
    let held = || {
        let (_, status) = sidecar.ask("/status")?;
        let status: Value = serde_json::from_str(&status).ok()?;
        Some(status["deliveries"][0]["held"].as_str()?.to_owned())
    };
    eventually("it says so", SOON, || held().is_some());
    assert!(held().is_some_and(|held| held.starts_with("held at version 1 since ")));
    assert!(sidecar.reasons().contains("; held at version 1 since "));
    assert_eq!(delivered(folder.path()), 1);
    put(&bao, 3);
    let passes = || sidecar.metric("keyferry_delivery_changes_total{delivery=\"app\"}");
    let before = passes();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!((passes(), delivered(folder.path())), (before, 1));
    run(&folder, &["job", "--release"]).expect(0);
    eventually("it says that no more", SOON, || held().is_none());
    assert_eq!(delivered(folder.path()), 3);
    assert!(sidecar.is_ready(), "{}", sidecar.reasons());

    // The state that it is held at is destroyed: that is told, and nothing is deleted.
    run(&folder, &["job", "--to", "2"]).expect(0);
    eventually("it is held again", SOON, || held().is_some());
    bao.post("kv/destroy/app", &json!({"versions": [2]}));
    eventually("the version is missed", SOON, || {
        sidecar.reasons().contains("version 2") && sidecar.reasons().contains("missing")
    });
    let failed = run(&folder, &["job"]).expect(4);
    let told = failed
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        told.contains("`keyferry job --release` delivers the newest"),
        "{told}"
    );
    assert_eq!(delivered(folder.path()), 2);
    run(&folder, &["job", "--release"]).expect(0);
    assert_eq!(delivered(folder.path()), 3);
    sidecar.end().expect(0).assert_no_canary(&VALUES);
}

#[test]
fn a_secret_goes_back_with_the_rights_that_it_needs_anyway() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace();
    cluster.grant(
        &namespace,
        "job",
        &json!([
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "patch"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        ]),
    );
    let kubeconfig = cluster.service_account_kubeconfig(&namespace, "job");
    let with = |run: Run| run.env("KUBECONFIG", &kubeconfig);
    let bao = OpenBao::start();
    let folder = place(&bao, "{secret: {name: app}}");
    let value = || {
        let value = cluster.secret_value(&namespace, "app", "PASSWORD");
        String::from_utf8(value.unwrap_or_default()).unwrap()
    };
    let version = || {
        let secret = cluster.secret(&namespace, "app").unwrap();
        secret["metadata"]["resourceVersion"].clone()
    };
    for number in 1..=3 {
        put(&bao, number);
        run_as(&folder, &["job"], with).expect(0);
        let before = version();
        run_as(&folder, &["job"], with).expect(0);
        assert_eq!(version(), before, "a second pass writes nothing");
    }
    assert_eq!(versions(&history(&folder, with)), ["3", "2", "1"]);
    run_as(&folder, &["job", "--to", "previous"], with).expect(0);
    assert_eq!(value(), VALUES[2]);
    let before = version();
    put(&bao, 3);
    run_as(&folder, &["job"], with).expect(0);
    run_as(&folder, &["plan"], with).expect(0);
    assert_eq!((version(), value().as_str()), (before, VALUES[2]));
    let secret = cluster.secret(&namespace, "app").unwrap();
    let kept = secret["metadata"]["annotations"]["keyferry.io/history"].as_str();
    assert!(kept.unwrap().len() <= 8192);

    // Nobody holds what is not there.
    let secrets = format!("/api/v1/namespaces/{namespace}/secrets/app");
    cluster.request("DELETE", &secrets, None);
    let refused = run_as(&folder, &["job", "--to", "1"], with).expect(4);
    assert!(
        refused.stderr.contains("deliver it first"),
        "{}",
        refused.stderr
    );
    run_as(&folder, &["job"], with).expect(0);
    assert_eq!(value(), VALUES[3], "the hold went with the Secret");
    run_as(&folder, &["job", "--to", "1"], with).expect(0);
    assert_eq!(value(), VALUES[1]);
    run_as(&folder, &["job", "--release"], with).expect(0);
    assert_eq!(value(), VALUES[3]);
}

fn git(folder: &Path, args: &[&str]) {
    let named = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let run = Run::of("git").dir(folder).args(named).args(args);
    run.run().expect(0);
}

#[test]
fn row_203_sops_files_go_back_to_a_commit() {
    if std::process::Command::new("git")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("left out: there is no `git` program; install git to test the way back in Git");
        return;
    }
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/age/made");
    let key = vectors.join("x25519.key");
    let recipient = "age16hcqgc78lj6sj2gge9ynvu3ssud6nd9jwg34ht6df05dzjuw43tqhd20tv";
    let folder = Scratch::new("history-git");
    folder.write(
        "keyferry.yaml",
        format!(
            "keys: {{age: [{{file: '{}'}}]}}\ndeliveries:\n  - name: app\n    history: 20\n    \
             from: [{{sops: app.enc.env}}]\n    to: [{{file: {{path: app.env}}}}]\n",
            key.display()
        ),
    );
    git(folder.path(), &["init", "-q"]);
    let commit = |version: usize| {
        let plain = folder.write("plain.env", format!("PASSWORD={}\n", VALUES[version]));
        let sealed = Run::of(tools::sops())
            .args(["encrypt", "--age", recipient, "--input-type", "dotenv"])
            .args(["--output-type", "dotenv"])
            .args([&plain])
            .run()
            .expect(0);
        fs::remove_file(plain).unwrap();
        folder.write("app.enc.env", sealed.stdout);
        git(folder.path(), &["add", "app.enc.env"]);
        git(folder.path(), &["commit", "-q", "-m", "rotate"]);
        run(&folder, &["job"]).expect(0);
        // sops counts in seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    };
    (1..=3).for_each(commit);
    assert_eq!(delivered(folder.path()), 3);
    run(&folder, &["job", "--to", "previous"]).expect(0);
    assert_eq!(delivered(folder.path()), 2);
    run(&folder, &["job"]).expect(0);
    assert_eq!(delivered(folder.path()), 2);
    run(&folder, &["job", "--rev", "HEAD~2"]).expect(0);
    assert_eq!(delivered(folder.path()), 1);
    let held = history(&folder, |run| run)["held"]["sources"].clone();
    let held = held["sops file app.enc.env"].as_str().unwrap().to_owned();
    assert_eq!(held.len(), 40, "a whole commit, not a name that moves");
    for (rev, what) in [
        ("no-such", "no such commit"),
        ("--output=x", "no such commit"),
    ] {
        let refused = run(&folder, &["job", &format!("--rev={rev}")]).expect(4);
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
    // Without the program.
    let refused = run_as(&folder, &["job", "--rev", "HEAD"], |run| {
        run.env("PATH", "/nonexistent")
    });
    let refused = refused.expect(2);
    assert!(
        refused.stderr.contains("there is no `git` program"),
        "{}",
        refused.stderr
    );
    assert_eq!(delivered(folder.path()), 1);
    run(&folder, &["job", "--release"]).expect(0);
    assert_eq!(delivered(folder.path()), 3);
}
