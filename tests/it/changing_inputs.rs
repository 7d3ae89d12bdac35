//! Input files that change while they are read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use keyferry::config::VaultAuth;
use keyferry::disk::read_document;
use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::run::keyferry;
use crate::support::session::{path, server, session, watched};
use crate::support::stub::{Reply, Stub};

/// Larger than one read, of one letter: a file that mixes two is seen at once.
const LENGTH: usize = 1 << 20;

#[test]
fn row_10_a_file_that_is_swapped_while_it_is_read_is_the_old_or_the_new() {
    let letters = |generation: &str, _| {
        let letter = if generation == "one" { "a" } else { "b" };
        letter.repeat(LENGTH)
    };
    let mut seen = [0, 0];
    switched(&["key".to_owned()], letters, Duration::ZERO, |folder| {
        // Until both were seen often: a machine that is busy takes longer, and decides nothing.
        while seen.iter().any(|count| *count < 50) {
            let bytes = read_document(&folder.join("key"), "key").unwrap();
            let bytes = bytes.expose();
            assert_eq!(bytes.len(), LENGTH);
            assert!(
                bytes.iter().all(|byte| *byte == bytes[0]),
                "two files in one"
            );
            seen[usize::from(bytes[0] == b'b')] += 1;
        }
    });
}

/// A volume of two generations that kubelet switches all the time while `read` runs.
fn switched(
    names: &[String],
    text: impl Fn(&str, usize) -> String,
    every: Duration,
    read: impl FnOnce(&Path),
) {
    let scratch = Scratch::new("volume");
    let folder = scratch.path();
    for generation in ["one", "two"] {
        fs::create_dir(folder.join(generation)).unwrap();
        for (at, name) in names.iter().enumerate() {
            let file = folder.join(generation).join(name);
            fs::write(&file, text(generation, at)).unwrap();
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                .unwrap();
        }
    }
    symlink("one", folder.join("..data")).unwrap();
    for name in names {
        symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for generation in ["two", "one"].into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                symlink(generation, folder.join("..next")).unwrap();
                fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
                thread::sleep(every);
            }
        });
        let read = std::panic::AssertUnwindSafe(|| read(folder));
        let done = std::panic::catch_unwind(read);
        stop.store(true, Ordering::Relaxed);
        done.unwrap();
    });
}

#[test]
fn row_10_role_id_and_secret_id_are_of_one_generation() {
    let login = |request: &crate::support::stub::Request| {
        if !request.path.ends_with("/login") {
            return Reply::json(
                200,
                &json!({"request_id": "r", "data": {"data": {"a": "b"}, "metadata": {"created_time": "t", "custom_metadata": null, "deletion_time": "", "destroyed": false, "version": 1}}}),
            );
        }
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        match body["role_id"] == body["secret_id"] {
            true => Reply::json(
                200,
                &json!({"request_id": "r", "auth": {"client_token": "s.granted", "lease_duration": 600, "renewable": true}}),
            ),
            false => Reply::json(400, &json!({"errors": ["invalid role or secret ID"]})),
        }
    };
    let vault = Stub::start(login);
    let names = ["role-id".to_owned(), "secret-id".to_owned()];
    let text = |generation: &str, _| format!("c4nary-{generation}");
    switched(&names, text, Duration::from_micros(300), |folder| {
        let auth = VaultAuth::AppRole {
            mount: "approle".to_owned(),
            role_id_file: folder.join("role-id"),
            secret_id_file: folder.join("secret-id"),
            wrapped: false,
        };
        let server = server(&vault.url(), auth);
        for _ in 0..300 {
            watched(&[], async {
                let session = session(&server, Duration::from_secs(5));
                session.read(&path("kv/data/a")).await.expect("data");
                session.close().await;
            });
        }
    });
    let logins = vault
        .calls()
        .into_iter()
        .filter(|call| call.ends_with("/login"));
    assert_eq!(logins.count(), 300, "no login was made of two halves");
}

#[test]
fn row_10_a_configuration_is_of_one_generation() {
    let names: Vec<String> = (0..40).map(|at| format!("{at:02}.yaml")).collect();
    // The generations say the same in other files: a mixture says something twice.
    let text = |generation: &str, at: usize| {
        let name = if generation == "one" { at } else { 39 - at };
        format!(
            "deliveries: [{{name: d{name}, from: [{{age: x.age}}], to: [{{file: {{path: \
             out{name}, format: raw}}}}]}}]\n"
        )
    };
    switched(&names, text, Duration::from_millis(150), |folder| {
        for _ in 0..40 {
            let check = keyferry().args(["check", "--config"]).args([folder]);
            check.run().expect(0);
        }
    });
}
