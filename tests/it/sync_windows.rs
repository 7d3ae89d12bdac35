//! Sync windows of the sidecar: outside of them a change waits, is seen to wait, and is made when
//! the window opens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key, replace};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

fn put(folder: &Path, value: &str) {
    let text = format!("PASSWORD={value}\n");
    replace(&folder.join("app.env.age"), &age(&text));
}

fn folder(value: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), value);
    folder
}

fn delivered(folder: &Path) -> String {
    fs::read_to_string(folder.join("app.env")).unwrap_or_default()
}

/// `windows: […]` of an hour that begins at that time, in UTC.
fn window(from: Timestamp) -> String {
    let from = from.to_zoned(TimeZone::UTC).time();
    let to = from.wrapping_add(1.hour());
    let time = |time: jiff::civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
    format!("windows: [{{from: '{}', to: '{}'}}]", time(from), time(to))
}

fn shut() -> String {
    window(Timestamp::now() + 6.hours())
}

fn config(sidecar: &str, delivery: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{refresh: \
         1h{sidecar}}}\ndeliveries:\n- name: app\n  from: [{{age: app.env.age}}]\n  to: \
         [{{file: {{path: app.env}}}}]\n  onChange: [{{run: {{command: [sh, -c, 'echo x >> \
         seen']}}}}]\n{delivery}",
        age_key().display()
    )
}

#[test]
fn outside_its_window_a_change_is_seen_and_not_made() {
    let shut = shut();
    for (sidecar, delivery, waits) in [
        (format!(", {shut}"), String::new(), true),
        (String::new(), format!("  {shut}\n"), true),
        // A delivery's own windows are the only ones for it.
        (
            format!(", {shut}"),
            "  windows: [{zone: +01:00}]\n".to_owned(),
            false,
        ),
    ] {
        let folder = folder(VALUE);
        let path = folder.path();
        let sidecar = RunningSidecar::start(path, &config(&sidecar, &delivery));
        sidecar.ready();
        assert!(delivered(path).contains(VALUE), "the first is made at once");
        let waiting = || sidecar.metric("keyferry_delivery_waiting_targets{delivery=\"app\"}");
        assert_eq!(waiting(), Some(0.0));
        put(path, OTHER);
        if !waits {
            eventually("it is made", SOON, || delivered(path).contains(OTHER));
            continue;
        }
        eventually("it is seen", SOON, || waiting() == Some(1.0));
        let words = "a change of 1 target(s) waits until 20";
        assert!(sidecar.reasons().contains(words), "{}", sidecar.reasons());
        assert!(sidecar.is_ready());
        let status = sidecar.command("status").expect(0).stdout;
        assert!(status.contains(words), "{status}");
        // Looked at again, it still waits; taken back, nothing does.
        put(path, OTHER);
        std::thread::sleep(Duration::from_millis(1500));
        assert!(delivered(path).contains(VALUE) && waiting() == Some(1.0));
        put(path, VALUE);
        eventually("nothing waits", SOON, || waiting() == Some(0.0));
        put(path, OTHER);
        eventually("it waits again", SOON, || waiting() == Some(1.0));
        assert!(!path.join("seen").exists(), "nobody is told of it");
        // A start delivers, and so does a configuration without windows.
        sidecar.configure(&config("", ""));
        eventually("it is made", SOON, || delivered(path).contains(OTHER));
        eventually("the reaction", SOON, || path.join("seen").exists());
        let said = sidecar.end().expect(0);
        said.assert_no_canary(&[VALUE, OTHER]);
        let told = said.stderr.matches("a change waits for its window").count();
        assert_eq!(told, 2, "{}", said.stderr);
    }
}

#[test]
fn what_is_gone_is_removed_in_its_window_and_a_start_delivers_at_any_time() {
    let folder = folder(VALUE);
    let path = folder.path();
    let text = config(&format!(", {}", shut()), "  onMissing: delete\n");
    let sidecar = RunningSidecar::start(path, &text);
    sidecar.ready();
    fs::remove_file(path.join("app.env.age")).unwrap();
    let waiting = || sidecar.metric("keyferry_delivery_waiting_targets{delivery=\"app\"}");
    eventually("it is seen", SOON, || waiting() == Some(1.0));
    assert!(delivered(path).contains(VALUE));
    sidecar.end().expect(0);
    put(path, OTHER);
    let sidecar = RunningSidecar::start(path, &text);
    sidecar.ready();
    assert!(delivered(path).contains(OTHER));
}

#[test]
fn when_the_window_opens_the_change_is_made() {
    let folder = folder(VALUE);
    let path = folder.path();
    // The next full minute that leaves time to start.
    let next = Timestamp::from_second((Timestamp::now().as_second() + 8) / 60 * 60 + 60).unwrap();
    let sidecar = RunningSidecar::start(path, &config(&format!(", {}", window(next)), ""));
    sidecar.ready();
    put(path, OTHER);
    let waiting = || sidecar.metric("keyferry_delivery_waiting_targets{delivery=\"app\"}");
    eventually("it waits", SOON, || waiting() == Some(1.0));
    assert!(delivered(path).contains(VALUE) && Timestamp::now() < next);
    eventually("it is made", Duration::from_secs(90), || {
        delivered(path).contains(OTHER)
    });
    assert!(Timestamp::now() >= next);
    eventually("nothing waits", SOON, || waiting() == Some(0.0));
}

#[test]
fn a_program_runs_on_outside_the_window_with_what_it_has() {
    let folder = folder(VALUE);
    let path = folder.path();
    let config = path.join("keyferry.yaml");
    fs::write(&config, self::config(&format!(", {}", shut()), "")).unwrap();
    let script = "echo start >> starts; exec sleep 300";
    let going = keyferry()
        .dir(path)
        .args(["exec", "--watch", "--log", "info", "--config"])
        .args([&config])
        .args(["--", "sh", "-c", script])
        .start();
    let starts = || fs::read_to_string(path.join("starts")).unwrap_or_default();
    eventually("it runs", SOON, || starts() == "start\n");
    put(path, OTHER);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(starts(), "start\n");
    going.signal(rustix::process::Signal::TERM);
    let said = going.finish().stderr;
    assert!(said.contains("a change waits for its window"), "{said}");
}
