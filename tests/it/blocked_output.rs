//! What cannot be told holds up and ends nothing: standard error on a full disk, or a pipe that
//! nobody reads.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::http::Client;
use crate::support::process::{eventually, free_ports, poll};
use crate::support::run::binary;
use crate::support::sidecar::{SOON, age, age_key};
use crate::support::signals::{hears_signals, start_with_default_signals};

/// Where nothing can be written: a full disk, and a pipe whose reader is gone.
fn mute() -> [(&'static str, OwnedFd); 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [
        ("a full disk", full.into()),
        ("a pipe without a reader", writer.into()),
    ]
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.env.age"), age("PASSWORD=x\n")).unwrap();
    let config = format!(
        "keys: {{age: [{{file: {}}}]}}\ndeliveries:\n- {{name: app, from: \
         [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n",
        age_key().display()
    );
    fs::write(folder.path().join("keyferry.yaml"), config).unwrap();
    fs::write(folder.path().join("last"), "").unwrap();
    folder
}

fn call(folder: &Path, stderr: impl Into<Stdio>, arguments: &[&str]) -> Child {
    start_with_default_signals();
    Command::new(binary())
        .current_dir(folder)
        .env("KEYFERRY_TERMINATION_LOG", folder.join("last"))
        .args(["--log", "debug"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

#[test]
fn row_130_work_goes_on_where_nothing_can_be_told() {
    let rows: [(&[&str], i32, bool); 5] = [
        (&["job"], 0, true),
        (&["init"], 0, true),
        (&["plan"], 10, false),
        (
            &["exec", "--", "sh", "-c", "echo $PASSWORD > app.env"],
            0,
            true,
        ),
        (
            &[
                "exec",
                "--watch",
                "--",
                "sh",
                "-c",
                "echo $PASSWORD > app.env",
            ],
            0,
            true,
        ),
    ];
    for (arguments, code, delivers) in rows {
        for (what, stderr) in mute() {
            let folder = folder();
            let ended = call(folder.path(), stderr, arguments).wait().unwrap();
            assert_eq!(ended.code(), Some(code), "{arguments:?}, {what}: {ended}");
            let delivered = fs::read_to_string(folder.path().join("app.env"));
            assert_eq!(delivered.is_ok(), delivers, "{arguments:?}, {what}");
            if arguments == ["job"] {
                let last = fs::read_to_string(folder.path().join("last")).unwrap();
                assert!(
                    last.contains("in sync") && last.contains("did not take"),
                    "{last}"
                );
            }
        }
    }
}

#[test]
fn row_130_a_sidecar_counts_what_it_could_not_tell() {
    for (what, stderr) in mute() {
        let folder = folder();
        let [port] = free_ports();
        let listen = format!("127.0.0.1:{port}");
        let mut sidecar = call(folder.path(), stderr, &["sidecar", "--listen", &listen]);
        eventually("it delivers", SOON, || {
            folder.path().join("app.env").exists()
        });
        let metrics = || {
            let answer = Client::plain(port).call("GET", "/metrics", "", b"").ok();
            answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
        };
        eventually("it counts", SOON, || {
            let metrics = metrics().unwrap_or_default();
            let mut lines = metrics.lines();
            lines.any(|line| {
                line.starts_with("keyferry_log_dropped_total ") && !line.ends_with(" 0")
            })
        });
        assert_eq!(sidecar.try_wait().unwrap(), None, "{what}: it stays");
        kill_process(Pid::from_child(&sidecar), Signal::TERM).unwrap();
        assert_eq!(sidecar.wait().unwrap().code(), Some(0), "{what}");
    }
}

/// Standard error that takes nothing more, and its reader, which reads nothing.
fn stuck() -> (OwnedFd, OwnedFd) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    (reader.into(), writer.into())
}

#[test]
fn row_132_a_process_that_hangs_in_a_call_ends_on_term_and_at_once_on_a_second_signal() {
    // The log hangs, and with it the only thread that could end in order.
    for (second, code) in [(None, 143), (Some(Signal::INT), 130)] {
        let folder = folder();
        let (_reader, writer) = stuck();
        let mut going = call(folder.path(), writer, &["job"]);
        let pid = Pid::from_child(&going);
        eventually("it hears signals", SOON, || hears_signals(going.id()));
        kill_process(pid, Signal::TERM).unwrap();
        if let Some(second) = second {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(going.try_wait().unwrap(), None, "the first gives it time");
            kill_process(pid, second).unwrap();
        }
        let ended = poll(SOON, || going.try_wait().unwrap());
        drop(going.kill());
        let ended = ended.expect("it ends although it hangs");
        assert_eq!(ended.code(), Some(code), "{ended}");
        let last = fs::read_to_string(folder.path().join("last")).unwrap();
        assert!(last.starts_with("stopped by a signal"), "{last}");
    }
}
