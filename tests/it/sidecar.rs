//! The sidecar without any server: files that change, configurations that change, signals,
//! reactions.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyferry::config::environment::Outside;
use keyferry::config::load::load;
use keyferry::sidecar::metrics::names;
use rustix::process::Signal;

use crate::support::process::eventually;
use crate::support::run::{Started, keyferry};
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key, replace};
use crate::support::stub::{Reply, Request, Stub};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

/// One age file to one `.env` file, with more lines for the delivery.
fn config(more: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\ndeliveries:\n- name: app\n  from: \
         [{{age: app.env.age}}]\n  to: [{{file: {{path: out/app.env, createDirs: true}}}}]\n{more}",
        age_key().display()
    )
}

fn folder(value: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), value);
    folder
}

fn put(folder: &Path, value: &str) {
    replace(
        &folder.join("app.env.age"),
        &age(&format!("PASSWORD={value}\n")),
    );
}

fn delivered(folder: &Path) -> String {
    fs::read_to_string(folder.join("out/app.env")).unwrap_or_default()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn a_changed_file_is_delivered_at_once_and_its_reaction_follows() {
    let folder = folder(VALUE);
    let seen = folder.path().join("seen");
    let sidecar = RunningSidecar::start(
        folder.path(),
        &config(
            "  onChange: [{run: \
             {command: [sh, -c, 'echo $KEYFERRY_DELIVERY $KEYFERRY_KEYS >> seen']}}]\n",
        ),
    );
    sidecar.ready();
    assert!(delivered(folder.path()).contains(VALUE));
    assert_eq!(lines(&seen), 0, "a first delivery is no change");

    put(folder.path(), OTHER);
    eventually("the change is delivered", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    eventually("the reaction", SOON, || lines(&seen) == 1);
    assert_eq!(fs::read_to_string(&seen).unwrap(), "app PASSWORD\n");

    // Written again, with the same content: nothing changed, nobody is told.
    put(folder.path(), OTHER);
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(lines(&seen), 1);
    assert_eq!(
        sidecar.metric("keyferry_delivery_changes_total{delivery=\"app\"}"),
        Some(2.0)
    );
    assert_eq!(
        sidecar.metric("keyferry_reactions_total{kind=\"run\",result=\"done\"}"),
        Some(1.0)
    );
    sidecar.end().expect(0).assert_no_canary(&[VALUE, OTHER]);
}

#[test]
fn a_folder_that_is_swapped_as_a_kubelet_does_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (generation, value) in [("..1", VALUE), ("..2", OTHER)] {
        fs::create_dir(at(generation)).unwrap();
        fs::write(
            at(generation).join("app.env.age"),
            age(&format!("PASSWORD={value}\n")),
        )
        .unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/app.env.age", at("app.env.age")).unwrap();
    let sidecar = RunningSidecar::start(folder.path(), &config(""));
    sidecar.ready();
    symlink("..2", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    eventually("the new folder", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
}

#[test]
fn what_cannot_be_opened_keeps_what_was_delivered_and_recovers() {
    let folder = folder(VALUE);
    let sidecar = RunningSidecar::start(folder.path(), &config(""));
    sidecar.ready();
    replace(
        &folder.path().join("app.env.age"),
        b"age-encryption.org/v1\nnonsense",
    );
    eventually("the failure is told", SOON, || {
        sidecar.reasons().contains("corrupt")
    });
    assert!(
        sidecar.is_ready(),
        "what was delivered is as good as before"
    );
    assert!(delivered(folder.path()).contains(VALUE));
    let status = sidecar.command("status").expect(0);
    assert!(status.stdout.contains("corrupt"), "{}", status.stdout);
    put(folder.path(), OTHER);
    eventually("it recovers", SOON, || {
        delivered(folder.path()).contains(OTHER) && !sidecar.reasons().contains("corrupt")
    });
}

#[test]
fn before_everything_is_delivered_ready_says_no_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let sidecar = RunningSidecar::start(folder.path(), &config(""));
    eventually("it says why", SOON, || {
        sidecar.reasons().contains("missing")
    });
    let asked = sidecar.command("ready").expect(7);
    assert!(
        asked.stderr.contains("app: not ready: not delivered yet"),
        "{}",
        asked.stderr
    );
    put(folder.path(), VALUE);
    sidecar.ready();
    sidecar.command("ready").expect(0);
    sidecar.end().expect(0);
    let nobody = keyferry()
        .args(["ready", "--listen", "127.0.0.1:1"])
        .run()
        .expect(7);
    assert!(
        nobody.stderr.contains("no keyferry answers"),
        "{}",
        nobody.stderr
    );
}

#[test]
fn row_09_a_bad_configuration_keeps_the_old_one_and_says_so() {
    let folder = folder(VALUE);
    let sidecar = RunningSidecar::start(folder.path(), &config(""));
    sidecar.ready();
    sidecar.configure("deliveries: [{nam: app}]");
    eventually("it is told", SOON, || {
        sidecar.metric("keyferry_config_stale") == Some(1.0)
    });
    assert!(
        sidecar.reasons().contains("the old one is in use"),
        "{}",
        sidecar.reasons()
    );
    put(folder.path(), OTHER);
    eventually("the old one works on", SOON, || {
        delivered(folder.path()).contains(OTHER)
    });
    sidecar.configure(&config(
        "- {name: more, fields: {a: b}, to: [{file: {path: out/more.env}}]}\n",
    ));
    eventually("a good one is taken", SOON, || {
        folder.path().join("out/more.env").exists()
    });
    assert_eq!(sidecar.metric("keyferry_config_stale"), Some(0.0));
    let said = sidecar.end().expect(0).stderr;
    assert_eq!(said.matches("configuration refused").count(), 1, "{said}");
}

#[test]
fn row_63_hup_takes_the_configuration_and_term_ends_well() {
    let folder = folder(VALUE);
    let sidecar = RunningSidecar::start(folder.path(), &config(""));
    sidecar.ready();
    assert_eq!(sidecar.metric("keyferry_config_loads_total"), Some(1.0));
    sidecar.signal(Signal::HUP);
    eventually("it is taken again", SOON, || {
        sidecar.metric("keyferry_config_loads_total") == Some(2.0)
    });
    let asked = Instant::now();
    let output = sidecar.end().expect(0);
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(
        delivered(folder.path()).contains(VALUE),
        "what was delivered stays"
    );
    output.assert_no_canary(&[VALUE]);
}

#[test]
fn row_60_what_an_earlier_run_left_counts_only_where_that_is_said() {
    for (more, ready) in [("", false), ("  acceptCached: true\n", true)] {
        let folder = folder(VALUE);
        RunningSidecar::start(folder.path(), &config("")).ready();
        fs::remove_file(folder.path().join("app.env.age")).unwrap();
        let sidecar = RunningSidecar::start(folder.path(), &config(more));
        eventually("the failure is told", SOON, || {
            sidecar.reasons().contains("missing")
        });
        assert_eq!(sidecar.is_ready(), ready, "{}", sidecar.reasons());
        assert!(delivered(folder.path()).contains(VALUE), "untouched");
        let age = sidecar.metric("keyferry_delivery_age_seconds{delivery=\"app\"}");
        assert_eq!(age.is_some(), ready);
    }
}

#[test]
fn row_61_too_old_is_not_ready_and_kept() {
    let folder = folder(VALUE);
    let sidecar = RunningSidecar::start(folder.path(), &config("  maxAge: 1s\n  refresh: 1h\n"));
    sidecar.ready();
    eventually("it is too old", SOON, || !sidecar.is_ready());
    assert!(
        sidecar.reasons().contains("maxAge is 1 s"),
        "{}",
        sidecar.reasons()
    );
    assert!(delivered(folder.path()).contains(VALUE));
}

#[test]
fn on_missing_decides_what_becomes_of_what_was_delivered() {
    for (rule, kept, ready) in [
        ("keep", true, true),
        ("unready", true, false),
        ("delete", false, false),
    ] {
        let folder = folder(VALUE);
        let sidecar =
            RunningSidecar::start(folder.path(), &config(&format!("  onMissing: {rule}\n")));
        sidecar.ready();
        fs::remove_file(folder.path().join("app.env.age")).unwrap();
        eventually("it is told", SOON, || sidecar.reasons().contains("missing"));
        eventually("it is decided", SOON, || {
            folder.path().join("out/app.env").exists() == kept
        });
        assert_eq!(sidecar.is_ready(), ready, "{rule}: {}", sidecar.reasons());
        put(folder.path(), OTHER);
        eventually("it comes back", SOON, || {
            delivered(folder.path()).contains(OTHER)
        });
        sidecar.ready();
    }
}

#[test]
fn row_62_a_hook_that_hangs_is_killed_with_its_children_and_the_next_change_is_served() {
    let folder = folder(VALUE);
    let script = "echo x >> seen; test -z \"$VAULT_TOKEN\" || echo leaked >> seen; sleep 300 & \
        echo $! > child; sleep 300";
    let more = format!("  onChange: [{{run: {{command: [sh, -c, '{script}'], timeout: 1s}}}}]\n");
    let sidecar = RunningSidecar::start_with(folder.path(), &config(&more), |run| {
        run.env("VAULT_TOKEN", "hvs.not-for-hooks")
    });
    sidecar.ready();
    put(folder.path(), OTHER);
    let failed = || sidecar.metric("keyferry_reactions_total{kind=\"run\",result=\"failed\"}");
    eventually("it is killed", SOON, || failed() == Some(1.0));
    let child = fs::read_to_string(folder.path().join("child")).unwrap();
    let gone = || {
        !Path::new("/proc").join(child.trim()).exists()
            || fs::read_to_string(format!("/proc/{}/stat", child.trim()))
                .unwrap_or_default()
                .contains(") Z ")
    };
    eventually("its child is gone too", SOON, gone);
    put(folder.path(), VALUE);
    eventually("the next change", SOON, || {
        delivered(folder.path()).contains(VALUE)
    });
    eventually("its reaction", SOON, || failed() >= Some(2.0));
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    assert!(!seen.contains("leaked"), "{seen}");
}

#[test]
fn a_reaction_that_is_owed_outlives_a_kill() {
    let folder = folder(VALUE);
    let path = folder.path();
    // The first sidecar's reaction hangs, so it is owed when the process is killed.
    let more = "  onChange: [{run: {command: [sh, hook], timeout: 60s}}]\n";
    fs::write(
        path.join("hook"),
        "exec >/dev/null 2>&1; echo begun >> seen; sleep 20",
    )
    .unwrap();
    let first = RunningSidecar::start(path, &config(more));
    first.ready();
    put(path, OTHER);
    eventually("it is begun", SOON, || lines(&path.join("seen")) == 1);
    assert!(path.join("out/.keyferry.owed.app").exists());
    first.kill();
    fs::write(path.join("hook"), "echo done >> seen").unwrap();
    let second = RunningSidecar::start(path, &config(more));
    eventually("it is done", SOON, || lines(&path.join("seen")) == 2);
    eventually("nothing is owed", SOON, || {
        !path.join("out/.keyferry.owed.app").exists()
    });
    second.end().expect(0);
}

#[test]
fn a_signal_reaches_the_process_that_is_meant() {
    let folder = folder(VALUE);
    let path = folder.path();
    let script = "trap 'echo hup >> seen' HUP; echo $$ > app.pid; while :; do sleep 0.1; done";
    let mut app = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(path)
        .spawn()
        .unwrap();
    eventually("the app runs", SOON, || lines(&path.join("app.pid")) == 1);
    let sidecar = RunningSidecar::start(
        path,
        &config("  onChange: [{signal: {pidFile: app.pid}}]\n"),
    );
    sidecar.ready();
    put(path, OTHER);
    eventually("it is signalled", SOON, || lines(&path.join("seen")) == 1);
    app.kill().unwrap();
    app.wait().unwrap();
    // Nobody there any more: nothing to tell, and no failure.
    put(path, VALUE);
    eventually("it is delivered", SOON, || delivered(path).contains(VALUE));
    let said = sidecar.end().expect(0).stderr;
    assert!(!said.contains("reaction failed"), "{said}");
}

/// What a receiver does, as docs/sidecar.md says it: the delivered names, if the call is ours,
/// recent and not known yet.
fn received(
    request: &Request,
    key: &[u8],
    known: &mut BTreeSet<String>,
    now: jiff::Timestamp,
) -> Result<serde_json::Value, &'static str> {
    let signature = request.header("x-keyferry-signature").unwrap_or_default();
    let digits = signature.strip_prefix("sha256=").ok_or("no signature")?;
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let tag = aws_lc_rs::hmac::sign(&key, &request.body);
    let ours: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if digits != ours {
        return Err("not signed by us");
    }
    let told: serde_json::Value = serde_json::from_slice(&request.body).map_err(|_| "no JSON")?;
    let time: jiff::Timestamp = told["time"]
        .as_str()
        .and_then(|time| time.parse().ok())
        .ok_or("no time")?;
    if now.duration_since(time).abs() > jiff::SignedDuration::from_mins(5) {
        return Err("too old");
    }
    let id = told["id"]
        .as_str()
        .filter(|id| !id.is_empty())
        .ok_or("no id")?;
    if !known.insert(id.to_owned()) {
        return Err("known");
    }
    Ok(told)
}

#[test]
fn row_137_a_webhook_gets_names_only_signed_with_a_time_and_an_id() {
    let folder = folder(VALUE);
    let calls = AtomicUsize::new(0);
    // The first call arrives and its answer does not say so: it comes again.
    let stub = Stub::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::text(500, "text/plain", ""),
        _ => Reply::text(200, "text/plain", ""),
    });
    fs::write(folder.path().join("hook.key"), "key\n").unwrap();
    let more = format!(
        "  onChange: [{{webhook: {{url: '{}/hook?token=x', keyFile: hook.key}}}}]\n",
        stub.url()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config(&more));
    sidecar.ready();
    put(folder.path(), OTHER);
    eventually("it is called twice", SOON, || stub.seen().len() == 2);
    let [first, again] = stub.seen().try_into().unwrap();
    let (mut known, now) = (BTreeSet::new(), jiff::Timestamp::now());
    let told = received(&first, b"key", &mut known, now).unwrap();
    assert_eq!(told["deliveries"], serde_json::json!(["app"]));
    assert!(!String::from_utf8_lossy(&first.body).contains(OTHER));
    assert_eq!(
        received(&again, b"key", &mut known, now),
        Err("known"),
        "one change is one id"
    );
    let later = now + jiff::SignedDuration::from_mins(6);
    assert_eq!(
        received(&first, b"key", &mut BTreeSet::new(), later),
        Err("too old")
    );
    let mut forged = first.clone();
    let body = String::from_utf8(forged.body).unwrap();
    forged.body = body.replace("\"id\":\"", "\"id\":\"f").into_bytes();
    assert_eq!(
        received(&forged, b"key", &mut BTreeSet::new(), now),
        Err("not signed by us")
    );
    // Another change is another call.
    put(folder.path(), VALUE);
    eventually("it is called again", SOON * 2, || stub.seen().len() == 3);
    received(&stub.seen()[2], b"key", &mut known, jiff::Timestamp::now()).unwrap();
    let said = sidecar.end().expect(0).stderr;
    assert!(
        !said.contains("token=x"),
        "an address may hold a token: {said}"
    );
}

/// `exec --watch` of a shell with this script, which finds the field `PASSWORD` in its environment.
fn watching(folder: &Path, more: &[&str], script: &str) -> Started {
    fs::write(folder.join("keyferry.yaml"), config("")).unwrap();
    keyferry()
        .dir(folder)
        .args(["exec", "--watch"])
        .args(more)
        .args(["--", "sh", "-c", script])
        .start()
}

#[test]
fn exec_watch_restarts_its_program_with_the_new_environment_and_ends_as_it_does() {
    let folder = folder(VALUE);
    let seen = folder.path().join("seen");
    let script = "echo $PASSWORD >> seen; trap 'exit 7' USR1; while :; do sleep 0.05; done";
    let watching = watching(folder.path(), &[], script);
    eventually("it runs", SOON, || lines(&seen) == 1);
    put(folder.path(), OTHER);
    eventually("it runs again", SOON, || lines(&seen) == 2);
    assert_eq!(
        fs::read_to_string(&seen).unwrap(),
        format!("{VALUE}\n{OTHER}\n")
    );
    put(folder.path(), OTHER);
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(lines(&seen), 2, "nothing changed");
    watching.signal(Signal::USR1);
    watching
        .finish()
        .expect(7)
        .assert_no_canary(&[VALUE, OTHER]);
}

#[test]
fn exec_watch_signals_instead_where_that_is_asked_for() {
    let folder = folder(VALUE);
    let seen = folder.path().join("seen");
    let script = "echo run >> seen; trap 'echo hup >> seen' HUP; trap 'exit 0' TERM; while :; do \
        sleep 0.05; done";
    let watching = watching(folder.path(), &["--on-change", "HUP"], script);
    eventually("it runs", SOON, || lines(&seen) == 1);
    put(folder.path(), OTHER);
    eventually("it is signalled", SOON, || lines(&seen) == 2);
    watching.signal(Signal::TERM);
    watching.finish().expect(0);
    assert_eq!(fs::read_to_string(&seen).unwrap(), "run\nhup\n");
}

#[test]
fn row_63_exec_watch_ends_by_the_signal_that_ends_its_program() {
    let folder = folder(VALUE);
    let watching = watching(folder.path(), &[], "echo x > seen; exec sleep 60");
    eventually("it runs", SOON, || lines(&folder.path().join("seen")) == 1);
    watching.signal(Signal::TERM);
    watching.finish().expect(143);
}

/// Every name in a text that could be a metric of ours.
fn metrics_in(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("keyferry_"))
        .collect()
}

#[test]
fn rules_dashboard_and_docs_name_metrics_that_exist() {
    const EXPLAINED: &str = "docs/metrics.md";
    let names: Vec<&str> = names().chain(keyferry::reflector::metrics()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    for file in [
        "deploy/monitoring/alerts.yaml",
        "deploy/monitoring/reflector-alerts.yaml",
        "deploy/monitoring/dashboard.json",
        EXPLAINED,
        "docs/sidecar.md",
        "docs/reflect.md",
        "docs/operate.md",
        "docs/troubleshooting.md",
    ] {
        let text = read(file);
        let used = metrics_in(&text);
        assert!(used.len() > 5 || file.starts_with("docs/"), "{file}");
        for name in used {
            assert!(names.contains(&name), "{file}: {name} is no metric");
        }
    }
    let text = read(EXPLAINED);
    let explained = metrics_in(&text);
    for name in names {
        assert!(
            explained.contains(&name),
            "{EXPLAINED} does not explain {name}"
        );
    }
}

#[test]
fn the_configuration_of_the_docs_is_one() {
    let docs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sidecar.md")).unwrap();
    let text = docs
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let text =
        format!("vault: {{address: 'http://127.0.0.1:1', auth: {{token: {{file: t}}}}}}\n{text}");
    let outside = Outside {
        env: &|_| None,
        read: &|_| Ok(text.clone()),
        list: &|_| Ok(None),
        root: None,
    };
    let config = match load(&["keyferry.yaml".into()], &outside) {
        Ok(config) => config,
        Err(problems) => panic!("{problems:?}"),
    };
    assert_eq!(config.deliveries[0].on_change.len(), 4);
}

#[test]
fn what_a_sidecar_cannot_promise_is_refused_with_its_line() {
    let rows = [
        ("  onDenied: delete\n", "`onDenied` cannot delete"),
        ("  onUnavailable: delete\n", "`onUnavailable` cannot delete"),
        ("  maxAge: soon\n", "no duration"),
        ("  refresh: 0s\n", "not between a second and a year"),
        (
            "  onChange: [{run: {command: []}}]\n",
            "`run` has no command",
        ),
        ("  onChange: [{}]\n", "a reaction needs exactly one of"),
        (
            "  onChange: [{signal: {process: a, pidFile: b}}]\n",
            "`signal` needs exactly one of",
        ),
        (
            "  onChange: [{signal: {process: a, signal: KILL}}]\n",
            "unknown word `KILL`",
        ),
        (
            "  onChange: [{restart: {deployment: a, daemonSet: b}}]\n",
            "`restart` needs exactly one of",
        ),
        (
            "  onChange: [{restart: {deployment: a/b/c}}]\n",
            "the workload's name",
        ),
        (
            "  onChange: [{webhook: {url: 'http://hooks.example/x'}}]\n",
            "is not https://",
        ),
    ];
    for (more, words) in rows {
        let folder = folder(VALUE);
        fs::write(folder.path().join("keyferry.yaml"), config(more)).unwrap();
        let output = keyferry()
            .dir(folder.path())
            .args(["check"])
            .run()
            .expect(2);
        assert!(output.stderr.contains(words), "{more}{}", output.stderr);
        assert!(
            output.stderr.contains("keyferry.yaml:6:")
                || output.stderr.contains("keyferry.yaml:3:"),
            "{more}{}",
            output.stderr
        );
    }
}
