//! From a change at its source to the change where it is used: `keyferry sidecar` alone, against
//! what it promises.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::say;
use crate::spread::Spread;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually, free_ports, poll};
use crate::support::run::Run;
use crate::support::sidecar::replace;
use crate::support::tools;
use crate::table::{Line, Row, Target};

/// How often Vault is looked at, and what may come on top.
const REFRESH: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(1);

/// Long past every target, so that a miss is shown as the time that it took.
const LIMIT: Duration = Duration::from_secs(30);

/// From a write in Vault (KV v2) to the file, and to the process that is told by a signal.
pub(crate) fn vault(keyferry: &Path, rounds: usize) -> Row {
    let bao = OpenBao::start();
    let scratch = Scratch::new("bench-latency");
    let folder = scratch.path();
    let token = bao.token(&json!({"policies": ["root"], "ttl": "1h"}));
    scratch.write("token", &token);
    // A delivery a round: the same reaction starts only every 10 s.
    let mut deliveries = String::new();
    for round in 0..rounds {
        bao.put(&format!("app-{round}"), &json!({"PASSWORD": "before"}));
        deliveries += &format!(
            "  - {{name: app-{round}, from: [{{vault: kv/data/app-{round}}}], to: \
             [{{file: {{path: {round}.env}}}}], onChange: [{{signal: {{pidFile: {round}.pid, \
             signal: TERM}}}}]}}\n"
        );
    }
    let config = format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: {{refresh: \
         1s}}\ndeliveries:\n{deliveries}",
        bao.addr()
    );
    let _sidecar = sidecar(keyferry, &scratch, &config);
    eventually("all is delivered", LIMIT, || {
        (0..rounds).all(|round| holds(&folder.join(format!("{round}.env")), "before"))
    });
    let mut times = Vec::new();
    for round in 0..rounds {
        let mut told = Started::by(Command::new("sleep").arg("600"));
        scratch.write(&format!("{round}.pid"), told.0.id().to_string());
        wait_for_another_phase(round);
        let started = Instant::now();
        bao.put(&format!("app-{round}"), &json!({"PASSWORD": "after"}));
        let file = folder.join(format!("{round}.env"));
        let written = since(started, "the file", || holds(&file, "after"));
        let signalled = since(started, "the signal", || told.has_ended());
        times.push((written, signalled));
    }
    say(&format!("latency from Vault: {rounds} rounds"));
    row(
        "KV v2 written in Vault, looked at each second",
        REFRESH + GRACE,
        &[
            (
                "the file changed",
                times.iter().map(|time| time.0).collect(),
            ),
            (
                "the process signalled",
                times.iter().map(|time| time.1).collect(),
            ),
        ],
    )
}

/// From a SOPS file that was replaced to the file that is made of it.
pub(crate) fn sops(keyferry: &Path, rounds: usize) -> Row {
    let scratch = Scratch::new("bench-latency");
    let folder = scratch.path();
    let keygen = |args: &[&str]| {
        Run::of(tools::age_keygen())
            .dir(folder)
            .args(args)
            .run()
            .expect(0)
    };
    keygen(&["-o", "age.key"]);
    let recipient = keygen(&["-y", "age.key"]).stdout;
    let closed = |value: &str| {
        let file = scratch.write("open.yaml", format!("password: {value}\n"));
        let sops = Run::of(tools::sops()).args(["-e", "--age", recipient.trim()]);
        sops.args([file]).run().expect(0).bytes
    };
    let source = scratch.write("closed.yaml", closed("before"));
    let config = "keys: {age: [{file: age.key}]}\ndeliveries:\n  - {name: app, from: \
        [{sops: closed.yaml}], to: [{file: {path: app.env}}]}\n";
    let _sidecar = sidecar(keyferry, &scratch, config);
    let file = folder.join("app.env");
    eventually("it is delivered", LIMIT, || holds(&file, "before"));
    let times = (0..rounds).map(|round| {
        let value = format!("after-{round}.");
        let bytes = closed(&value);
        wait_for_another_phase(round);
        let started = Instant::now();
        replace(&source, &bytes);
        since(started, "the file", || holds(&file, &value))
    });
    let times = times.collect();
    say(&format!("latency from SOPS: {rounds} rounds"));
    row(
        "SOPS file replaced on disk",
        Duration::from_secs(1),
        &[("the file changed", times)],
    )
}

/// The slowest round is what a promise is about.
fn row(work: &str, most: Duration, seen: &[(&'static str, Vec<Duration>)]) -> Row {
    let lines = seen.iter().map(|(what, times)| Line {
        tool: format!("`keyferry sidecar`: {what}"),
        wall: Spread::of(times.iter().copied()),
        peak: None,
    });
    let targets = seen.iter().map(|(what, times)| Target::Seconds {
        what,
        most,
        seen: times.iter().copied().max().unwrap_or_default(),
    });
    Row {
        work: work.to_owned(),
        lines: lines.collect(),
        targets: targets.collect(),
    }
}

/// Rounds that follow each other at once would all meet the same moment between two looks.
fn wait_for_another_phase(round: usize) {
    let step = u64::try_from(round * 370 % 1000).unwrap_or_default();
    std::thread::sleep(Duration::from_millis(step));
}

fn since(started: Instant, what: &str, mut ask: impl FnMut() -> bool) -> Duration {
    let seen = poll(LIMIT, || ask().then(|| started.elapsed()));
    seen.unwrap_or_else(|| panic!("{what} did not come within {LIMIT:?}"))
}

fn holds(file: &Path, value: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(value))
}

/// A process that is killed when it is dropped.
struct Started(Child);

impl Started {
    fn by(command: &mut Command) -> Self {
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A sidecar in this folder.
fn sidecar(keyferry: &Path, scratch: &Scratch, config: &str) -> Started {
    scratch.write("keyferry.yaml", config);
    let log = fs::File::create(scratch.path().join("sidecar.log")).expect("a folder of our own");
    let [port] = free_ports();
    Started::by(
        Command::new(keyferry)
            .args(["sidecar", "--config", "keyferry.yaml", "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .current_dir(scratch.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log),
    )
}
