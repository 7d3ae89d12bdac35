//! What must not happen to files: a key overwritten by what it opened, a lock or a hang that stops
//! everything, a lost save, a trace of what was refused.

use std::sync::Barrier;
use std::thread::scope;

use super::*;
use crate::support::hung::Hung;
use crate::support::process::eventually;
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key, replace};
use crate::support::tls::Authority;

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).expect("written");
}

fn run(dir: &Path, args: &[&str]) -> Output {
    keyferry().dir(dir).args(args).run()
}

/// An age file, its key, and one target.
fn opened(dir: &Path, to: &str) {
    write(
        dir,
        "keyferry.yaml",
        &format!(
            "keys: {{age: [{{file: keys/age.key}}]}}\nvault: {{address: 'https://127.0.0.1:1', \
             caFile: tls/ca.pem, auth: {{token: {{file: token}}}}}}\ndeliveries:\n  - {{name: a, \
             from: [{{age: a.env.age}}], to: [{to}]}}\n"
        ),
    );
}

#[test]
fn row_115_no_target_is_a_file_that_is_read() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    for made in ["keys", "tls"] {
        fs::create_dir(at(made)).expect("made");
    }
    fs::copy(age_key(), at("keys/age.key")).expect("copied");
    fs::set_permissions(at("keys/age.key"), fs::Permissions::from_mode(0o600)).expect("set");
    replace(&at("a.env.age"), &age("PASSWORD=canary-1\n"));
    write(dir.path(), "a.tmpl", "{{ PASSWORD }}");
    write(dir.path(), "tls/ca.pem", Authority::new().pem());
    symlink(at("keys"), at("other")).expect("linked");
    symlink("age.key", at("keys/link.key")).expect("linked");
    fs::hard_link(at("keys/age.key"), at("hard.key")).expect("linked");
    let key = fs::read(at("keys/age.key")).expect("there");
    let absolute = format!(
        "{{file: {{path: {}, format: raw}}}}",
        at("keys/age.key").display()
    );
    for (to, what) in [
        ("{file: {path: keys/age.key, format: raw}}", "is a key"),
        (
            "{file: {path: ./tls/../keys/age.key, format: dotenv, edit: true}}",
            "is a key",
        ),
        (&absolute, "is a key"),
        ("{file: {path: other/age.key, format: raw}}", "is a key"),
        ("{file: {path: keys/link.key, format: raw}}", "is a key"),
        ("{file: {path: hard.key, format: raw}}", "is a key"),
        ("{file: {path: a.env.age, format: raw}}", "is a source"),
        ("{file: {path: tls/ca.pem, format: raw}}", "is a CA file"),
        // It is not there yet.
        (
            "{file: {path: ./keys/../token, format: raw}}",
            "is a credential",
        ),
        (
            "{file: {path: keyferry.yaml, format: raw}}",
            "is a part of the configuration",
        ),
        (
            "{file: {path: a.tmpl, template: a.tmpl}}",
            "is a part of the configuration",
        ),
    ] {
        opened(dir.path(), to);
        for command in ["check", "plan", "job"] {
            let output = run(dir.path(), &[command]);
            assert_eq!(output.code, 2, "{command} {to}: {}", output.stderr);
            let said = output.stderr.contains("keyferry.yaml:4:") && output.stderr.contains(what);
            assert!(
                said && output.stderr.contains("another place"),
                "{to}: {}",
                output.stderr
            );
        }
        assert_eq!(fs::read(at("keys/age.key")).expect("there"), key, "{to}");
        assert!(!at("token").exists());
    }
    fs::remove_file(at("hard.key")).expect("there");
    opened(dir.path(), "{files: {dir: keys}}");
    assert_eq!(run(dir.path(), &["job"]).code, 0, "beside it there is room");
}

#[test]
fn row_115_a_set_is_not_read_by_who_lays_it() {
    let dir = folder();
    fs::create_dir(dir.path().join("parts")).expect("made");
    let text = "keys: {age: [{file: parts/A}]}\ndeliveries:\n  - {name: a, fields: \
        {A: '1'}, to: [{files: {dir: parts}}]}\n";
    write(dir.path(), "keyferry.yaml", text);
    let output = run(dir.path(), &["check"]);
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(
        output.stderr.contains("parts/A is a key"),
        "{}",
        output.stderr
    );
}

#[test]
fn row_116_a_readers_lock_on_the_folder_stops_nothing() {
    let dir = folder();
    for made in ["one", "set"] {
        fs::create_dir(dir.path().join(made)).expect("made");
    }
    let held = ["one", "set"].map(|name| {
        let folder = fs::File::open(dir.path().join(name)).expect("opened");
        rustix::fs::flock(&folder, rustix::fs::FlockOperation::LockExclusive).expect("locked");
        folder
    });
    for value in ["1", "2"] {
        let to = "{file: {path: one/a.env}}, {files: {dir: set}}";
        config(dir.path(), to, value);
        let output = run(dir.path(), &["job"]);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("there");
        assert_eq!(
            (read("one/a.env"), read("set/A")),
            (format!("A={value}\n"), value.to_owned())
        );
    }
    assert_eq!(names(&dir.path().join("one")), ["a.env"]);
    drop(held);
}

#[test]
fn row_117_a_target_that_hangs_delays_only_its_own_delivery() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("hung")).expect("made");
    let Some(hung) = Hung::mount(&at("hung")) else {
        return;
    };
    let text = format!(
        "keys: {{age: [{{file: {}}}]}}\ndeliveries:\n  - {{name: hung, fields: \
         {{A: '1'}}, to: [{{file: {{path: hung/a.env}}}}]}}\n  - {{name: set, fields: {{A: '1'}}, \
         to: [{{files: {{dir: hung/set, createDirs: true}}}}]}}\n  - {{name: source, from: \
         [{{age: hung/b.env.age}}], to: [{{file: {{path: source.env}}}}]}}\n  - {{name: well, \
         from: [{{age: b.env.age}}], to: [{{file: {{path: well/b.env, createDirs: true}}}}]}}\n",
        age_key().display()
    );
    replace(&at("b.env.age"), &age("B=1\n"));
    write(dir.path(), "keyferry.yaml", &text);
    // Long enough for what does not hang, on a disk that is busy with other tests too.
    let job = run(dir.path(), &["job", "--deadline", "8s"]);
    assert!(matches!(job.code, 7 | 8), "{}", job.stderr);
    assert!(job.stderr.contains("does not answer"), "{}", job.stderr);
    let well = fs::read_to_string(at("well/b.env"));
    assert_eq!(well.ok().as_deref(), Some("B=1\n"), "{}", job.stderr);

    let sidecar = RunningSidecar::start(dir.path(), &text);
    for value in ["2", "3"] {
        replace(&at("b.env.age"), &age(&format!("B={value}\n")));
        eventually("the other delivery goes on", SOON, || {
            fs::read_to_string(at("well/b.env")).is_ok_and(|text| text == format!("B={value}\n"))
        });
        let (status, _) = sidecar.ask("/livez").expect("it answers");
        assert_eq!(status, 200);
    }
    let output = sidecar.end();
    assert_eq!(output.code, 0, "{}", output.stderr);

    let sidecar = RunningSidecar::start(dir.path(), &text);
    drop(hung);
    eventually("what hung is made up for", SOON * 3, || {
        at("hung/a.env").exists()
    });
    drop(sidecar);
}

#[test]
fn row_117_what_else_hangs_stops_no_probe_and_no_other_delivery() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("hung")).expect("made");
    write(dir.path(), "hung/ca.pem", Authority::new().pem());
    let text = format!(
        "keys: {{age: [{{file: {}}}]}}\nvault: \
         {{address: 'https://127.0.0.1:1', caFile: hung/ca.pem, auth: {{token: {{file: \
         token}}}}}}\nsidecar: {{endWith: {{pidFile: hung/end.pid}}}}\ndeliveries:\n  - {{name: \
         vault, from: [{{vault: kv/a}}], to: [{{file: {{path: vault.env}}}}]}}\n  - name: told\n    \
         from: [{{age: b.env.age}}]\n    to: [{{file: {{path: told.env}}}}]\n    onChange: \
         [{{signal: {{pidFile: hung/a.pid}}}}, {{run: {{command: [hung/program], timeout: 1s}}}}, \
         {{webhook: {{url: 'http://127.0.0.1:1/', keyFile: hung/key}}}}]\n  - {{name: well, from: \
         [{{age: b.env.age}}], to: [{{file: {{path: well.env}}}}]}}\n",
        age_key().display()
    );
    write(dir.path(), "token", "canary-1");
    replace(&at("b.env.age"), &age("B=1\n"));
    let sidecar = RunningSidecar::start(dir.path(), &text);
    eventually("the first is delivered", SOON, || at("well.env").exists());
    let Some(hung) = Hung::mount(&at("hung")) else {
        return;
    };
    let alive = || {
        let (status, _) = sidecar.ask("/livez").expect("it answers");
        assert_eq!(status, 200);
    };
    for value in ["2", "3"] {
        replace(&at("b.env.age"), &age(&format!("B={value}\n")));
        for name in ["well.env", "told.env"] {
            eventually("the others go on", SOON, || {
                alive();
                fs::read_to_string(at(name)).is_ok_and(|text| text == format!("B={value}\n"))
            });
        }
    }
    // A read is given up after ten seconds, and Vault is tried again only after a pause.
    for file in ["ca.pem", "end.pid", "a.pid", "program"] {
        let named = format!("hung/{file}");
        let said = |line: &str| line.contains(&named) && line.contains("does not answer");
        eventually(&format!("{file} is reported"), SOON * 3, || {
            alive();
            sidecar.log_so_far().lines().any(said)
        });
    }
    // A program that is being read would keep the log open beyond our end.
    drop(hung);
    let output = sidecar.end();
    assert_eq!(output.code, 0, "{}", output.stderr);
}

#[test]
fn row_118_no_save_of_an_editor_is_lost() {
    let dir = folder();
    let path = dir.path().join(".env");
    fs::write(&path, "A=0\nTHEIRS=0\n").expect("written");
    let edited = |value: &str| {
        Artifact::of_file(FileArtifact {
            path: path.clone(),
            body: FileBody::Lines(vec![EnvLine {
                name: "A".into(),
                value: value.into(),
                line: format!("A={value}").into(),
            }]),
            variables: Variables::Dotenv,
            access: FileAccess {
                keep_mode: true,
                ..FileAccess::PRIVATE
            },
        })
    };
    for race in 0..150_u64 {
        let (ours, theirs) = (race.to_string(), format!("THEIRS={race}\n"));
        let start = Barrier::new(2);
        scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let (_, done) = pass(edited(&ours));
                done.unwrap_or_else(|failure| panic!("{failure:?}"));
            });
            scope.spawn(|| {
                let before = fs::read_to_string(&path).expect("there");
                let mine = before
                    .lines()
                    .find(|line| line.starts_with("A="))
                    .expect("ours");
                let text = format!("{mine}\n{theirs}");
                start.wait();
                // From before the file is read to after it was swapped.
                std::thread::sleep(Duration::from_micros(race % 50 * 600));
                match race % 2 {
                    0 => replace(&path, text.as_bytes()),
                    _ => fs::write(&path, text).expect("written"),
                }
            });
        });
        let text = fs::read_to_string(&path).expect("there");
        assert!(text.contains(&theirs), "race {race}: {text}");
        put(|| edited(&ours));
        let text = fs::read_to_string(&path).expect("there");
        assert_eq!(text, format!("A={race}\n{theirs}"), "race {race}");
        assert_eq!(names(dir.path()), [".env"], "race {race}");
    }
}

#[test]
fn row_119_the_plan_names_what_a_new_file_will_hold() {
    let dir = folder();
    for to in [
        "{file: {path: a.env}}",
        "{file: {path: a.env, edit: true}}",
        "{file: {path: a.json}}",
        "{file: {path: a.yaml}}",
        "{file: {path: a.properties}}",
        "{files: {dir: parts, createDirs: true}}",
    ] {
        config(dir.path(), to, "canary");
        let output = run(dir.path(), &["plan"]);
        assert_eq!(output.code, 10, "{}", output.stderr);
        let shown = output.stdout;
        assert!(shown.contains("+ A (6 bytes)"), "{to}: {shown}");
        assert!(
            !shown.contains("canary") && !shown.contains("content"),
            "{to}: {shown}"
        );
    }
    config(dir.path(), "{file: {path: a.pem, format: raw}}", "canary");
    assert!(
        run(dir.path(), &["plan"])
            .stdout
            .contains("+ content (6 bytes)")
    );
}

#[test]
fn row_120_what_is_refused_or_fails_creates_nothing_on_the_way() {
    let dir = folder();
    let ours = ".keyferry-0123456789abcdef.tmp";
    let set = format!(
        "deliveries:\n  - {{name: a, fields: {{\"{ours}\": '1'}}, to: [{{files: {{dir: new/deep, \
         createDirs: true}}}}]}}\n"
    );
    for (text, code) in [
        (set, 6),
        (
            format!(
                "deliveries:\n  - {{name: a, fields: {{A: '1'}}, to: [{{file: {{path: \
                 new/deep/{ours}, format: raw, createDirs: true}}}}]}}\n"
            ),
            6,
        ),
    ] {
        write(dir.path(), "keyferry.yaml", &text);
        let output = run(dir.path(), &["job"]);
        assert_eq!(output.code, code, "{}", output.stderr);
        assert_eq!(names(dir.path()), ["keyferry.yaml"]);
    }
    // Only one user is known in there, so nothing can be given to another.
    for to in [
        "{file: {path: new/deep/a.env, createDirs: true, uid: 4242}}",
        "{files: {dir: new/deep, createDirs: true, uid: 4242}}",
    ] {
        config(dir.path(), to, "1");
        let output = isolated(dir.path(), "true");
        assert_eq!(output.code, 8, "{}", output.stderr);
        assert_eq!(names(dir.path()), ["keyferry.yaml"], "{to}");
    }
}

#[test]
fn row_121_a_root_holds_absolute_and_relative_paths_alike() {
    let dir = folder();
    fs::create_dir(dir.path().join("in")).expect("made");
    let inside = dir.path().join("in");
    let absolute = |path: &str| inside.join(path).display().to_string();
    for (root, path, code) in [
        (".".to_owned(), absolute("a.env"), 0),
        (".".to_owned(), absolute("../a.env"), 2),
        (absolute(""), "a.env".to_owned(), 0),
        (absolute(""), "../a.env".to_owned(), 2),
        (absolute(""), absolute("b.env"), 0),
        ("../in".to_owned(), "c.env".to_owned(), 0),
        ("/".to_owned(), "d.env".to_owned(), 0),
    ] {
        config(&inside, &format!("{{file: {{path: {path}}}}}"), "1");
        let output = run(&inside, &["job", "--root", &root]);
        assert_eq!(output.code, code, "{path} in {root}: {}", output.stderr);
        assert!(!dir.path().join("a.env").exists());
    }
}

#[test]
fn row_122_the_notes_of_a_sidecar_stay_beneath_the_root() {
    let dir = folder();
    let text = |state: &str| {
        format!(
            "sidecar: {{state: {state}}}\ndeliveries:\n  - {{name: a, fields: \
             {{A: '1'}}, to: [{{file: {{path: a.env}}}}]}}\n"
        )
    };
    for (state, code) in [("../notes", 2), ("notes", 0)] {
        write(dir.path(), "keyferry.yaml", &text(state));
        let output = run(dir.path(), &["check", "--root", "."]);
        assert_eq!(output.code, code, "{state}: {}", output.stderr);
    }
}
