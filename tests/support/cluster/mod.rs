//! A real Kubernetes control plane: etcd, API server, controller manager; no kubelet, so nothing
//! runs in it.
//!
//! `shared` is one per test binary, and a test keeps to namespaces of its own; `start_own` is for
//! tests that break it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::process::{Scratch, Server, first_that_starts, free_ports, ready};
use super::tls::Authority;
use super::tools;
use super::wire::Wire;

mod accounts;
mod audit;
pub(crate) mod kinds;
mod launch;
mod requests;

const LIMIT: Duration = Duration::from_secs(120);
const ADMIN: &str = "admin-token-of-this-test-cluster";

/// A running control plane. Dropping an own one ends its processes and removes its folder.
pub(crate) struct Cluster {
    controllers: Option<Server>,
    api: Server,
    etcd: Server,
    scratch: Scratch,
    port: u16,
    ca: String,
    next: AtomicU32,
}

impl Cluster {
    /// The one of this test binary; started by the first who asks.
    pub(crate) fn shared() -> &'static Self {
        // A failure is kept as well: the next hundred tests fail at once, with its message.
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        SHARED
            .get_or_init(Self::try_start)
            .as_ref()
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// One for a single test, which may stop and kill its parts.
    pub(crate) fn start_own() -> Self {
        Self::try_start().unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_start() -> Result<Self, String> {
        // Asked for before the clock of readiness runs: the first time they are built.
        let binaries = [
            tools::etcd(),
            tools::kube_apiserver(),
            tools::kube_controller_manager(),
        ];
        let mut cluster = first_that_starts("the control plane", || Self::attempt(binaries))?;
        cluster.controllers = Some(launch::controllers(binaries[2], &cluster.scratch));
        cluster.await_account("default", "default");
        Ok(cluster)
    }

    fn attempt([etcd, api, _]: [&Path; 3]) -> Result<Self, String> {
        let scratch = Scratch::new("cluster");
        let [etcd_port, peer_port, port] = free_ports();
        let etcd = launch::etcd(etcd, &scratch, etcd_port, peer_port)?;
        let authority = Authority::new();
        launch::write_credentials(&scratch, &authority, port);
        let cluster = Self {
            controllers: None,
            api: launch::api(api, &scratch, etcd_port, port),
            etcd,
            scratch,
            port,
            ca: authority.pem().to_owned(),
            next: AtomicU32::new(0),
        };
        cluster.ready()?;
        Ok(cluster)
    }

    /// Only our server has a certificate of our authority: a stranger on this port is never taken
    /// for it.
    fn ready(&self) -> Result<(), String> {
        let client = self.client(ADMIN);
        ready(&self.api, LIMIT, || {
            client
                .call("GET", "/readyz", "", b"")
                .is_ok_and(|answer| answer.status == 200)
        })
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The loopback port of the API server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The authority of the API server's certificate, as PEM.
    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// The file of that authority.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.scratch.path().join("kubeconfig")
    }

    /// A wire to the API server that looks out for some bytes in its answers, and the kubeconfig of
    /// whoever has this token there.
    pub(crate) fn wired(&self, token: &str, needle: &[u8]) -> (Wire, PathBuf) {
        let wire = Wire::to(self.client("").limit(Duration::from_secs(3600)), needle);
        let text = launch::kubeconfig(wire.port(), wire.ca(), token, "default");
        let name = format!("wire-{}.kubeconfig", self.count());
        let path = self.scratch.write(&name, text);
        (wire, path)
    }

    /// The administrator's token.
    pub(crate) fn admin_token(&self) -> &'static str {
        ADMIN
    }

    /// The API server's process.
    pub(crate) fn api_pid(&self) -> u32 {
        self.api.pid()
    }

    /// The API server's own log.
    pub(crate) fn log(&self) -> String {
        self.api.log()
    }
}

/// Faults; only for a cluster of one's own.
impl Cluster {
    /// SIGSTOP to the API server: it accepts connections and says nothing.
    pub(crate) fn stop_api(&self) {
        self.api.stop();
    }

    /// SIGCONT to the API server.
    pub(crate) fn cont_api(&self) {
        self.api.cont();
    }

    /// SIGKILL to the API server: connections are refused.
    pub(crate) fn kill_api(&self) {
        self.api.kill();
    }

    /// The API server again, on the same port with the same data; returns when it is ready.
    pub(crate) fn restart_api(&self) {
        self.api.restart();
        self.ready().unwrap_or_else(|why| panic!("restart: {why}"));
    }

    /// Keeps what is stored now. Both servers are restarted for it, because only a store at rest
    /// can be copied.
    pub(crate) fn keep_store(&self) {
        self.with_store_at_rest(copy);
    }

    /// Puts back what was kept: versions go back in time, as after a restore from a backup.
    pub(crate) fn restore_store(&self) {
        self.with_store_at_rest(|store, kept| {
            fs::remove_dir_all(store)?;
            copy(kept, store)
        });
    }

    fn with_store_at_rest(&self, work: impl Fn(&Path, &Path) -> io::Result<()>) {
        self.api.kill();
        self.etcd.kill();
        let folder = self.scratch.path();
        work(&folder.join("etcd"), &folder.join("etcd-kept")).expect("folders of our own");
        self.etcd.restart();
        self.restart_api();
    }

    /// SIGSTOP to etcd: the API server answers, late and with errors.
    pub(crate) fn stop_etcd(&self) {
        self.etcd.stop();
    }

    /// SIGCONT to etcd.
    pub(crate) fn cont_etcd(&self) {
        self.etcd.cont();
    }
}

/// A folder with all that is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
