//! One Secret in a thousand namespaces, with five thousand large Secrets of others in the cluster: `job` once, `job` again, and
//! the reflector, beside the same creates by plain connections in the same run.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::contest::Spread;
use crate::launcher::{Contender, Sample};
use crate::say;
use crate::support::cluster::Cluster;
use crate::support::http::Client;
use crate::support::process::{Scratch, free_ports};
use crate::table::{Line, Row, Target};

const NAMESPACES: usize = 1000;
const FOREIGN: usize = 5000;
const CONNECTIONS: usize = 8;

/// At most so many times the plain creates.
const TIMES: f64 = 3.0;

/// New namespaces, one after another, and sources of which each gets a copy.
const NEW: usize = 100;
const SOURCES: usize = 10;

/// Sets the cluster up, then measures in turns.
pub(crate) fn row(keyferry: &Path, rounds: usize) -> Row {
    let bench = Bench::new();
    let rounds = rounds.clamp(1, 3);
    let (mut floor, mut first, mut second, mut live) = (vec![], vec![], vec![], vec![]);
    for round in 0..rounds {
        say(&format!("reflect: round {} of {rounds}", round + 1));
        floor.push(bench.floor());
        first.push(bench.job(keyferry));
        second.push(bench.job(keyferry));
        bench.delete("app", true);
        live.push(bench.live(keyferry));
    }
    say("reflect: new namespaces");
    let new = bench.new_namespaces(keyferry);
    let line = |tool: &str, samples: &[Sample]| Line {
        tool: tool.to_owned(),
        wall: Spread::of(samples.iter().map(|sample| sample.wall)),
        peak: Some(Spread::of(samples.iter().map(|sample| sample.peak))),
    };
    let lines = vec![
        line("`keyferry job`", &first),
        line("`keyferry job` again, all equal", &second),
        line("`keyferry sidecar`, by annotation", &live),
        Line {
            tool: format!("`keyferry sidecar`: {SOURCES} copies in a new namespace (of {NEW})"),
            wall: Spread::of(new.iter().copied()),
            peak: None,
        },
        Line {
            tool: "1,000 plain creates by 8 connections".to_owned(),
            wall: Spread::of(floor.iter().copied()),
            peak: None,
        },
    ];
    let bottom = lines[4].wall.median.as_secs_f64();
    let times = |line: &Line| line.wall.median.as_secs_f64() / bottom;
    let targets = vec![
        Target::times("job", times(&lines[0]), TIMES),
        Target::times("reflector", times(&lines[2]), TIMES),
        Target::seconds("second job", lines[1].wall.median, Duration::from_secs(1)),
        Target::seconds("new namespace", lines[3].wall.max, Duration::from_secs(1)),
        Target::Bytes {
            what: "reflector's memory",
            most: 30 << 20,
            seen: lines[2].peak.map_or(0, |peak| peak.max),
        },
    ];
    Row {
        work: format!("1 Secret → {NAMESPACES} namespaces, {FOREIGN} foreign Secrets of 32 KiB"),
        lines,
        targets,
    }
}

struct Bench {
    cluster: Cluster,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Self {
        let cluster = Cluster::start_own();
        let scratch = Scratch::new("bench-reflect");
        fs::create_dir(scratch.path().join(".kube")).expect("a folder");
        fs::copy(cluster.kubeconfig(), scratch.path().join(".kube/config")).expect("copied");
        scratch.write(
            "job.yaml",
            "deliveries:\n  - {name: copies, from: [{secret: {namespace: source, name: origin}}], to: [{secret: {name: app}, reflect: {namespaces: ['bench-*'], home: false}}]}\n",
        );
        scratch.write(
            "reflector.yaml",
            "reflector: {lease: {namespace: source}}\n",
        );
        let bench = Self { cluster, scratch };
        say("reflect: namespaces and foreign Secrets");
        bench.each(NAMESPACES, &|at| {
            (
                "POST",
                "/api/v1/namespaces".to_owned(),
                json!({"metadata": {"name": format!("bench-{at}")}}),
            )
        });
        for name in ["source", "foreign"] {
            let object = json!({"metadata": {"name": name}});
            bench.cluster.create("/api/v1/namespaces", &object);
        }
        let large = STANDARD.encode(vec![b'x'; 32 << 10]);
        bench.each(FOREIGN, &|at| {
            let object = json!({"metadata": {"name": format!("f{at}")}, "data": {"value": large}});
            (
                "POST",
                "/api/v1/namespaces/foreign/secrets".to_owned(),
                object,
            )
        });
        bench.cluster.create(
            "/api/v1/namespaces/source/secrets",
            &secret("origin", &json!({})),
        );
        bench
    }

    /// Requests by plain connections; each must succeed.
    fn each(&self, count: usize, make: &(dyn Fn(usize) -> (&'static str, String, Value) + Sync)) {
        std::thread::scope(|scope| {
            for first in 0..CONNECTIONS {
                scope.spawn(move || {
                    let mut connection = self.cluster.connect();
                    for at in (first..count).step_by(CONNECTIONS) {
                        let (method, path, body) = make(at);
                        let body = if body.is_null() {
                            String::new()
                        } else {
                            body.to_string()
                        };
                        let answer =
                            connection.send(method, &path, "application/json", body.as_bytes());
                        let answer = answer.expect("an answer");
                        assert!(answer.status < 300, "{method} {path}: {}", answer.status);
                    }
                });
            }
        });
    }

    fn floor(&self) -> Duration {
        let start = Instant::now();
        self.each(NAMESPACES, &|at| {
            ("POST", secrets(at), secret("floor", &json!({})))
        });
        let wall = start.elapsed();
        self.delete("floor", false);
        wall
    }

    fn delete(&self, name: &str, check: bool) {
        if check {
            assert_eq!(self.copies(name), NAMESPACES, "all of the work was done");
        }
        self.each(NAMESPACES, &|at| {
            ("DELETE", format!("{}/{name}", secrets(at)), Value::Null)
        });
    }

    fn copies(&self, name: &str) -> usize {
        let path = format!("/api/v1/secrets?fieldSelector=metadata.name={name}");
        let list = self.cluster.find(&path).expect("a list");
        list["items"].as_array().map_or(0, |items| {
            items
                .iter()
                .filter(|item| item["metadata"]["namespace"] != "source")
                .count()
        })
    }

    fn job(&self, keyferry: &Path) -> Sample {
        let contender = Contender {
            name: "`keyferry job`".to_owned(),
            program: keyferry.display().to_string(),
            args: ["job", "--config", "job.yaml"].map(str::to_owned).to_vec(),
        };
        contender.sample(self.scratch.path())
    }

    /// From the creation of the source to the last copy.
    fn live(&self, keyferry: &Path) -> Sample {
        let running = self.start(keyferry);
        let start = Instant::now();
        self.cluster.create(
            "/api/v1/namespaces/source/secrets",
            &secret("app", &gives()),
        );
        running.until_copies(NAMESPACES);
        let wall = start.elapsed();
        let peak = running.peak();
        drop(running);
        let (status, _) =
            self.cluster
                .request("DELETE", "/api/v1/namespaces/source/secrets/app", None);
        assert_eq!(status, 200);
        self.delete("app", true);
        Sample { wall, peak }
    }

    /// From the creation of a namespace to the last of its copies, one namespace after another.
    fn new_namespaces(&self, keyferry: &Path) -> Vec<Duration> {
        let running = self.start(keyferry);
        for at in 0..SOURCES {
            let mut notes = gives();
            notes["reflector.v1.k8s.emberstack.com/reflection-auto-namespaces"] = json!("new-.*");
            self.cluster.create(
                "/api/v1/namespaces/source/secrets",
                &secret(&format!("s{at}"), &notes),
            );
        }
        let mut times = Vec::new();
        for at in 0..NEW {
            let start = Instant::now();
            let object = json!({"metadata": {"name": format!("new-{at}")}});
            self.cluster.create("/api/v1/namespaces", &object);
            running.until_copies((at + 1) * SOURCES);
            times.push(start.elapsed());
        }
        times
    }

    fn start(&self, keyferry: &Path) -> Running {
        let [port] = free_ports();
        let child = Command::new(keyferry)
            .args([
                "sidecar",
                "--config",
                "reflector.yaml",
                "--log",
                "error",
                "--listen",
            ])
            .arg(format!("127.0.0.1:{port}"))
            .current_dir(self.scratch.path())
            .env_clear()
            .env("HOME", self.scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("keyferry starts");
        let running = Running { child, port };
        running.until("/readyz", &|text| text.contains("reflector: ok, "));
        running
    }
}

/// A reflector; it ends when this is dropped.
struct Running {
    child: Child,
    port: u16,
}

impl Running {
    fn until(&self, path: &str, good: &dyn Fn(&str) -> bool) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let answer = Client::plain(self.port).call("GET", path, "", b"");
            let text = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
            if text.as_deref().is_ok_and(good) {
                return;
            }
            assert!(Instant::now() < end, "not in time: {text:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// So many are written, as its own counter says; what the cluster has is counted afterwards.
    fn until_copies(&self, count: usize) {
        let line =
            format!("keyferry_reflector_jobs_total{{job=\"write\",result=\"ok\"}} {count}\n");
        self.until("/metrics", &|text| text.contains(&line));
    }

    fn peak(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib
            .and_then(|kib| kib.trim().parse().ok())
            .expect("a number");
        kib << 10
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
    }
}

fn secrets(at: usize) -> String {
    format!("/api/v1/namespaces/bench-{at}/secrets")
}

fn secret(name: &str, notes: &Value) -> Value {
    json!({"metadata": {"name": name, "annotations": notes}, "type": "Opaque", "data": {"user": "dXNlcg==", "password": "cGFzc3dvcmQ="}})
}

fn gives() -> Value {
    let key = |name: &str| format!("reflector.v1.k8s.emberstack.com/reflection-{name}");
    json!({key("allowed"): "true", key("auto-enabled"): "true", key("auto-namespaces"): "bench-.*"})
}
