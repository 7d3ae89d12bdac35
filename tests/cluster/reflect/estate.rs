//! Namespaces whose names begin alike, objects in them, and a reflector that looks at no others.

use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry::config::Reflector;
use keyferry::config::environment::Outside;
use keyferry::config::load::load;
use keyferry::kubernetes::connect_with;
use keyferry::reflector::{self, Liveness};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{CANARY, held};
use crate::support::cluster::Cluster;
use crate::support::process::{eventually, poll};

pub(super) const EMBERSTACK: &str = "reflector.v1.k8s.emberstack.com/";
pub(super) const MITTWALD: &str = "replicator.v1.mittwald.de/";

/// Long enough for a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// The usual words of a source; more follow after a `;`.
pub(super) const GIVES: &str = "reflection-allowed=true;reflection-auto-enabled=true";

pub(super) struct Estate {
    pub(super) cluster: &'static Cluster,
    pub(super) prefix: String,
    running: Option<Running>,
}

struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    liveness: Liveness,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the reflector panicked");
        }
    }
}

/// `a=b;c=d` with the prefix that each key belongs to.
pub(super) fn annotations(text: &str) -> Value {
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| {
            let prefix = match key {
                key if key.contains('/') => "",
                "accept" => "keyferry.io/",
                key if key.starts_with("repli") || key == "strip-labels" => MITTWALD,
                _ => EMBERSTACK,
            };
            (format!("{prefix}{key}"), json!(value))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

impl Estate {
    /// With namespaces `PREFIX-a`, `PREFIX-b`, …, without labels.
    pub(super) fn new(namespaces: &str) -> Self {
        Self::on(Cluster::shared(), namespaces)
    }

    pub(super) fn on(cluster: &'static Cluster, namespaces: &str) -> Self {
        let estate = Self {
            cluster,
            prefix: cluster.namespace(),
            running: None,
        };
        for name in namespaces.split_whitespace() {
            estate.namespace(name, &json!({}));
        }
        estate
    }

    pub(super) fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.prefix)
    }

    /// Makes a namespace, or sets its labels.
    pub(super) fn namespace(&self, short: &str, labels: &Value) {
        let name = self.name(short);
        let path = format!("/api/v1/namespaces/{name}?fieldManager=test&force=true");
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        let (status, answer) = self.cluster.request("PATCH", &path, Some(&object));
        assert!(status < 300, "{answer}");
    }

    pub(super) fn annotate_namespace(&self, short: &str, notes: &str) {
        let name = self.name(short);
        let path = format!("/api/v1/namespaces/{name}?fieldManager=notes&force=true");
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations(notes)}});
        let (status, answer) = self.cluster.request("PATCH", &path, Some(&object));
        assert!(status < 300, "{answer}");
    }

    /// Starts a reflector, or another one in its place. `PREFIX` in the text is ours.
    pub(super) fn reflector(&mut self, text: &str) {
        self.stop();
        let config = self.config(text);
        let kubeconfig = self.cluster.kubeconfig();
        self.start(config, kubeconfig);
    }

    pub(super) fn start(&mut self, config: Reflector, kubeconfig: std::path::PathBuf) {
        // What it says is shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let (stop, stopped) = oneshot::channel();
        let liveness = Liveness::default();
        let shared = liveness.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let cluster = connect_with(kubeconfig, Instant::now() + SOON).await;
                let cluster = cluster.expect("the kubeconfig is good");
                let stopped = async {
                    let _ = stopped.await;
                };
                reflector::run(&config, &cluster, &shared, stopped).await;
            });
        });
        self.running = Some(Running {
            stop: Some(stop),
            thread: Some(thread),
            liveness,
        });
        eventually("all is listed", SOON, || self.liveness().is_ready());
    }

    /// The configuration with both ceilings at our namespaces, unless it says others.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.replace("PREFIX", &self.prefix);
        for ceiling in ["sources", "targets"] {
            if !text.contains(ceiling) {
                let own = format!("{{{ceiling}: {{namespaces: [\"{}-*\"]}}, ", self.prefix);
                text = text.replacen('{', &own, 1);
            }
        }
        if !text.contains("lease") {
            let own = format!("{{lease: {{namespace: {}}}, ", self.prefix);
            text = text.replacen('{', &own, 1);
        }
        format!(
            "name: estate\nreflector: {text}\nmarkKey: {{namespace: {}}}\n",
            self.prefix
        )
    }

    pub(super) fn config(&self, text: &str) -> Reflector {
        let text = self.text(text);
        let outside = Outside {
            env: &|_| None,
            read: &|_| Ok(text.clone()),
            list: &|_| Ok(None),
            root: None,
        };
        let config = load(&["keyferry.yaml".into()], &outside);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        config.reflector.expect("it is declared")
    }

    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    pub(super) fn liveness(&self) -> &Liveness {
        &self.running.as_ref().expect("it runs").liveness
    }

    /// A figure of the running reflector: `queue`, or `refused{reason="Denied"}`.
    pub(super) fn figure(&self, name: &str) -> String {
        let name = format!("keyferry_reflector_{name}");
        let figures = self.liveness().figures();
        let values = figures.iter().flat_map(|figure| {
            let values = figure.values.iter();
            values.map(move |(labels, value)| (figure.name, labels, value))
        });
        let mut values = values.filter(|(of, labels, _)| {
            let labels = labels.iter();
            let labels = labels.map(|(key, value)| format!("{{{key}={value:?}}}"));
            format!("{of}{}", labels.collect::<String>()) == name
        });
        values
            .next()
            .map_or_else(String::new, |(_, _, value)| value.to_string())
    }

    /// Puts a Secret (`a/x`) with annotations and data (`k=v k=v`), as whoever maintains it would;
    /// one that is there changes.
    pub(super) fn put(&self, at: &str, notes: &str, data: &str) {
        self.put_typed(at, notes, data, "Opaque");
    }

    pub(super) fn put_typed(&self, at: &str, notes: &str, data: &str, kind: &str) {
        let data: serde_json::Map<String, Value> = data
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| {
                (
                    key.to_owned(),
                    json!(STANDARD.encode(format!("{CANARY}{value}"))),
                )
            })
            .collect();
        let (_, name) = self.place(at);
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "annotations": annotations(notes)}, "data": data,
        });
        self.apply(at, "secrets", &object);
    }

    pub(super) fn apply(&self, at: &str, resource: &str, object: &Value) {
        let (namespace, name) = self.place(at);
        let path = format!(
            "/api/v1/namespaces/{namespace}/{resource}/{name}?fieldManager=test&force=true"
        );
        let (status, answer) = self.cluster.request("PATCH", &path, Some(object));
        assert!(status < 300, "{answer}");
    }

    /// As `kubectl edit` would: a plain update of what is there.
    pub(super) fn edit(&self, at: &str, change: impl Fn(&mut Value)) {
        let (namespace, name) = self.place(at);
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        for _ in 0..20 {
            let mut object = self.cluster.find(&path).expect("it is there");
            change(&mut object);
            let (status, answer) = self.cluster.request(
                "PUT",
                &format!("{path}?fieldManager=kubectl-edit"),
                Some(&object),
            );
            if status != 409 {
                assert!(status < 300, "{answer}");
                return;
            }
        }
        panic!("{at} is never at rest");
    }

    pub(super) fn delete(&self, at: &str) {
        let (namespace, name) = self.place(at);
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        let (status, answer) = self.cluster.request("DELETE", &path, None);
        assert!(status < 300, "{answer}");
    }

    /// `a/x` with our namespace's whole name; a namespace that begins with `=` is named as it is.
    pub(super) fn place<'a>(&self, at: &'a str) -> (String, &'a str) {
        let (namespace, name) = at.split_once('/').expect("namespace/name");
        match namespace.strip_prefix('=') {
            Some(whole) => (whole.to_owned(), name),
            None => (self.name(namespace), name),
        }
    }

    pub(super) fn held(&self, at: &str) -> Option<String> {
        let (namespace, name) = self.place(at);
        held(self.cluster, &namespace, name)
    }

    pub(super) fn secret(&self, at: &str) -> Value {
        let (namespace, name) = self.place(at);
        self.cluster.secret(&namespace, name).expect("it is there")
    }

    /// Waits until a Secret holds this; `-` is no Secret.
    pub(super) fn holds(&self, at: &str, data: &str) {
        let seen = poll(SOON, || {
            (self.held(at).as_deref().unwrap_or("-") == data).then_some(())
        });
        if seen.is_none() {
            panic!(
                "{at} holds {:?} and not {data:?}\n{:#?}",
                self.held(at),
                self.liveness().figures()
            );
        }
    }

    /// Everything that happened before this is seen, and all that follows from it is done,
    /// deletions included.
    pub(super) fn settle(&self) {
        for _ in 0..2 {
            let name = format!("sentinel{}", self.cluster.namespace());
            self.put(&format!("sentinel/{name}"), GIVES_SENTINEL, "s=1");
            let (namespace, _) = self.place("sentinel-copy/x");
            let copied = || self.cluster.secret(&namespace, &name).is_some();
            eventually("what happened before is done", SOON, copied);
            std::thread::sleep(Duration::from_millis(700));
        }
        eventually("nothing waits", SOON, || {
            self.figure("queue") == "0" || self.figure("queue") == self.figure("held_deletes")
        });
    }
}

const GIVES_SENTINEL: &str = "reflection-allowed=true;reflection-auto-enabled=true;reflection-auto-namespaces=.*-sentinel-copy";
