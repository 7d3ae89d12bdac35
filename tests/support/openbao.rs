//! A real OpenBao per test: its own ports, root token, folder and audit log; a KV v2 engine is mounted at `kv/`.
//!
//! Not `-dev`: a configured server starts as fast, can be sealed, and always has an audit log (2.7 takes audit devices
//! from its configuration only). The tests' own questions go to a plain listener, also when the tested one is broken TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Client;
use super::process::{Scratch, Server, first_that_starts, free_ports, poll, ready, text};
use super::tls::{Authority, Identity};
use super::tools;

const LIMIT: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends the process and removes its folder.
pub(crate) struct OpenBao {
    server: Server,
    scratch: Scratch,
    port: u16,
    tls_port: Option<u16>,
    /// One unseal key, and the root token; set by `init`.
    keys: Mutex<(String, String)>,
}

/// What differs from the usual server.
#[derive(Default)]
pub(crate) struct Settings {
    /// Keeps its data over `restart`; costs two seconds at the start (a Raft election).
    pub(crate) durable: bool,
    /// A second listener with this certificate; `addr` is then the `https` one.
    pub(crate) tls: Option<Tls>,
}

/// The TLS listener.
pub(crate) struct Tls {
    /// What it serves.
    pub(crate) identity: Identity,
    /// The authority's certificate for `ca_file`.
    pub(crate) ca: String,
    /// More lines of the listener's configuration, such as `tls_max_version = "tls11"`.
    pub(crate) lines: String,
}

impl OpenBao {
    /// The usual one: plain HTTP, in memory, unsealed.
    pub(crate) fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    /// Keeps its data over `kill` and `restart` (it comes back sealed: `unseal` it).
    pub(crate) fn start_sealable() -> Self {
        Self::start_with(&Settings {
            durable: true,
            tls: None,
        })
    }

    /// HTTPS by a certificate of a fresh authority, whose file is `ca_file`.
    pub(crate) fn start_tls() -> Self {
        let authority = Authority::new();
        let tls = Tls {
            identity: authority.issue(&["127.0.0.1", "localhost"]),
            ca: authority.pem().to_owned(),
            lines: String::new(),
        };
        Self::start_with(&Settings {
            durable: false,
            tls: Some(tls),
        })
    }

    /// Any of the above.
    pub(crate) fn start_with(settings: &Settings) -> Self {
        let bao = first_that_starts("bao server", || Self::attempt(settings));
        bao.post(
            "sys/mounts/kv",
            &json!({"type": "kv", "options": {"version": "2"}}),
        );
        bao.kv2_is_ready("kv");
        bao
    }

    fn attempt(settings: &Settings) -> Result<Self, String> {
        let scratch = Scratch::new("openbao");
        let [port, cluster, tls_port] = free_ports();
        let config = scratch.write(
            "bao.hcl",
            configuration(settings, &scratch, port, cluster, tls_port),
        );
        let mut command = Command::new(tools::bao());
        command
            .arg("server")
            .arg(format!("-config={}", config.display()))
            .env_clear()
            .env("HOME", scratch.path());
        let server = Server::start("bao", command, scratch.path());
        let tls_port = settings.tls.as_ref().map(|_| tls_port);
        let bao = Self {
            server,
            scratch,
            port,
            tls_port,
            keys: Mutex::default(),
        };
        bao.listening()?;
        bao.init()?;
        Ok(bao)
    }

    /// What a client is configured with: `http://127.0.0.1:PORT`, or `https://…` for a TLS one.
    pub(crate) fn addr(&self) -> String {
        match self.tls_port {
            Some(port) => format!("https://127.0.0.1:{port}"),
            None => self.plain_addr(),
        }
    }

    /// The plain listener, also when there is a TLS one.
    pub(crate) fn plain_addr(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The authority of a TLS server.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// A folder of this server, for token files and the like.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// May do everything.
    pub(crate) fn root_token(&self) -> String {
        self.keys
            .lock()
            .expect("no test panics while it holds the keys")
            .1
            .clone()
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// The server's own log.
    pub(crate) fn log(&self) -> String {
        self.server.log()
    }
}

/// Questions and changes. A path is `kv/data/x` or `/v1/kv/data/x`; the answer is the whole JSON.
impl OpenBao {
    /// Writes as root; panics on a refusal.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.expect("POST", path, Some(body))
    }

    /// Reads as root; panics on a refusal.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect("GET", path, None)
    }

    /// Lists as root; panics on a refusal.
    pub(crate) fn list(&self, path: &str) -> Value {
        self.expect("LIST", path, None)
    }

    /// Deletes as root; panics on a refusal.
    pub(crate) fn delete(&self, path: &str) -> Value {
        self.expect("DELETE", path, None)
    }

    /// Asks with any token (`""` for none) and gives status and JSON, whatever they are.
    pub(crate) fn request(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.ask(token, method, path, body)
            .unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.server.log_tail()))
    }

    /// A new version of `kv/data/PATH`.
    pub(crate) fn put(&self, path: &str, data: &Value) -> Value {
        self.post(&format!("kv/data/{path}"), &json!({"data": data}))
    }

    /// A KV version 1 engine at `mount`.
    pub(crate) fn enable_kv1(&self, mount: &str) {
        self.post(
            &format!("sys/mounts/{mount}"),
            &json!({"type": "kv", "options": {"version": "1"}}),
        );
    }

    /// Another KV version 2 engine.
    pub(crate) fn enable_kv2(&self, mount: &str) {
        self.post(
            &format!("sys/mounts/{mount}"),
            &json!({"type": "kv", "options": {"version": "2"}}),
        );
        self.kv2_is_ready(mount);
    }

    /// A policy, in the policy language.
    pub(crate) fn policy(&self, name: &str, rules: &str) {
        self.post(
            &format!("sys/policies/acl/{name}"),
            &json!({"policy": rules}),
        );
    }

    /// A token made with `sys`-style settings such as `{"policies": ["p"], "ttl": "1h"}`.
    pub(crate) fn token(&self, settings: &Value) -> String {
        let answer = self.post("auth/token/create", settings);
        answer["auth"]["client_token"]
            .as_str()
            .expect("a new token")
            .to_owned()
    }

    /// Every audited request and response so far, oldest first; values are hashed by the server.
    pub(crate) fn audit_log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.scratch.path().join("audit.log")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("an audit line is JSON"))
            .collect()
    }

    /// `METHOD path` of each audited request, such as `update auth/kubernetes/login`, oldest first.
    pub(crate) fn audited(&self) -> Vec<String> {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let requests = self
            .audit_log()
            .into_iter()
            .filter(|entry| entry["type"] == "request");
        requests
            .map(|e| {
                format!(
                    "{} {}",
                    word(&e["request"]["operation"]),
                    word(&e["request"]["path"])
                )
            })
            .collect()
    }

    fn expect(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.request(&self.root_token(), method, path, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let mut client = Client::plain(self.port);
        if !token.is_empty() {
            client = client.with("X-Vault-Token", token);
        }
        let path = path.trim_start_matches('/').trim_start_matches("v1/");
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = client.call(
            method,
            &format!("/v1/{path}"),
            "application/json",
            body.as_bytes(),
        )?;
        Ok((answer.status, answer.json()))
    }

    /// A new engine upgrades itself for a moment and answers 400 until then.
    fn kv2_is_ready(&self, mount: &str) {
        let path = format!("{mount}/config");
        let answer = poll(LIMIT, || {
            (self.request(&self.root_token(), "GET", &path, None).0 == 200).then_some(())
        });
        answer.unwrap_or_else(|| panic!("{mount} stays in its upgrade"));
    }
}

/// Faults and what undoes them.
impl OpenBao {
    /// Every request gets 503 "sealed" until `unseal`.
    pub(crate) fn seal(&self) {
        self.post("sys/seal", &json!({}));
    }

    /// Undoes `seal`, and is needed after `restart`. Returns when the server is active.
    pub(crate) fn unseal(&self) {
        self.open().unwrap_or_else(|why| panic!("unseal: {why}"));
    }

    /// SIGSTOP: it accepts connections and says nothing.
    pub(crate) fn stop(&self) {
        self.server.stop();
    }

    /// SIGCONT.
    pub(crate) fn cont(&self) {
        self.server.cont();
    }

    /// SIGKILL: connections are refused.
    pub(crate) fn kill(&self) {
        self.server.kill();
    }

    /// Starts it again on the same ports, sealed; only a durable one still has its data.
    pub(crate) fn restart(&self) {
        self.server.restart();
        self.listening()
            .unwrap_or_else(|why| panic!("restart: {why}"));
    }

    fn listening(&self) -> Result<(), String> {
        ready(&self.server, LIMIT, || {
            self.ask("", "GET", "sys/seal-status", None).is_ok()
        })
    }

    /// A second server on our port would already be initialised: that is a lost race for the port, not ours to use.
    fn init(&self) -> Result<(), String> {
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let (status, answer) = self
            .ask("", "PUT", "sys/init", Some(&shares))
            .map_err(text)?;
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let keys = word(&answer["keys_base64"][0]).zip(word(&answer["root_token"]));
        *self.keys.lock().expect("nobody else knows this server") =
            keys.ok_or(format!("init: {status} {answer}"))?;
        self.open()
    }

    fn open(&self) -> Result<(), String> {
        let key = self
            .keys
            .lock()
            .expect("no test panics while it holds the keys")
            .0
            .clone();
        self.ask("", "PUT", "sys/unseal", Some(&json!({"key": key})))
            .map_err(text)?;
        let root = self.root_token();
        ready(&self.server, LIMIT, || {
            self.ask(&root, "GET", "auth/token/lookup-self", None)
                .is_ok_and(|(status, _)| status == 200)
        })
    }
}

fn configuration(
    settings: &Settings,
    scratch: &Scratch,
    port: u16,
    cluster: u16,
    tls_port: u16,
) -> String {
    let folder = scratch.path().display();
    let storage = if settings.durable {
        format!(
            "storage \"raft\" {{\n  path = \"{folder}\"\n  node_id = \"one\"\n  performance_multiplier = \"1\"\n}}\n"
        )
    } else {
        "storage \"inmem\" {}\n".to_owned()
    };
    let mut text = storage
        + &format!(
            "api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \"http://127.0.0.1:{cluster}\"\n"
        )
        + &format!(
            "audit \"file\" \"file\" {{\n  options {{ file_path = \"{folder}/audit.log\" }}\n}}\n"
        )
        + &format!(
            "listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  tls_disable = true\n}}\n"
        );
    if let Some(Tls {
        identity,
        ca,
        lines,
    }) = &settings.tls
    {
        scratch.write("ca.crt", ca);
        let certificate = scratch.write("tls.crt", &identity.certificate);
        let key = scratch.write("tls.key", &identity.key);
        text += &format!(
            "listener \"tcp\" {{\n  address = \"127.0.0.1:{tls_port}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"\n{lines}\n}}\n",
            certificate.display(),
            key.display()
        );
    }
    text
}
