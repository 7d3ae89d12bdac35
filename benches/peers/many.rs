//! Thousands of deliveries at once, beside a plain client that does the same reads and writes in
//! the same run.
//!
//! The plain client has as many connections as keyferry has requests at once, each on a thread of
//! its own, and decides nothing.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::field::Running;
use crate::launcher::{Contender, Sample};
use crate::say;
use crate::spread::Spread;
use crate::support::cluster::Cluster;
use crate::support::http::Client;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually};
use crate::table::{Line, Row, Target};

const MANY: usize = 2000;
const TWICE: usize = 2 * MANY;
const CHECKED: usize = 8000;
const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const MEMORY: f64 = 40.0;
const SIDECAR_MEMORY: f64 = 50.0;
const LIMIT: Duration = Duration::from_secs(120);

/// What one delivery goes to.
#[derive(Clone, Copy)]
enum To<'a> {
    /// A file in one folder that all share.
    File,
    /// A Secret of this namespace.
    Secret(&'a str),
}

/// 2,000 and 4,000 files.
pub(crate) fn files(keyferry: &Path, rounds: usize) -> Row {
    let field = Field::new();
    let rounds = rounds.min(ROUNDS);
    let (mut ours, mut plain, mut again, mut twice) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        field.empty();
        ours.push(field.job(keyferry, MANY, To::File));
        again.push(field.job(keyferry, MANY, To::File));
        field.empty();
        plain.push(field.plain(MANY, &|at, body| field.write(at, body)));
        field.empty();
        twice.push(field.job(keyferry, TWICE, To::File));
    }
    field.empty();
    let sidecar = field.sidecar(keyferry, MANY);
    say(&format!("many-files: {rounds} rounds"));
    Row {
        work: format!("{MANY} Vault paths → {MANY} files of one folder"),
        targets: vec![
            Target::times("wall", ratio(&walls(&ours), &plain), 1.5),
            Target::number("4,000 of 2,000:", ratio(&walls(&twice), &walls(&ours)), 2.1),
            Target::number("MiB", mebibytes(&ours), MEMORY),
            Target::number("MiB of the sidecar", sidecar, SIDECAR_MEMORY),
        ],
        lines: vec![
            line("`keyferry job`", &ours),
            line("`keyferry job` again: nothing to do", &again),
            line("`keyferry job`, 4,000", &twice),
            floor(&plain),
        ],
    }
}

/// 2,000 Secrets.
pub(crate) fn secrets(keyferry: &Path, rounds: usize) -> Row {
    let cluster = Cluster::start_own();
    let field = Field::new();
    fs::create_dir(field.scratch.path().join(".kube")).expect("a folder");
    let config = field.scratch.path().join(".kube/config");
    fs::copy(cluster.kubeconfig(), config).expect("copied");
    let (mut ours, mut plain) = (vec![], vec![]);
    for _ in 0..rounds.min(ROUNDS) {
        let mine = cluster.namespace();
        ours.push(field.job(keyferry, MANY, To::Secret(&mine)));
        let theirs = cluster.namespace();
        plain.push(field.applied(&cluster, &theirs));
    }
    Row {
        work: format!("{MANY} Vault paths → {MANY} Secrets"),
        targets: vec![
            Target::times("wall", ratio(&walls(&ours), &plain), 1.2),
            Target::number("MiB", mebibytes(&ours), MEMORY),
        ],
        lines: vec![line("`keyferry job`", &ours), floor(&plain)],
    }
}

/// The configuration of 8,000 deliveries.
pub(crate) fn check(keyferry: &Path, rounds: usize) -> Row {
    let scratch = Scratch::new("bench-check");
    fs::create_dir(scratch.path().join("out")).expect("a folder");
    scratch.write(
        "keyferry.yaml",
        configuration("http://127.0.0.1:1", CHECKED, To::File),
    );
    let samples: Vec<Sample> = (0..rounds)
        .map(|_| contender(keyferry, "check").sample(scratch.path()))
        .collect();
    let most = Duration::from_millis(500);
    Row {
        work: format!("`check` of {CHECKED} deliveries"),
        targets: vec![Target::seconds("wall", median(&walls(&samples)), most)],
        lines: vec![line("`keyferry check`", &samples)],
    }
}

/// A server with many secrets, and a folder.
struct Field {
    bao: OpenBao,
    scratch: Scratch,
}

impl Field {
    fn new() -> Self {
        let field = Self {
            bao: OpenBao::start(),
            scratch: Scratch::new("bench-many"),
        };
        field.scratch.write("token", field.bao.root_token());
        let token = field.scratch.path().join("token");
        fs::set_permissions(token, Permissions::from_mode(0o600)).expect("ours");
        field.each(TWICE, &|at| {
            let body = json!({"data": {"USER": format!("user{at}"), "PASSWORD": format!("Qx7pWz{at}")}});
            ("POST", body.to_string())
        }, &|_, _| ());
        field
    }

    /// Asks for each secret once, and does something with each answer.
    fn each(
        &self,
        count: usize,
        make: &(dyn Fn(usize) -> (&'static str, String) + Sync),
        then: &(dyn Fn(usize, &Value) + Sync),
    ) {
        std::thread::scope(|scope| {
            for first in 0..CONNECTIONS {
                scope.spawn(move || {
                    let client = Client::plain(self.bao.port());
                    let mut connection = client.connect().expect("a connection");
                    connection.header("X-Vault-Token", &self.bao.root_token());
                    for at in (first..count).step_by(CONNECTIONS) {
                        let (method, body) = make(at);
                        let path = format!("/v1/kv/data/many/{at}");
                        let answer =
                            connection.send(method, &path, "application/json", body.as_bytes());
                        let answer = answer.expect("an answer");
                        assert_eq!(answer.status, 200, "{method} {path}");
                        then(at, &answer.json()["data"]["data"]);
                    }
                });
            }
        });
    }

    fn plain(&self, count: usize, then: &(dyn Fn(usize, &Value) + Sync)) -> Duration {
        let start = Instant::now();
        self.each(count, &|_| ("GET", String::new()), then);
        start.elapsed()
    }

    /// A file as safe as ours: whole, private, on disk before it is named.
    fn write(&self, at: usize, data: &Value) {
        let out = self.scratch.path().join("out");
        let temporary = out.join(format!(".{at}.tmp"));
        let mut file = File::create(&temporary).expect("a file");
        file.set_permissions(Permissions::from_mode(0o400))
            .expect("ours");
        writeln!(file, "USER={}\nPASSWORD={}", data["USER"], data["PASSWORD"]).expect("written");
        file.sync_all().expect("flushed");
        fs::rename(&temporary, out.join(format!("{at}.env"))).expect("named");
        File::open(&out)
            .and_then(|out| out.sync_all())
            .expect("flushed");
    }

    /// Looks at each Secret, then applies it.
    fn applied(&self, cluster: &Cluster, namespace: &str) -> Duration {
        self.plain(MANY, &|at, data| {
            thread_local! {
                static SERVER: std::cell::RefCell<Option<crate::support::http::Connection>> =
                    const { std::cell::RefCell::new(None) };
            }
            SERVER.with_borrow_mut(|server| {
                let server = server.get_or_insert_with(|| cluster.connect());
                let path = format!("/api/v1/namespaces/{namespace}/secrets/s{at}");
                let kind = "application/apply-patch+yaml";
                let seen = server.send("GET", &path, kind, b"").expect("an answer");
                assert_eq!(seen.status, 404, "{path}");
                let object = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                    "metadata": {"name": format!("s{at}"), "namespace": namespace},
                    "stringData": data,
                });
                let path = format!("{path}?fieldManager=bench");
                let body = object.to_string();
                let made = server
                    .send("PATCH", &path, kind, body.as_bytes())
                    .expect("an answer");
                assert_eq!(made.status, 201, "{path}");
            });
        })
    }

    fn empty(&self) {
        let out = self.scratch.path().join("out");
        drop(fs::remove_dir_all(&out));
        fs::create_dir(&out).expect("a folder");
    }

    fn job(&self, keyferry: &Path, count: usize, to: To<'_>) -> Sample {
        let config = configuration(&self.bao.addr(), count, to);
        self.scratch.write("keyferry.yaml", config);
        let sample = contender(keyferry, "job").sample(self.scratch.path());
        if let To::File = to {
            assert_eq!(self.count(), count);
        }
        sample
    }

    fn count(&self) -> usize {
        let out = self.scratch.path().join("out");
        fs::read_dir(out).expect("a folder").count()
    }

    /// The memory of a sidecar that has delivered all, in MiB.
    fn sidecar(&self, keyferry: &Path, count: usize) -> f64 {
        let config = configuration(&self.bao.addr(), count, To::File);
        self.scratch.write("keyferry.yaml", config);
        let running = Running::start(keyferry, self.scratch.path(), "keyferry.yaml");
        eventually("all are there", LIMIT, || self.count() == count);
        mebibyte(running.peak())
    }
}

fn configuration(address: &str, count: usize, to: To<'_>) -> String {
    let mut text = format!(
        "name: bench\nvault: {{address: '{address}', auth: {{token: {{file: \
         token}}}}}}\ndeliveries:\n"
    );
    for at in 0..count {
        let to = match to {
            To::File => format!("file: {{path: out/{at}.env}}"),
            To::Secret(namespace) => format!("secret: {{name: s{at}, namespace: {namespace}}}"),
        };
        let _ = writeln!(
            text,
            "- {{name: d{at}, from: [{{vault: kv/data/many/{at}}}], to: [{{{to}}}]}}"
        );
    }
    text
}

fn contender(keyferry: &Path, mode: &str) -> Contender {
    Contender {
        name: format!("`keyferry {mode}`"),
        program: keyferry.display().to_string(),
        args: vec![mode.to_owned()],
    }
}

fn line(tool: &str, samples: &[Sample]) -> Line {
    Line {
        tool: tool.to_owned(),
        wall: Spread::of(samples.iter().map(|sample| sample.wall)),
        peak: Some(Spread::of(samples.iter().map(|sample| sample.peak))),
    }
}

fn floor(walls: &[Duration]) -> Line {
    Line {
        tool: "a plain client, the same reads and writes (the floor)".to_owned(),
        wall: Spread::of(walls.iter().copied()),
        peak: None,
    }
}

fn walls(samples: &[Sample]) -> Vec<Duration> {
    samples.iter().map(|sample| sample.wall).collect()
}

fn median(walls: &[Duration]) -> Duration {
    Spread::of(walls.iter().copied()).median
}

fn ratio(ours: &[Duration], others: &[Duration]) -> f64 {
    median(ours).as_secs_f64() / median(others).as_secs_f64()
}

fn mebibytes(samples: &[Sample]) -> f64 {
    mebibyte(Spread::of(samples.iter().map(|sample| sample.peak)).median)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of memory are far below 2^52"
)]
fn mebibyte(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
