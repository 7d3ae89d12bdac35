//! A running sidecar, and what a test asks of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::http::Client;
use super::process::{eventually, free_ports};
use super::run::{Output, Run, Started, keyferry, keyferry_first};

/// Long enough for anything that is not about time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// Open descriptors.
    pub(crate) files: usize,
    pub(crate) threads: usize,
    /// The highest resident size so far.
    pub(crate) peak_kib: usize,
}

/// A sidecar that runs. Dropping it kills it.
pub(crate) struct RunningSidecar {
    started: Started,
    port: u16,
    config: PathBuf,
}

impl RunningSidecar {
    /// Starts one with this configuration in this folder.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::start_with(folder, config, |run| run)
    }

    /// The same, called in some way.
    pub(crate) fn start_with(folder: &Path, config: &str, call: impl FnOnce(Run) -> Run) -> Self {
        Self::start_as(keyferry(), folder, config, call)
    }

    /// The same as the first process of a container.
    pub(crate) fn start_first(folder: &Path, config: &str) -> Self {
        Self::start_as(keyferry_first(), folder, config, |run| run)
    }

    fn start_as(keyferry: Run, folder: &Path, config: &str, call: impl FnOnce(Run) -> Run) -> Self {
        let path = folder.join("keyferry.yaml");
        std::fs::write(&path, config).expect("a folder of the test");
        let [port] = free_ports();
        let run = keyferry
            .limit(Duration::from_secs(900))
            .dir(folder)
            .env("KEYFERRY_CONFIG", &path)
            .env("KEYFERRY_LISTEN", format!("127.0.0.1:{port}"))
            .args(["sidecar", "--log", "debug"]);
        let sidecar = Self {
            started: call(run).start(),
            port,
            config: path,
        };
        eventually("it listens", SOON, || sidecar.ask("/livez").is_some());
        sidecar
    }

    /// Status and body of one of its paths; nothing when nobody answers.
    pub(crate) fn ask(&self, path: &str) -> Option<(u16, String)> {
        let answer = Client::plain(self.port).call("GET", path, "", b"").ok()?;
        Some((
            answer.status,
            String::from_utf8_lossy(&answer.body).into_owned(),
        ))
    }

    /// All that it answers, byte for byte; it closes behind that.
    pub(crate) fn raw(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a socket");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        .expect("a socket");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Where a browser finds its page.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Whether it says that everything is delivered.
    pub(crate) fn is_ready(&self) -> bool {
        self.ask("/readyz").is_some_and(|(status, _)| status == 200)
    }

    /// The lines of `/readyz`.
    pub(crate) fn reasons(&self) -> String {
        self.ask("/readyz")
            .map(|(_, text)| text)
            .unwrap_or_default()
    }

    /// Waits until everything is delivered.
    #[track_caller]
    pub(crate) fn ready(&self) -> &Self {
        let ready = super::process::poll(SOON, || self.is_ready().then_some(()));
        assert!(ready.is_some(), "not ready: {}", self.reasons());
        self
    }

    /// The value of one sample, named with its labels.
    pub(crate) fn metric(&self, sample: &str) -> Option<f64> {
        let (_, text) = self.ask("/metrics")?;
        let line = text.lines().find(|line| {
            line.strip_prefix(sample)
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Its log until now.
    pub(crate) fn log_so_far(&self) -> String {
        self.started.messages_so_far()
    }

    /// Gives it another configuration.
    pub(crate) fn configure(&self, text: &str) {
        replace(&self.config, text.as_bytes());
    }

    /// `ready` or `status`, asked as a person or a kubelet does.
    pub(crate) fn command(&self, words: &str) -> Output {
        keyferry()
            .env("KEYFERRY_LISTEN", format!("127.0.0.1:{}", self.port))
            .args(words.split(' '))
            .run()
    }

    /// What it holds of the machine now.
    pub(crate) fn weight(&self) -> Weight {
        let proc = Path::new("/proc").join(self.pid().to_string());
        let entries = |of: &str| std::fs::read_dir(proc.join(of)).expect("it runs").count();
        let status = std::fs::read_to_string(proc.join("status")).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.expect("every process has one").trim();
        Weight {
            files: entries("fd"),
            threads: entries("task"),
            peak_kib: peak
                .trim_end_matches(" kB")
                .parse()
                .expect("a number of kB"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.started.pid()
    }

    /// See `Started::first`.
    pub(crate) fn first(&self) -> Pid {
        self.started.first()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.started.signal(signal);
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Output {
        self.started.finish()
    }

    /// SIGTERM, and all that it said.
    pub(crate) fn end(self) -> Output {
        self.started.signal(Signal::TERM);
        self.ended()
    }

    /// All that it said, of one that was told to end: a second signal would be one to abort.
    pub(crate) fn ended(self) -> Output {
        self.started.finish()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) -> Output {
        self.started.signal(Signal::KILL);
        self.started.finish()
    }
}

/// Puts a file in place in one step, as editors and kubelets do.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, bytes).expect("a folder of the test");
    std::fs::rename(&fresh, path).expect("a rename");
}

/// Encrypts for the key of `tests/vectors/age/made/x25519.key`.
pub(crate) fn age(text: &str) -> Vec<u8> {
    let key = std::fs::read_to_string(age_key()).expect("a vector");
    let identity: age::x25519::Identity = key
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .expect("a key")
        .parse()
        .expect("a key");
    let recipient = identity.to_public();
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).expect("a recipient");
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).expect("memory");
    writer.write_all(text.as_bytes()).expect("memory");
    writer.finish().expect("memory");
    file
}

/// The key that opens what [`age()`] encrypts.
pub(crate) fn age_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/age/made/x25519.key")
}
