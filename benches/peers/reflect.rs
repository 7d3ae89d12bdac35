//! One Secret in a thousand namespaces, with five thousand large Secrets of others in the cluster:
//! `job` once, `job` again, and the reflector, beside the same creates by plain connections in the
//! same run.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::field::{CONNECTIONS, Field, NAMESPACES, count, gives_to, secret};
use crate::launcher::{Contender, Sample};
use crate::say;
use crate::spread::Spread;
use crate::table::{Line, Row, Target};

const FOREIGN: usize = 5000;

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
        floor.push(bench.0.floor());
        first.push(bench.job(keyferry));
        second.push(bench.job(keyferry));
        bench.delete("app");
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
            tool: format!("1,000 plain creates by {CONNECTIONS} connections"),
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

struct Bench(Field);

impl Bench {
    fn new() -> Self {
        say("reflect: namespaces and foreign Secrets");
        let field = Field::new("bench-reflect");
        field.scratch.write(
            "job.yaml",
            "name: bench\ndeliveries:\n  - {name: copies, from: [{secret: \
             {namespace: source, name: origin}}], to: [{secret: \
             {name: app}, reflect: {namespaces: ['bench-*'], home: false}}]}\n",
        );
        let object = json!({"metadata": {"name": "foreign"}});
        field.cluster.create("/api/v1/namespaces", &object);
        let large = STANDARD.encode(vec![b'x'; 32 << 10]);
        field.each(FOREIGN, &|at| {
            let object = json!({"metadata": {"name": format!("f{at}")}, "data": {"value": large}});
            let path = "/api/v1/namespaces/foreign/secrets";
            ("POST", path.to_owned(), object)
        });
        let bench = Self(field);
        bench.create(&secret("origin", &json!({})));
        bench
    }

    fn create(&self, source: &Value) {
        let path = "/api/v1/namespaces/source/secrets";
        self.0.cluster.create(path, source);
    }

    fn delete(&self, name: &str) {
        assert_eq!(self.copies(name), NAMESPACES, "all of the work was done");
        self.0.delete(name);
    }

    fn copies(&self, name: &str) -> usize {
        let path = format!("/api/v1/secrets?fieldSelector=metadata.name={name}");
        let list = self.0.cluster.find(&path).expect("a list");
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
        contender.sample(self.0.scratch.path())
    }

    /// From the creation of the source to the last copy.
    fn live(&self, keyferry: &Path) -> Sample {
        let running = self.0.start(keyferry);
        let start = Instant::now();
        self.create(&secret("app", &gives_to("bench-.*")));
        running.until_written(count(NAMESPACES));
        let wall = start.elapsed();
        let peak = running.peak();
        drop(running);
        let (status, _) =
            self.0
                .cluster
                .request("DELETE", "/api/v1/namespaces/source/secrets/app", None);
        assert_eq!(status, 200);
        self.delete("app");
        Sample { wall, peak }
    }

    /// From the creation of a namespace to the last of its copies, one namespace after another.
    fn new_namespaces(&self, keyferry: &Path) -> Vec<Duration> {
        let running = self.0.start(keyferry);
        for at in 0..SOURCES {
            self.create(&secret(&format!("s{at}"), &gives_to("new-.*")));
        }
        let mut times = Vec::new();
        for at in 0..NEW {
            let start = Instant::now();
            let object = json!({"metadata": {"name": format!("new-{at}")}});
            self.0.cluster.create("/api/v1/namespaces", &object);
            running.until_written(count((at + 1) * SOURCES));
            times.push(start.elapsed());
        }
        times
    }
}
