//! A cluster of its own with a thousand namespaces, and a reflector in it: what `reflect` and
//! `scale` measure on.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::http::Client;
use crate::support::process::{Scratch, eventually, free_ports, poll};

/// Namespaces that copies go to.
pub(crate) const NAMESPACES: usize = 1000;

/// As many as a reflector writes at once unless it is told otherwise.
pub(crate) const CONNECTIONS: usize = 16;

/// Ticks of a second in `/proc`: the same on every architecture that we build for.
const TICKS: u64 = 100;

/// Long enough for a page of pages on a busy machine.
const LIMIT: Duration = Duration::from_secs(1800);

/// A request of many: method, path and body.
pub(crate) type Asked = (&'static str, String, Value);

/// The cluster, and a folder whose kubeconfig keyferry finds by itself.
pub(crate) struct Field {
    pub(crate) cluster: Cluster,
    pub(crate) scratch: Scratch,
}

impl Field {
    pub(crate) fn new(name: &str) -> Self {
        let cluster = Cluster::start_own();
        let scratch = Scratch::new(name);
        fs::create_dir(scratch.path().join(".kube")).expect("a folder");
        fs::copy(cluster.kubeconfig(), scratch.path().join(".kube/config")).expect("copied");
        scratch.write(
            "reflector.yaml",
            "name: bench\nreflector: {sources: {namespaces: ['*']}, lease: {namespace: source}}\n",
        );
        let field = Self { cluster, scratch };
        field.each(NAMESPACES, &|at| {
            let object = json!({"metadata": {"name": format!("bench-{at}")}});
            ("POST", "/api/v1/namespaces".to_owned(), object)
        });
        let object = json!({"metadata": {"name": "source"}});
        field.cluster.create("/api/v1/namespaces", &object);
        field.settled();
        field
    }

    /// The cluster's own controllers put a ConfigMap into each namespace, which is no part of
    /// anyone's work.
    fn settled(&self) {
        let path = format!("/api/v1/namespaces/bench-{}/configmaps", NAMESPACES - 1);
        let last = format!("{path}/kube-root-ca.crt");
        eventually("the namespaces are complete", LIMIT, || {
            self.cluster.find(&last).is_some()
        });
    }

    /// Requests by plain connections, as many as a reflector has; each must succeed.
    pub(crate) fn each(&self, count: usize, make: &(dyn Fn(usize) -> Asked + Sync)) {
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

    /// The same number of copies by plain connections.
    pub(crate) fn floor(&self) -> Duration {
        let start = Instant::now();
        self.each(NAMESPACES, &|at| {
            ("POST", secrets(at), secret("floor", &json!({})))
        });
        let wall = start.elapsed();
        self.delete("floor");
        wall
    }

    pub(crate) fn delete(&self, name: &str) {
        self.each(NAMESPACES, &|at| {
            ("DELETE", format!("{}/{name}", secrets(at)), Value::Null)
        });
    }

    /// The memory that the API server has.
    pub(crate) fn server_memory(&self) -> u64 {
        memory(self.cluster.api_pid(), "VmRSS:")
    }

    /// Starts a reflector and waits until it has listed everything.
    pub(crate) fn start(&self, keyferry: &Path) -> Running {
        let running = Running::start(keyferry, self.scratch.path(), "reflector.yaml");
        running.until("/readyz", &|text| text.contains("reflector: ok, "));
        running
    }
}

/// A sidecar; it ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Starts one with this configuration of a folder, which is its home too.
    pub(crate) fn start(keyferry: &Path, folder: &Path, config: &str) -> Self {
        let [port] = free_ports();
        let child = Command::new(keyferry)
            .args(["sidecar", "--config", config, "--log", "error"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("keyferry starts");
        Self { child, port }
    }

    fn ask(&self, path: &str) -> Result<String, String> {
        let answer = Client::plain(self.port).call("GET", path, "", b"");
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    fn until(&self, path: &str, good: &dyn Fn(&str) -> bool) {
        let seen = poll(LIMIT, || self.ask(path).ok().filter(|text| good(text)));
        assert!(seen.is_some(), "not in time: {:?}", self.ask(path));
    }

    /// Copies written so far, as its own counter says.
    pub(crate) fn written(&self) -> u64 {
        let name = "keyferry_reflector_jobs_total{job=\"write\",result=\"ok\"} ";
        let text = self.ask("/metrics").unwrap_or_default();
        let number = text.lines().find_map(|line| line.strip_prefix(name));
        number.map_or(0, |number| number.parse().expect("a count"))
    }

    /// At least so many were written since it started.
    pub(crate) fn until_written(&self, count: u64) {
        let seen = poll(LIMIT, || (self.written() >= count).then_some(()));
        assert!(seen.is_some(), "not in time: {:?}", self.ask("/metrics"));
    }

    /// All that is asked for is there, as it sees it, and nothing waits.
    pub(crate) fn until_all(&self, count: usize) {
        let lines = [("copies_wanted", count), ("copies", count), ("queue", 0)]
            .map(|(name, count)| format!("\nkeyferry_reflector_{name} {count}\n"));
        // Asked rarely: to answer is work too, and these figures change once a second.
        self.until("/metrics", &|text| {
            std::thread::sleep(Duration::from_millis(200));
            lines.iter().all(|line| text.contains(line))
        });
    }

    /// The most memory that it had.
    pub(crate) fn peak(&self) -> u64 {
        memory(self.child.id(), "VmHWM:")
    }

    /// The memory that it has.
    pub(crate) fn resident(&self) -> u64 {
        memory(self.child.id(), "VmRSS:")
    }

    /// What it used of a processor so far.
    pub(crate) fn processor(&self) -> Duration {
        let stat = proc(self.child.id(), "stat");
        let (_, fields) = stat.rsplit_once(')').expect("the name stands in brackets");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks
            .map(|number| number.parse::<u64>().expect("ticks"))
            .sum();
        Duration::from_millis(ticks * 1000 / TICKS)
    }
}

fn proc(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it runs")
}

fn memory(pid: u32, name: &str) -> u64 {
    let status = proc(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib
        .and_then(|kib| kib.trim().parse().ok())
        .expect("a number");
    kib << 10
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
    }
}

/// The template of Vault Agent for one `.env` file of these fields.
pub(crate) fn agent_template(app: &str, fields: &[&str]) -> String {
    let lines: String = fields
        .iter()
        .map(|field| format!("{field}={{{{ .Data.data.{field} }}}}\\n"))
        .collect();
    let contents = format!("{{{{ with secret \\\"kv/data/{app}\\\" }}}}{lines}{{{{ end }}}}");
    format!(
        "template {{\n  contents = \"{contents}\"\n  destination = \"{app}.env\"\n  perms = \
         \"0400\"\n}}\n"
    )
}

/// Where Secrets of a namespace are.
pub(crate) fn secrets(at: usize) -> String {
    format!("/api/v1/namespaces/bench-{at}/secrets")
}

/// A small Secret.
pub(crate) fn secret(name: &str, notes: &Value) -> Value {
    json!({"metadata": {"name": name, "annotations": notes}, "type": "Opaque", "data": {"user": "dXNlcg==", "password": "cGFzc3dvcmQ="}})
}

/// The words of a source that gives to namespaces of this pattern.
pub(crate) fn gives_to(pattern: &str) -> Value {
    let key = |name: &str| format!("reflector.v1.k8s.emberstack.com/reflection-{name}");
    json!({key("allowed"): "true", key("auto-enabled"): "true", key("auto-namespaces"): pattern})
}

/// As the numbers of bytes and of the reflector's own counters are.
pub(crate) fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
