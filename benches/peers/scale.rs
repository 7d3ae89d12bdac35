//! A hundred sources in a thousand namespaces: the time and memory of each further 25,000 copies,
//! what a change, a new namespace and a restart cost then, and ten minutes of rest.
//!
//! Half an hour, so only when asked for by name. `--rounds N` makes N times 25,000 copies instead
//! of four times, and rests two and a half minutes for each.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::field::{Field, NAMESPACES, Running, count, gives_to, secret};
use crate::say;
use crate::spread::Spread;
use crate::table::{Line, Row, Target};

/// Sources of a step.
const STEP: usize = 25;
const STEPS: usize = 4;
const REST: Duration = Duration::from_secs(150);

/// At rest: requests a second, and parts of a thousand of one processor.
const REQUESTS: f64 = 2.0;
const PROCESSOR: f64 = 5.0;

/// How much more the last step may cost than the first, for "linear" to be the word; the machine is
/// not ours alone.
const BENT: f64 = 1.5;

/// Makes copies step by step.
pub(crate) fn row(keyferry: &Path, rounds: usize) -> Row {
    let steps = rounds.min(STEPS);
    say("scale: namespaces");
    let field = Field::new("bench-scale");
    let floor = field.floor();
    let running = field.start(keyferry);
    let (empty, server) = (running.resident(), field.server_memory());
    let mut lines = vec![line("1,000 plain creates (the floor)", floor, None)];
    let (mut walls, mut store) = (Vec::new(), vec![stored(&field)]);
    for step in 0..steps {
        let wall = grow(&field, &running, step);
        let copies = copies(step + 1);
        say(&format!("scale: {copies} copies after {wall:.1?} more"));
        let name = format!("copies {} to {copies}", copies - STEP * NAMESPACES + 1);
        lines.push(line(&name, wall, Some(running.resident())));
        walls.push(wall);
        store.push(stored(&field));
    }
    let all = copies(steps);
    let peak = running.peak();
    lines.push(line(
        "one source changes: its 1,000 copies",
        change(&field, &running),
        None,
    ));
    let settled = running.resident();
    let rest = rest(&field, &running, REST * u32::try_from(steps).unwrap_or(1));
    say(&format!("scale: {rest:?}"));
    lines.push(line(
        "rest: processor time",
        rest.processor,
        Some(rest.memory),
    ));
    let fresh = fresh_namespace(&field, &running, steps);
    lines.push(line("a new namespace: its first copies", fresh, None));
    drop(running);
    let again = Instant::now();
    let running = field.start(keyferry);
    running.until_all(all + STEP * steps);
    lines.push(line(
        "a restart, until all is known again",
        again.elapsed(),
        Some(running.peak()),
    ));
    let wrote = if running.written() == 0 { 0.0 } else { 1.0 };
    let grown = store
        .last()
        .zip(store.first())
        .map_or(0, |(last, first)| last.saturating_sub(*first));
    say(&format!(
        "scale: {} bytes in the store and {} in memory for a copy; {} MiB resident after the steps, peak {} MiB; \
         the API server has {} MiB, {} before",
        grown / count(all),
        settled.saturating_sub(empty) / count(all),
        settled >> 20,
        peak >> 20,
        field.server_memory() >> 20,
        server >> 20,
    ));
    Row {
        work: format!(
            "{} sources → {NAMESPACES} namespaces, {all} copies",
            STEP * steps
        ),
        targets: targets(&walls, &rest, wrote),
        lines,
    }
}

fn targets(walls: &[Duration], rest: &Rest, wrote: f64) -> Vec<Target> {
    let ends = walls.first().zip(walls.last());
    let bent = ends.map_or(1.0, |(first, last)| {
        last.as_secs_f64() / first.as_secs_f64()
    });
    let seconds = rest.wall.as_secs_f64();
    let exactly_none = |what, seen| Target::number(what, seen, 0.0);
    vec![
        Target::number("last step, of the first:", bent, BENT),
        exactly_none("writes at rest but to the Lease", rest.writes),
        Target::number(
            "requests a second at rest",
            rest.requests / seconds,
            REQUESTS,
        ),
        Target::number(
            "processor at rest, of a thousand:",
            rest.processor.as_secs_f64() / seconds * 1000.0,
            PROCESSOR,
        ),
        exactly_none("writes after a restart", wrote),
    ]
}

fn copies(steps: usize) -> usize {
    STEP * steps * NAMESPACES
}

fn line(tool: &str, wall: Duration, memory: Option<u64>) -> Line {
    Line {
        tool: tool.to_owned(),
        wall: Spread::of(std::iter::once(wall)),
        peak: memory.map(|memory| Spread::of(std::iter::once(memory))),
    }
}

fn source(at: usize) -> Value {
    let mut object = secret(&format!("s{at}"), &gives_to("bench-.*"));
    object["apiVersion"] = json!("v1");
    object["kind"] = json!("Secret");
    object
}

/// From the first new source to the last of their copies.
fn grow(field: &Field, running: &Running, step: usize) -> Duration {
    let start = Instant::now();
    for at in step * STEP..(step + 1) * STEP {
        let path = "/api/v1/namespaces/source/secrets";
        field.cluster.create(path, &source(at));
    }
    running.until_all(copies(step + 1));
    start.elapsed()
}

fn change(field: &Field, running: &Running) -> Duration {
    let before = running.written();
    let start = Instant::now();
    let mut object = source(0);
    object["data"]["password"] = json!("bmV3");
    let path = "/api/v1/namespaces/source/secrets/s0?fieldManager=bench&force=true";
    let (status, answer) = field.cluster.request("PATCH", path, Some(&object));
    assert_eq!(status, 200, "{answer}");
    running.until_written(before + count(NAMESPACES));
    start.elapsed()
}

fn fresh_namespace(field: &Field, running: &Running, steps: usize) -> Duration {
    let before = running.written();
    let start = Instant::now();
    let object = json!({"metadata": {"name": "bench-fresh"}});
    field.cluster.create("/api/v1/namespaces", &object);
    running.until_written(before + count(STEP * steps));
    start.elapsed()
}

/// What happened while nothing was asked for.
#[derive(Debug)]
struct Rest {
    wall: Duration,
    requests: f64,
    writes: f64,
    processor: Duration,
    memory: u64,
}

fn rest(field: &Field, running: &Running, time: Duration) -> Rest {
    // What the last change caused is no rest, nor is the memory that was freed after it.
    std::thread::sleep(Duration::from_secs(10));
    say(&format!("scale: rest of {} s", time.as_secs()));
    let (mark, before, start) = (
        field.cluster.audit_end(),
        running.processor(),
        Instant::now(),
    );
    std::thread::sleep(time);
    let (processor, wall) = (running.processor() - before, start.elapsed());
    let asked = field.cluster.audit_from(mark, "keyferry/");
    let writes = asked.iter().filter(|line| {
        let verb = line["verb"].as_str().unwrap_or_default();
        !["get", "list", "watch"].contains(&verb) && line["objectRef"]["resource"] != "leases"
    });
    Rest {
        wall,
        writes: writes.fold(0.0, |sum, _| sum + 1.0),
        requests: asked.iter().fold(0.0, |sum, _| sum + 1.0),
        processor,
        memory: running.resident(),
    }
}

/// Bytes of the store, as the API server tells them.
fn stored(field: &Field) -> u64 {
    let (_, metrics) = field.cluster.request("GET", "/metrics", None);
    let metrics = metrics.as_str().unwrap_or_default().to_owned();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("apiserver_storage_size_bytes"));
    let bytes = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    // Written as a float, and whole all the same.
    format!("{:.0}", bytes.unwrap_or_default())
        .parse()
        .unwrap_or_default()
}
