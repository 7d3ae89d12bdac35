//! Opening what lies encrypted in Git: keyferry beside `sops -d` and beside kubeseal's recovery,
//! from file to file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::rsa::KeySize;
use serde_json::{Map, Value, json};

use crate::contest::Contest;
use crate::launcher::Contender;
use crate::support::process::Scratch;
use crate::support::run::Run;
use crate::support::sealing::{Key, kubeseal};
use crate::support::tools;
use crate::table::Row;

/// Where `sops` looks for keys below the home of the one who runs it.
const KEYS: &str = ".config/sops/age/keys.txt";

/// 10,000 leaves in YAML.
pub(crate) fn sops_yaml(keyferry: &Path, rounds: usize) -> Row {
    let work = "SOPS YAML, 10,000 leaves";
    sops(keyferry, rounds, work, "yaml", (100, 100), (5.0, 3.0))
}

/// 10,000 leaves in JSON.
pub(crate) fn sops_json(keyferry: &Path, rounds: usize) -> Row {
    let work = "SOPS JSON, 10,000 leaves";
    sops(keyferry, rounds, work, "json", (100, 100), (5.0, 3.0))
}

/// A hundredth of that, and ten times as much: time grows with the leaves and no faster.
pub(crate) fn sops_hundred(keyferry: &Path, rounds: usize) -> Row {
    let work = "SOPS YAML, 100 leaves";
    sops(keyferry, rounds, work, "yaml", (1, 100), (4.0, 3.0))
}

/// The largest.
pub(crate) fn sops_large(keyferry: &Path, rounds: usize) -> Row {
    let work = "SOPS YAML, 100,000 leaves";
    sops(keyferry, rounds, work, "yaml", (1000, 100), (5.0, 3.0))
}

/// A file of the usual size.
pub(crate) fn sops_small(keyferry: &Path, rounds: usize) -> Row {
    let work = "SOPS YAML, 3 leaves";
    sops(keyferry, rounds, work, "yaml", (1, 3), (4.0, 3.0))
}

/// One SealedSecret with 50 values, each with an RSA operation of its own.
pub(crate) fn sealed(keyferry: &Path, rounds: usize) -> Row {
    let scratch = Scratch::new("bench-sealed");
    let key = Key::new("key", KeySize::Rsa4096);
    let data: Map<String, Value> = (0..50)
        .map(|number| (format!("v{number:02}"), value(0, number).into()))
        .collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "many", "namespace": "team"}, "stringData": data});
    let certificate = key.certificate.display().to_string();
    let args = ["--cert", &certificate, "-o", "json"];
    let closed = kubeseal(&args, secret.to_string()).expect(0).stdout;
    scratch.write("sealed.json", &closed);
    let key = key.pem_file.display().to_string();
    scratch.write(
        "keyferry.yaml",
        format!(
            "keys: {{sealed: [{{file: '{key}'}}]}}\ndeliveries:\n  - {{name: many, from: \
            [{{sealed: sealed.json}}], to: [{{file: {{path: ours, format: json}}}}]}}\n"
        ),
    );
    // kubeseal writes to its standard output; a shell for that would be part of what is measured,
    // so its output is dropped.
    let peer = [
        "--recovery-unseal",
        "--recovery-private-key",
        &key,
        "--secret-file",
        "sealed.json",
    ];
    let contest = Contest {
        work: "SealedSecret, 50 values, RSA-4096",
        folder: scratch.path(),
        ours: job(keyferry),
        peer: contender("`kubeseal --recovery-unseal`", tools::kubeseal(), &peer),
        undo: &|| drop(fs::remove_file(scratch.path().join("ours"))),
        check: &|| {},
        floor: None,
        wall_target: 2.0,
        memory_target: 1.0,
    };
    let row = contest.row(rounds);
    // The peer's run was the last, and leaves no file.
    job(keyferry).sample(scratch.path());
    holds(&scratch.path().join("ours"), &value(0, 49));
    row
}

fn sops(
    keyferry: &Path,
    rounds: usize,
    work: &str,
    format: &str,
    (groups, leaves): (usize, usize),
    (wall_target, memory_target): (f64, f64),
) -> Row {
    let scratch = Scratch::new("bench-sops");
    let folder = scratch.path();
    fs::create_dir_all(folder.join(KEYS).parent().expect("it has a folder"))
        .expect("a folder can be made");
    Run::of(tools::age_keygen())
        .args(["-o", &folder.join(KEYS).display().to_string()])
        .run()
        .expect(0);
    let recipient = Run::of(tools::age_keygen())
        .args(["-y", &folder.join(KEYS).display().to_string()])
        .run()
        .expect(0);
    let file = format!("closed.{format}");
    // JSON is YAML: sops reads it as what the name says and writes it in its own style.
    scratch.write(&file, tree(groups, leaves).to_string());
    let closed = Command::new(tools::sops())
        .args(["-e", "-i", "--age", recipient.stdout.trim(), &file])
        .current_dir(folder)
        .status()
        .expect("sops can be started");
    assert!(closed.success(), "sops encrypts {file}");
    let mut text = format!("keys: {{age: [{{file: {KEYS}}}]}}\ndeliveries:\n");
    writeln!(
        text,
        "  - {{name: all, from: [{{sops: {file}}}], to: [{{file: \
        {{path: ours, format: {format}}}}}]}}"
    )
    .expect("memory can be written");
    scratch.write("keyferry.yaml", text);
    let last = value(groups - 1, leaves - 1);
    let contest = Contest {
        work,
        folder,
        ours: job(keyferry),
        peer: contender(
            "`sops -d`",
            tools::sops(),
            &["-d", "--output", "theirs", &file],
        ),
        undo: &|| {
            for name in ["ours", "theirs"] {
                drop(fs::remove_file(folder.join(name)));
            }
        },
        check: &|| {
            let done = ["ours", "theirs"].map(|name| folder.join(name));
            let done = done
                .iter()
                .find(|path| path.exists())
                .expect("one was written");
            holds(done, &last);
        },
        floor: None,
        wall_target,
        memory_target,
    };
    contest.row(rounds)
}

fn job(keyferry: &Path) -> Contender {
    contender(
        "`keyferry job`",
        keyferry,
        &["job", "--config", "keyferry.yaml"],
    )
}

fn contender(name: &str, program: &Path, args: &[&str]) -> Contender {
    Contender {
        name: name.to_owned(),
        program: program.display().to_string(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    }
}

/// Groups of leaves with 64 characters each.
fn tree(groups: usize, leaves: usize) -> Value {
    let group = |group| {
        let leaves = (0..leaves).map(|leaf| (format!("leaf{leaf:03}"), value(group, leaf).into()));
        (format!("group{group:03}"), Value::Object(leaves.collect()))
    };
    Value::Object((0..groups).map(group).collect())
}

fn value(group: usize, leaf: usize) -> String {
    let seed = format!("{group:04}-{leaf:04}-Qx7pW.");
    seed.repeat(4)
}

fn holds(file: &Path, value: &str) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(text.contains(value), "{} lacks a value", file.display());
}
