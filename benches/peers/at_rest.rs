//! A minute at rest with three deliveries: `keyferry sidecar` beside OpenBao's agent in the same
//! role.
//!
//! Both rest in the same minute and look at Vault at the same interval. The time is the
//! processor's, user and system; the memory is the proportional set at the end, or the resident one
//! where the kernel does not let us see the former.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::field::agent_template;
use crate::say;
use crate::spread::Spread;
use crate::support::openbao::OpenBao;
use crate::support::process::{Scratch, eventually, free_ports};
use crate::support::tools;
use crate::table::{Line, Row, Target};

const APPS: [&str; 3] = ["common", "database", "service"];

/// What a pod's memory limit has to leave for it.
const MOST: u64 = 10 << 20;

/// A thousandth of a minute.
const CPU: Duration = Duration::from_millis(60);

const START: Duration = Duration::from_secs(30);

/// Ticks of a second in `/proc`: the same on every architecture that we build for.
const TICKS: u64 = 100;

/// `rounds` is not used: rest is not repeated.
pub(crate) fn row(keyferry: &Path, _rounds: usize) -> Row {
    let bao = OpenBao::start();
    for app in APPS {
        bao.put(app, &json!({"USER": app, "PASSWORD": "Qx7pWz"}));
    }
    let token = bao.token(&json!({"policies": ["root"], "ttl": "1h"}));
    let [port] = free_ports();
    let listen = format!("127.0.0.1:{port}");
    let ours = ["sidecar", "--config", "keyferry.yaml", "--listen", &listen];
    let peer = ["agent", "-config=agent.hcl", "-log-level=error"];
    // A copy: the server here is the same file, and in a pod the agent has nobody to share its
    // pages with.
    let alone = Scratch::new("bench-agent");
    let agent_alone = alone.path().join("bao");
    fs::copy(tools::bao(), &agent_alone).expect("a file can be copied");
    let both = [
        ("`keyferry sidecar`", keyferry, &ours[..]),
        ("`bao agent`", agent_alone.as_path(), &peer[..]),
    ]
    .map(|(name, program, args)| {
        let scratch = Scratch::new("bench-rest");
        scratch.write("token", &token);
        scratch.write("keyferry.yaml", configuration(&bao));
        scratch.write("agent.hcl", agent(&bao));
        (name, Running::start(program, args, &scratch), scratch)
    });
    for (name, _, scratch) in &both {
        eventually(name, START, || {
            let all = APPS.iter();
            all.clone()
                .all(|app| scratch.path().join(format!("{app}.env")).exists())
        });
    }
    // The start is not rest.
    std::thread::sleep(Duration::from_secs(5));
    say("both rest for a minute");
    let before = both.each_ref().map(|(_, running, _)| running.processor());
    std::thread::sleep(Duration::from_secs(60));
    let lines = std::array::from_fn(|side| {
        let (name, running, _) = &both[side];
        Line {
            tool: (*name).to_owned(),
            wall: Spread::of(std::iter::once(running.processor() - before[side])),
            peak: Some(Spread::of(std::iter::once(running.memory()))),
        }
    });
    judge(lines)
}

fn judge(lines: [Line; 2]) -> Row {
    let [ours, peer] = &lines;
    let memory = |line: &Line| line.peak.map_or(0, |peak| peak.median);
    Row {
        work: "A minute at rest, 3 deliveries (time: of the processor; memory: proportional set)"
            .to_owned(),
        targets: vec![
            Target::Bytes {
                what: "memory",
                most: MOST,
                seen: memory(ours),
            },
            Target::at_most("memory", float(memory(peer)) / float(memory(ours)), 5.0),
            Target::seconds("processor", ours.wall.median, CPU),
        ],
        lines: Vec::from(lines),
    }
}

fn configuration(bao: &OpenBao) -> String {
    let deliveries: String = APPS
        .iter()
        .map(|app| {
            format!(
                "  - {{name: {app}, from: [{{vault: kv/data/{app}}}], to: \
            [{{file: {{path: {app}.env}}}}]}}\n"
            )
        })
        .collect();
    format!(
        "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: {{refresh: \
         30s}}\ndeliveries:\n{deliveries}",
        bao.addr()
    )
}

fn agent(bao: &OpenBao) -> String {
    let templates: String = APPS
        .iter()
        .map(|app| agent_template(app, &["USER", "PASSWORD"]))
        .collect();
    format!(
        "vault {{ address = \"{}\" }}\nauto_auth {{\n  method \"token_file\" {{\n    config = {{ \
         token_file_path = \"token\" }}\n  }}\n}}\ntemplate_config {{ \
         static_secret_render_interval = \"30s\" }}\n{templates}",
        bao.addr()
    )
}

/// Ended when it is dropped.
struct Running(Child);

impl Running {
    fn start(program: &Path, args: &[&str], scratch: &Scratch) -> Self {
        let log = File::create(scratch.path().join("rest.log")).expect("a folder of our own");
        let child = Command::new(program)
            .args(args)
            .current_dir(scratch.path())
            .env_clear()
            .env("HOME", scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{}: {error}", program.display())))
    }

    /// What it used of a processor so far.
    fn processor(&self) -> Duration {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(')').expect("the name stands in brackets");
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|number| number.parse::<u64>().expect("a number of ticks"))
            .sum();
        Duration::from_millis(ticks * 1000 / TICKS)
    }

    fn memory(&self) -> u64 {
        let rollup = self.read("smaps_rollup");
        let status = self.read("status");
        let line = |text: &str, name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name).map(str::to_owned))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let kib = line(&rollup, "Pss:").or_else(|| line(&status, "VmRSS:"));
        kib.expect("it runs, and the kernel tells one of them") << 10
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of memory are far below 2^52"
)]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
