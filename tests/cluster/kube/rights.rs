//! How few rights are enough, and what is said when one is missing.

use keyferry::base::artifact::SecretArtifact;
use keyferry::base::failure::Class;
use keyferry::pass::observe;

use super::{Job, PATIENCE, pairs, refused};
use crate::support::cluster::Cluster;
use crate::support::process::Scratch;

#[tokio::test]
async fn get_create_and_patch_by_name_are_enough() {
    let job = Job::usual().await;
    job.create(&job.app(&[("a", "1")])).await.expect("created");
    job.update(&job.app(&[("b", "2")])).await.expect("updated");
    assert_eq!(job.values(), pairs(&[("b", "2")]));
    let other = SecretArtifact {
        at: job.at("other"),
        ..job.app(&[("a", "1")])
    };
    let parts = ["may not ", " secret ", "/other", "resourceNames: [other]"];
    refused(job.create(&other).await, Class::Denied, &parts);
    let looked = observe::secret::look(&other, &job.world).await.map(drop);
    refused(looked, Class::Denied, &["may not get secret", "/other"]);
}

#[tokio::test]
async fn each_missing_verb_is_denied_by_name_with_the_rule_to_add() {
    let all = ["get", "create", "patch"];
    for missing in all {
        let verbs: Vec<&str> = all.into_iter().filter(|verb| *verb != missing).collect();
        let job = Job::with(&["app"], &verbs).await;
        let app = job.app(&[("a", "1")]);
        let outcome = match observe::secret::look(&app, &job.world).await {
            Ok(_) => job.create(&app).await,
            Err(failure) => Err(failure),
        };
        // Servers of 1.30 do not say who may not create.
        let user = format!(" may not {missing} secret {}/app", job.namespace);
        let rule = "{apiGroups: [\"\"], resources: [secrets], resourceNames: [app], verbs: [get, create, patch]}";
        let add = format!(
            "add `{missing}`: a Role in namespace {} needs {rule}",
            job.namespace
        );
        refused(outcome, Class::Denied, &[&user, &add]);
    }
}

#[tokio::test]
async fn row_69_one_denied_namespace_does_not_keep_another_from_its_secret() {
    let (denied, allowed) = (Job::with(&["app"], &["get"]).await, Job::usual().await);
    let (first, second) = (denied.app(&[("a", "1")]), allowed.app(&[("a", "1")]));
    let (first, second) = tokio::join!(denied.create(&first), allowed.create(&second));
    refused(first, Class::Denied, &["may not patch secret"]);
    second.expect("created");
}

#[tokio::test]
async fn a_token_meant_for_vault_opens_nothing_here() {
    let cluster = Cluster::shared();
    let job = Job::usual().await;
    let token = cluster.token(&job.namespace, "job", "vault");
    let kubeconfig = std::fs::read_to_string(cluster.kubeconfig()).expect("the administrator's");
    let scratch = Scratch::new("replay");
    let kubeconfig = scratch.write(
        "kubeconfig",
        kubeconfig.replace(cluster.admin_token(), &token),
    );
    let thief = Job {
        namespace: job.namespace.clone(),
        world: super::world(kubeconfig, PATIENCE).await,
    };
    let outcome = thief.create(&thief.app(&[("a", "1")])).await;
    let failure = outcome.as_ref().expect_err("it is refused");
    assert!(!failure.what.contains(&token));
    refused(
        outcome,
        Class::Denied,
        &["does not know our credentials (401)", "another audience"],
    );
}
