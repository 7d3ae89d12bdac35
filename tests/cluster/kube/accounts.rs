//! ServiceAccounts that pull with our Secret.

use keyferry::base::artifact::{Artifact, ObjectName, PullSecretLink, Wanted};
use keyferry::base::failure::Class;
use keyferry::base::observed::Observed;
use keyferry::pass::apply;
use keyferry::pass::observe;
use keyferry::plan;
use keyferry::plan::Action;
use serde_json::{Value, json};

use super::{Job, PATIENCE, refused};
use crate::support::cluster::Cluster;

async fn job(verbs: &[&str]) -> Job {
    let rule = json!({"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["puller", "none"], "verbs": verbs});
    let job = Job::with_rules(&json!([rule]), PATIENCE).await;
    Cluster::shared().service_account(&job.namespace, "puller");
    job
}

fn link(job: &Job, account: &str, secret: &str) -> PullSecretLink {
    let namespace = job.namespace.clone();
    PullSecretLink {
        account: ObjectName {
            namespace,
            name: account.to_owned(),
        },
        secret: secret.to_owned(),
    }
}

fn path(job: &Job) -> String {
    format!(
        "/api/v1/namespaces/{}/serviceaccounts/puller",
        job.namespace
    )
}

fn account(job: &Job) -> Value {
    Cluster::shared().find(&path(job)).expect("it is there")
}

async fn linked(job: &Job, link: &PullSecretLink) -> bool {
    match observe::secret::look_account(link, &job.world).await {
        Ok(Observed::PullSecret { linked }) => linked,
        other => panic!("not a ServiceAccount: {other:?}"),
    }
}

#[tokio::test]
async fn a_pull_secret_is_added_once_and_those_of_others_stay() {
    let job = job(&["get", "patch"]).await;
    let ours = link(&job, "puller", "ours");
    for theirs in [json!([{"name": "theirs"}]), json!([]), Value::Null] {
        let mut object = account(&job);
        object["imagePullSecrets"] = theirs.clone();
        let (status, answer) = Cluster::shared().request("PUT", &path(&job), Some(&object));
        assert_eq!(status, 200, "{answer}");
        assert!(!linked(&job, &ours).await);
        apply::secret::link(&ours, &job.world)
            .await
            .expect("linked");
        assert!(linked(&job, &ours).await);
        let mut want = theirs.as_array().cloned().unwrap_or_default();
        want.push(json!({"name": "ours"}));
        let first = account(&job);
        assert_eq!(first["imagePullSecrets"], json!(want));
        let writes = job.writes();
        apply::secret::link(&ours, &job.world)
            .await
            .expect("nothing to do");
        assert_eq!((account(&job), job.writes()), (first, writes));
    }
}

#[tokio::test]
async fn links_made_at_once_all_arrive() {
    let job = job(&["get", "patch"]).await;
    let links: Vec<PullSecretLink> = ["a", "b", "c"]
        .map(|name| link(&job, "puller", name))
        .into();
    let [a, b, c] = links.as_slice() else {
        panic!("three")
    };
    let world = &job.world;
    let (a, b, c) = tokio::join!(
        apply::secret::link(a, world),
        apply::secret::link(b, world),
        apply::secret::link(c, world)
    );
    a.and(b).and(c).expect("all three are linked");
    let names = account(&job)["imagePullSecrets"].as_array().map(Vec::len);
    assert_eq!(names, Some(3));
}

#[tokio::test]
async fn an_absent_account_and_a_missing_right_are_named() {
    let job = job(&["get"]).await;
    let outcome = apply::secret::link(&link(&job, "none", "ours"), &job.world).await;
    refused(
        outcome,
        Class::Refused,
        &[
            "service account",
            "/none, which is to pull with a secret, does not exist",
            "earlier sync wave",
        ],
    );
    let outcome = apply::secret::link(&link(&job, "puller", "ours"), &job.world).await;
    refused(
        outcome,
        Class::Denied,
        &[
            "may not patch service account",
            "resources: [serviceaccounts], resourceNames: [puller], verbs: [get, patch]",
        ],
    );
}

#[tokio::test]
async fn what_links_to_a_secret_follows_it() {
    let rules = json!([
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["puller"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "create", "patch"]},
    ]);
    let job = Job::with_rules(&rules, PATIENCE).await;
    let cluster = Cluster::shared();
    cluster.service_account(&job.namespace, "puller");
    let plan = async || {
        let wanted = Wanted {
            delivery: "app".to_owned(),
            artifacts: Ok(vec![
                Artifact::PullSecret(link(&job, "puller", "app")),
                Artifact::Secret(job.app(&[("a", "1")])),
            ]),
        };
        let observed = observe::delivery(&wanted, &job.world).await;
        plan::delivery(wanted, observed, &std::collections::BTreeMap::new())
            .steps
            .expect("steps")
    };
    let foreign = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app"}});
    let secrets = format!("/api/v1/namespaces/{}/secrets", job.namespace);
    // It comes between the look and the write, and then before both.
    for planned in [false, true] {
        let early = plan().await;
        cluster.create(&secrets, &foreign);
        let steps = if planned { plan().await } else { early };
        assert_eq!(matches!(steps[0].action, Action::Refuse(_)), planned);
        for result in apply::delivery(&steps, None, &job.world).await {
            refused(result, Class::Refused, &["secret"]);
        }
        assert!(account(&job)["imagePullSecrets"].is_null());
        let (status, _) = cluster.request("DELETE", &format!("{secrets}/app"), None);
        assert_eq!(status, 200);
    }
    for result in apply::delivery(&plan().await, None, &job.world).await {
        result.expect("both are done");
    }
    assert_eq!(account(&job)["imagePullSecrets"], json!([{"name": "app"}]));
}
