//! Kubernetes Secrets on a real API server: written, left alone, refused, and with how few rights.

mod accounts;
mod conflicts;
mod faults;
mod recreation;
mod rights;
mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyferry::base::artifact::{
    ConfigurationName, Conflict, ObjectName, Provenance, SecretArtifact,
};
use keyferry::base::failure::{Class, Failure};
use keyferry::base::material::SecretBytes;
use keyferry::base::observed::{Basis, Observed, SecretState};
use keyferry::config::Config;
use keyferry::kubernetes::connect_with;
use keyferry::pass::apply;
use keyferry::pass::observe;
use keyferry::pass::world::World;
use keyferry::plan::{self, Action, Reason};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::canary::assert_none_in;
use crate::support::cluster::Cluster;

/// In every value of these tests, and in no message.
const CANARY: &str = "c4naryvalue";

const PATIENCE: Duration = Duration::from_secs(60);

/// A world whose cluster is the one of a kubeconfig.
async fn world(kubeconfig: PathBuf, time_limit: Duration) -> World {
    let config = Config::default();
    let cluster = connect_with(kubeconfig, Instant::now() + time_limit).await;
    World::new(&config, None, time_limit).with_kubernetes(cluster.expect("the kubeconfig is good"))
}

/// Of a delivery of this configuration.
fn provenance(configuration: &str) -> Arc<Provenance> {
    Arc::new(Provenance {
        configuration: ConfigurationName::parse(configuration).expect("a name"),
        delivery: "app".to_owned(),
        sources: Vec::new(),
    })
}

/// A namespace, and a service account in it that may do with the named Secrets what the verbs say.
struct Job {
    namespace: String,
    world: World,
}

impl Job {
    async fn with(names: &[&str], verbs: &[&str]) -> Self {
        let rule = serde_json::json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": names, "verbs": verbs});
        Self::with_rules(&serde_json::json!([rule]), PATIENCE).await
    }

    async fn with_rules(rules: &Value, time_limit: Duration) -> Self {
        let cluster = Cluster::shared();
        let namespace = cluster.namespace();
        cluster.grant(&namespace, "job", rules);
        await_rules(&namespace);
        let kubeconfig = cluster.service_account_kubeconfig(&namespace, "job");
        let world = world(kubeconfig, time_limit).await;
        Self { namespace, world }
    }

    /// The usual rights on one Secret called `app`.
    async fn usual() -> Self {
        Self::with(&["app"], &["get", "create", "patch"]).await
    }

    fn at(&self, name: &str) -> ObjectName {
        ObjectName {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        }
    }

    /// An Opaque Secret `app`, each value made of the canary and what is given.
    fn app(&self, data: &[(&str, &str)]) -> SecretArtifact {
        let data = data.iter();
        SecretArtifact {
            at: self.at("app"),
            kind: "Opaque".to_owned(),
            data: data
                .map(|&(key, value)| (key.to_owned(), secret(value)))
                .collect(),
            provenance: provenance("test"),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            immutable: false,
            conflict: Conflict::default(),
        }
    }

    async fn create(&self, secret: &SecretArtifact) -> Result<(), Failure> {
        apply::secret::write(secret, &Action::Create, None, None, &self.world).await
    }

    /// Looks, decides and writes.
    async fn update(&self, secret: &SecretArtifact) -> Result<(), Failure> {
        let stands = self.look(secret).await;
        let (action, basis) = (plan::secret(secret, &stands), Some(&stands.basis));
        apply::secret::write(secret, &action, basis, None, &self.world).await
    }

    /// Writes what was decided on a version that is no more.
    async fn update_late(&self, secret: &SecretArtifact) -> Result<(), Failure> {
        let (action, basis) = (Action::Update(Reason::Content), basis("no more"));
        apply::secret::write(secret, &action, Some(&basis), None, &self.world).await
    }

    async fn recreate(&self, secret: &SecretArtifact, of: &Basis) -> Result<(), Failure> {
        let action = Action::Recreate(Reason::Immutable);
        apply::secret::write(secret, &action, Some(of), None, &self.world).await
    }

    async fn look(&self, secret: &SecretArtifact) -> SecretState {
        match observe::secret::look(secret, &self.world).await {
            Ok(Observed::Secret(state)) => state,
            other => panic!("not a Secret: {other:?}"),
        }
    }

    /// The Secret `app` as the administrator sees it, its managers' clocks left out.
    fn stored(&self) -> Value {
        let stored = Cluster::shared().secret(&self.namespace, "app");
        stored.expect("the Secret is there")
    }

    /// Its keys and decoded values, without the canary.
    fn values(&self) -> BTreeMap<String, String> {
        let stored = self.stored();
        let keys = stored["data"].as_object().into_iter().flatten();
        keys.map(|(key, _)| (key.clone(), self.value(key)))
            .collect()
    }

    fn value(&self, key: &str) -> String {
        let value = Cluster::shared().secret_value(&self.namespace, "app", key);
        let value = String::from_utf8(value.expect("the key is there")).expect("text");
        value.replace(CANARY, "")
    }

    /// Requests other than reads, by the job alone.
    fn writes(&self) -> usize {
        let asked = self.requests().into_iter();
        asked.filter(|asked| !asked.starts_with("get ")).count()
    }

    /// All that the job asked for in its namespace, in that order.
    fn requests(&self) -> Vec<String> {
        let account = format!("system:serviceaccount:{}:job", self.namespace);
        Cluster::shared().audited_by(&self.namespace, &account)
    }
}

/// An object of this `uid`, in a version that it no longer has.
fn basis(uid: &str) -> Basis {
    Basis {
        uid: uid.to_owned(),
        version: "2".to_owned(),
        managers: None,
    }
}

fn secret(value: &str) -> SecretBytes {
    SecretBytes::from(format!("{CANARY}{value}"))
}

fn pairs(data: &[(&str, &str)]) -> BTreeMap<String, String> {
    let data = data.iter();
    data.map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What a person would read; it has the class, says each of `parts`, and holds no value.
fn refused(outcome: Result<(), Failure>, class: Class, parts: &[&str]) {
    let failure = outcome.expect_err("it must be refused");
    let text = format!("{}\n{}", failure.what, failure.hint.unwrap_or_default());
    assert_eq!(failure.class, class, "{text}");
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
    assert_none_in("a refusal", text.as_bytes(), &[CANARY]);
}

/// The API server learns of a new Role a moment later than it accepts it.
fn await_rules(namespace: &str) {
    let cluster = Cluster::shared();
    let token = cluster.token(namespace, "job", "");
    let review = serde_json::json!({"spec": {"namespace": namespace}});
    crate::support::process::eventually("the Role is known", PATIENCE, || {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let (_, answer) = cluster.request_as(&token, "POST", path, Some(&review));
        let rules = answer["status"]["resourceRules"].as_array().cloned();
        rules
            .into_iter()
            .flatten()
            .any(|rule| !rule["resourceNames"].is_null())
    });
}
