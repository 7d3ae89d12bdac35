//! Events of the sidecar, on a real API server and a real OpenBao: once per change of reason, at
//! our pod or at the Secret.

use serde_json::{Value, json};

use crate::support::canary::assert_none_in;
use crate::support::cluster::Cluster;
use crate::support::openbao::OpenBao;
use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON};

const VALUE: &str = "c4nary-v4lue-one";

const MAY: &str = r#"path "kv/data/app" { capabilities = ["read"] }"#;
const MAY_NOT: &str = r#"path "kv/data/other" { capabilities = ["read"] }"#;

/// A namespace, an OpenBao whose `kv/app` a token in a file may read, and a folder.
struct Scene {
    cluster: &'static Cluster,
    namespace: String,
    bao: OpenBao,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let cluster = Cluster::shared();
        let bao = OpenBao::start();
        bao.policy("app", MAY);
        bao.put("app", &json!({"password": VALUE}));
        let made = bao.post("auth/token/create", &json!({"policies": ["app"]}));
        let folder = tempfile::tempdir().unwrap();
        let token = made["auth"]["client_token"].as_str().unwrap();
        secret_file(folder.path(), "token", token);
        Self {
            cluster,
            namespace: cluster.namespace(),
            bao,
            folder,
        }
    }

    fn may_write(&self, resources: &[&str]) {
        let rules = json!([{"apiGroups": [""], "resources": resources, "verbs": ["get", "create", "patch"]}]);
        self.cluster.grant(&self.namespace, "keeper", &rules);
    }

    fn start(&self, sidecar: &str, to: &str, env: &[(&str, &str)]) -> RunningSidecar {
        let config = format!(
            "name: events\nvault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nsidecar: \
             {{refresh: 1s{sidecar}}}\ndeliveries:\n- {{name: App_1, from: \
             [{{vault: kv/data/app}}], to: [{{{to}}}]}}\n",
            self.bao.addr()
        );
        let kubeconfig = self
            .cluster
            .service_account_kubeconfig(&self.namespace, "keeper");
        RunningSidecar::start_with(self.folder.path(), &config, |run| {
            let run = run.env("KUBECONFIG", &kubeconfig);
            env.iter()
                .fold(run, |run, (name, value)| run.env(name, value))
        })
    }

    fn pod(&self) -> [(&'static str, &str); 3] {
        [
            ("POD_NAME", "app-6f-x7"),
            ("POD_NAMESPACE", &self.namespace),
            ("POD_UID", "8d7e0f0e-0000-4000-8000-000000000001"),
        ]
    }

    /// Reason, type, kind and name of the object, and how often; sorted.
    fn events(&self) -> Vec<String> {
        let list = format!("/api/v1/namespaces/{}/events", self.namespace);
        let list = self.cluster.find(&list).unwrap();
        let ours = list["items"].as_array().into_iter().flatten();
        let ours = ours.filter(|event| event["source"]["component"] == "keyferry");
        let mut told: Vec<String> = ours
            .map(|event| {
                assert_none_in("an Event", event.to_string().as_bytes(), &[VALUE]);
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let object = &event["involvedObject"];
                let (reason, kind) = (text(&event["reason"]), text(&event["type"]));
                let (of, name) = (text(&object["kind"]), text(&object["name"]));
                format!("{reason} {kind} {of} {name} {}", event["count"])
            })
            .collect();
        told.sort();
        told
    }

    fn message(&self, reason: &str) -> String {
        let list = format!("/api/v1/namespaces/{}/events", self.namespace);
        let list = self.cluster.find(&list).unwrap();
        let mut events = list["items"].as_array().into_iter().flatten();
        let event = events.find(|event| event["reason"] == reason);
        event.map_or(String::new(), |event| event["message"].to_string())
    }
}

fn failures(sidecar: &RunningSidecar, class: &str) -> Option<f64> {
    let sample =
        format!("keyferry_delivery_failures_total{{delivery=\"App_1\",class=\"{class}\"}}");
    sidecar.metric(&sample)
}

/// Kinds of requests to the API server that were made.
fn requests(sidecar: &RunningSidecar) -> usize {
    let (_, text) = sidecar.ask("/metrics").unwrap();
    let lines = text.lines();
    lines
        .filter(|line| line.starts_with("keyferry_kubernetes_requests_total{"))
        .count()
}

#[test]
fn row_18_a_denial_is_one_event_at_our_pod_and_its_end_is_another() {
    let scene = Scene::new();
    scene.may_write(&["events"]);
    let sidecar = scene.start("", "file: {path: app.env}", &scene.pod());
    sidecar.ready();
    scene.bao.policy("app", MAY_NOT);
    eventually("it fails again and again", SOON, || {
        failures(&sidecar, "denied") >= Some(3.0)
    });
    assert_eq!(scene.events(), ["Denied Warning Pod app-6f-x7 1"]);
    let message = scene.message("Denied");
    for words in [
        "App_1: ",
        "may not read `kv/data/app`",
        "its policy must say",
    ] {
        assert!(message.contains(words), "{message}");
    }
    scene.bao.policy("app", MAY);
    let recovered = "Recovered Normal Pod app-6f-x7 1";
    eventually("its end is told", SOON, || {
        scene.events().contains(&recovered.to_owned())
    });
    scene.bao.delete("kv/data/app");
    let missing = "Missing Warning Pod app-6f-x7 1";
    eventually("another reason is told", SOON, || {
        scene.events().contains(&missing.to_owned())
    });
    scene.bao.policy("app", MAY_NOT);
    let again = "Denied Warning Pod app-6f-x7 2";
    eventually("the first reason counts on", SOON, || {
        scene.events().contains(&again.to_owned())
    });
    assert_eq!(scene.events(), [again, missing, recovered]);
    sidecar.end().expect(0).assert_no_canary(&[VALUE]);
}

#[test]
fn row_18_without_a_pod_the_event_is_at_the_secret_and_without_either_there_is_none() {
    let scene = Scene::new();
    scene.may_write(&["events", "secrets"]);
    let sidecar = scene.start("", "secret: {name: app}", &[]);
    sidecar.ready();
    scene.bao.policy("app", MAY_NOT);
    eventually("it is told", SOON, || {
        scene.events() == ["Denied Warning Secret app 1"]
    });
    sidecar.end().expect(0);
    // A file has no object of the cluster, so nobody looks for one.
    let sidecar = scene.start("", "file: {path: app.env}", &[]);
    eventually("it fails", SOON, || {
        failures(&sidecar, "denied") >= Some(2.0)
    });
    assert_eq!(requests(&sidecar), 0);
}

#[test]
fn who_may_not_write_events_is_told_so_once_and_held_up_by_nothing() {
    for (sidecar, warnings, least) in [("", 1, 1), (", events: false", 0, 0)] {
        let scene = Scene::new();
        let sidecar = scene.start(sidecar, "file: {path: app.env}", &scene.pod());
        sidecar.ready();
        for policy in [MAY_NOT, MAY, MAY_NOT] {
            scene.bao.policy("app", policy);
            eventually("it turns", SOON, || {
                sidecar.reasons().contains("denied") == (policy == MAY_NOT)
            });
        }
        eventually("it was tried", SOON, || requests(&sidecar) >= least);
        assert_eq!(scene.events(), [""; 0]);
        let said = sidecar.end().expect(0).stderr;
        let told = said.matches("Events are not written").count();
        assert_eq!(told, warnings, "{said}");
    }
}
