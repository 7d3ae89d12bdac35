//! A real OpenBao per test: its own ports, root token, folder and audit log; a KV v2 engine is
//! mounted at `kv/`.
//!
//! Not `-dev`: a configured server starts as fast, can be sealed, and always has an audit log (2.7
//! takes audit devices from its configuration only). The tests' own questions go to a plain
//! listener, also when the tested one is broken TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::process::{Scratch, Server, first_that_starts, free_ports, ready, text};
use super::tls::{Authority, Identity};
use super::tools;

mod requests;

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
        let bao = first_that_starts("bao server", || Self::attempt(settings))
            .unwrap_or_else(|why| panic!("{why}"));
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

    /// The plain listener's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The TLS listener's port, of a server that has one.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.expect("this server was started with TLS")
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

    /// A second server on our port would already be initialised: that is a lost race for the port,
    /// not ours to use.
    fn init(&self) -> Result<(), String> {
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let (status, answer) = self
            .ask("", "PUT", "sys/init", Some(&shares))
            .map_err(text)?;
        let word = |value: &serde_json::Value| value.as_str().map(str::to_owned);
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
            "storage \"raft\" {{\n  path = \"{folder}\"\n  node_id = \"one\"\n  \
             performance_multiplier = \"1\"\n}}\n"
        )
    } else {
        "storage \"inmem\" {}\n".to_owned()
    };
    let mut text = storage
        + &format!(
            "api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \
             \"http://127.0.0.1:{cluster}\"\n"
        )
        + &format!(
            "audit \"file\" \"file\" {{\n  options {{ file_path = \"{folder}/audit.log\" }}\n}}\n"
        )
        + &format!(
            "listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \
             \"127.0.0.1:{cluster}\"\n  tls_disable = true\n}}\n"
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
            "listener \"tcp\" {{\n  address = \"127.0.0.1:{tls_port}\"\n  cluster_address = \
             \"127.0.0.1:{cluster}\"\n  tls_cert_file = \"{}\"\n  tls_key_file = \
             \"{}\"\n{lines}\n}}\n",
            certificate.display(),
            key.display()
        );
    }
    text
}
