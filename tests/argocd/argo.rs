//! Argo CD as its users have it: Applications, their state, and the command `argocd`.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::support::node::Node;
use crate::support::process::poll;
use crate::support::run::{Output, Run};

/// Long enough for a failed sync to be tried again: Argo CD does that five times, and the last time
/// after 80 s.
const LONG: Duration = Duration::from_secs(300);

/// The Argo CD that `tests/argocd/run` started, and its cluster.
pub(crate) struct Argo {
    pub(crate) node: &'static Node,
    server: String,
}

impl Argo {
    /// The one of this run. It knows the health check of the GitOps platform.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Argo> = OnceLock::new();
        SHARED.get_or_init(Self::connect)
    }

    fn connect() -> Self {
        let server = std::env::var_os("KEYFERRY_ARGOCD_SERVER")
            .expect("no Argo CD: tests/argocd/run starts these tests, and one");
        let node = Node::shared();
        let check = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/gitops-platform/argocd/argocd-cm.yaml");
        let patch = ["-n", "argocd", "patch", "configmap", "argocd-cm"];
        let file = format!("--patch-file={}", check.display());
        node.kubectl(&[&patch[..], &[&file]].concat());
        Self {
            node,
            server: server.into_string().unwrap(),
        }
    }

    /// An Application, if it is there.
    pub(crate) fn application(&self, name: &str) -> Option<Value> {
        self.node.find("argocd", "applications.argoproj.io", name)
    }

    /// Waits for an answer; a panic shows what Argo CD says of all Applications instead.
    pub(crate) fn await_that<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        poll(LONG, ask).unwrap_or_else(|| {
            let ask = |args: &[&str]| self.node.try_kubectl(args, "").stdout;
            let list = ask(&["-n", "argocd", "get", "applications"]);
            let told = ask(&["-n", "argocd", "describe", "applications"]);
            let pods = ask(&["describe", "pods,jobs", "--all-namespaces"]);
            panic!("{what}: not within {LONG:?}\n{told}\n{pods}\n{list}")
        })
    }

    /// Waits until an Application has this commit, and all of it is well. Gives it.
    pub(crate) fn await_synced(&self, name: &str, commit: &str) -> Value {
        self.await_that(&format!("{name} has {commit}"), || {
            let application = self.application(name)?;
            let status = &application["status"];
            let operation = &status["operationState"];
            let well = status["sync"]["status"] == "Synced"
                && status["health"]["status"] == "Healthy"
                && operation["phase"] == "Succeeded"
                && operation["syncResult"]["revision"] == commit;
            well.then_some(application)
        })
    }

    /// Waits until a hook of a sync failed. Gives what the sync says of it.
    pub(crate) fn await_failed_hook(&self, name: &str) -> String {
        self.await_that(&format!("a hook of {name} fails"), || {
            let application = self.application(name)?;
            let resources = &application["status"]["operationState"]["syncResult"]["resources"];
            let mut resources = resources.as_array()?.iter();
            let failed = resources.find(|resource| resource["hookPhase"] == "Failed")?;
            Some(failed["message"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// Lets Argo CD look at Git and the cluster at once, and waits until it has.
    pub(crate) fn refresh(&self, name: &str) {
        let mark = "argocd.argoproj.io/refresh";
        let set = format!("{mark}=hard");
        let annotate = ["-n", "argocd", "annotate", "--overwrite", "application"];
        self.node.kubectl(&[&annotate[..], &[name, &set]].concat());
        self.await_that(&format!("{name} is refreshed"), || {
            let application = self.application(name)?;
            let waiting = &application["metadata"]["annotations"][mark];
            waiting.is_null().then_some(())
        });
    }

    /// Argo CD looks again and again, finds all as it should be, starts no sync, and leaves the
    /// Secret alone.
    pub(crate) fn assert_at_rest(&self, names: &[&str], namespace: &str, secret: &str) {
        let state = || {
            let started = names.iter().map(|name| {
                let status = self.application(name).expect("it is there")["status"].take();
                assert_eq!(status["sync"]["status"], "Synced", "{name}: {status}");
                status["operationState"]["startedAt"].clone()
            });
            let started: Vec<Value> = started.collect();
            let secret = self.node.find(namespace, "secret", secret);
            let version = secret.expect("it is there")["metadata"]["resourceVersion"].take();
            (started, version)
        };
        let before = state();
        for _ in 0..4 {
            for name in names {
                self.refresh(name);
            }
            // What Argo CD wants to mend, it mends within a second or two of a refresh.
            std::thread::sleep(Duration::from_secs(3));
            assert_eq!(state(), before);
        }
    }

    /// The command `argocd`.
    pub(crate) fn command(&self, args: &[&str]) -> Output {
        Run::of("argocd")
            .env("HOME", "/nonexistent")
            .args(["--server", &self.server, "--plaintext"])
            .args(args)
            .limit(LONG)
            .run()
    }

    /// What a user sees of an Application: each object with its health, and why.
    pub(crate) fn tree(&self, name: &str) -> String {
        self.command(&["app", "get", name, "--output", "tree=detailed"])
            .expect(0)
            .stdout
    }
}
