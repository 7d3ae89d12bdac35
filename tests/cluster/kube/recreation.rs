//! Types and immutable Secrets cannot be changed in place: deleted and made again, only if that is
//! allowed, and nothing is lost.

use std::time::Duration;

use keyferry::base::artifact::{Conflict, SecretArtifact};
use keyferry::base::failure::Class;
use keyferry::base::observed::Basis;
use serde_json::{Value, json};

use super::secrets::apply_as;
use super::{Job, PATIENCE, pairs, refused};
use crate::support::cluster::Cluster;
use crate::support::process::eventually;

const ALL: [&str; 4] = ["get", "create", "patch", "delete"];

fn again(job: &Job) -> SecretArtifact {
    SecretArtifact {
        kind: "kubernetes.io/basic-auth".to_owned(),
        conflict: Conflict {
            recreate: true,
            ..Conflict::default()
        },
        ..job.app(&[("username", "u"), ("password", "p")])
    }
}

/// What stands, as a plan sees it.
fn seen(job: &Job) -> Basis {
    let stored = job.stored();
    let text = |name: &str| stored["metadata"][name].as_str().expect("text").to_owned();
    Basis {
        version: text("resourceVersion"),
        ..super::basis(&text("uid"))
    }
}

fn uid(job: &Job) -> String {
    seen(job).uid
}

#[tokio::test]
async fn row_68_a_type_or_an_immutable_secret_changes_only_by_recreation() {
    for immutable in [false, true] {
        let job = Job::with(&["app"], &ALL).await;
        let old = SecretArtifact {
            immutable,
            ..job.app(&[("password", "old")])
        };
        job.create(&old).await.expect("created");
        let (state, first) = (job.look(&old).await, seen(&job));
        assert!(state.immutable == immutable && state.basis == first && state.kind == "Opaque");
        let rotated = SecretArtifact {
            immutable,
            ..job.app(&[("password", "new")])
        };
        if immutable {
            refused(
                job.update(&rotated).await,
                Class::Refused,
                &["it is immutable", "recreate: true"],
            );
        }
        let mut wanted = again(&job);
        // Only what a plan saw is made again.
        refused(
            job.update_late(&wanted).await,
            Class::Unavailable,
            &["someone else"],
        );
        wanted.conflict.recreate = false;
        for outcome in [
            job.update(&wanted).await,
            job.update_late(&wanted).await,
            job.recreate(&wanted, &super::basis(&first.uid)).await,
        ] {
            refused(
                outcome,
                Class::Refused,
                &[
                    "type was Opaque",
                    "kubernetes.io/basic-auth",
                    "recreate: true",
                ],
            );
        }
        wanted.conflict.recreate = true;
        refused(
            job.recreate(&wanted, &super::basis("another")).await,
            Class::Unavailable,
            &["someone else"],
        );
        assert_eq!(seen(&job), first, "only the planned object may be deleted");
        // Whether it was changed meanwhile or not.
        let planned = match immutable {
            true => super::basis(&first.uid),
            false => first.clone(),
        };
        job.recreate(&wanted, &planned).await.expect("recreated");
        let second = uid(&job);
        assert_ne!(second, first.uid);
        assert_eq!(job.stored()["type"], "kubernetes.io/basic-auth");
        assert_eq!(job.values(), pairs(&[("username", "u"), ("password", "p")]));
        let again = job.recreate(&wanted, &first).await;
        again.expect("it is as wanted, whoever made it");
        assert_eq!(uid(&job), second);
    }
}

#[tokio::test]
async fn row_68_without_the_right_to_create_nothing_is_deleted() {
    let job = Job::with(&["app"], &["get", "patch", "delete"]).await;
    apply_as(
        &job,
        "keyferry",
        json!({"data": {"password": "eA=="}, "metadata": {"labels": {"app.kubernetes.io/managed-by": "keyferry"}}}),
    );
    let before = job.stored();
    let outcome = job.recreate(&again(&job), &seen(&job)).await;
    refused(
        outcome,
        Class::Denied,
        &["may not create secret", "verbs: [get, create, patch]"],
    );
    assert_eq!(job.stored(), before);
}

#[tokio::test]
async fn row_68_without_the_right_to_delete_it_is_denied() {
    let job = Job::usual().await;
    job.create(&job.app(&[("password", "old")]))
        .await
        .expect("created");
    let before = job.stored();
    let outcome = job.recreate(&again(&job), &seen(&job)).await;
    refused(
        outcome,
        Class::Denied,
        &[
            "may not delete secret",
            "verbs: [get, create, patch, delete]",
        ],
    );
    assert_eq!(job.stored(), before);
}

#[tokio::test]
async fn row_68_what_is_rejected_after_the_deletion_is_put_back() {
    let job = Job::with(&["app"], &ALL).await;
    let mut old = job.app(&[("password", "old")]);
    old.annotations.insert("note".into(), "n".into());
    job.create(&old).await.expect("created");
    let first = seen(&job);
    // The server itself finds this wrong only when it is created: a type that lacks its keys.
    let wanted = SecretArtifact {
        data: job.app(&[("username-only", "u")]).data,
        ..again(&job)
    };
    let outcome = job.recreate(&wanted, &first).await;
    refused(
        outcome,
        Class::Refused,
        &[
            "was deleted to be made again",
            "put back as it was",
            "data[username]: Required value",
        ],
    );
    assert_eq!(job.values(), pairs(&[("password", "old")]));
    assert_ne!(uid(&job), first.uid);
    let seen = job.look(&old).await;
    assert!(seen.is_told && seen.annotations == old.annotations && seen.kind == "Opaque");
}

#[tokio::test]
async fn row_68_keys_of_others_are_not_deleted_unasked() {
    let job = Job::with(&["app"], &ALL).await;
    job.create(&job.app(&[("password", "old")]))
        .await
        .expect("created");
    apply_as(&job, "other", json!({"data": {"theirs": "eA=="}}));
    let before = job.stored();
    let mut wanted = again(&job);
    refused(
        job.recreate(&wanted, &super::basis(&uid(&job))).await,
        Class::Refused,
        &["keys of others: theirs", "force: true"],
    );
    assert_eq!(job.stored(), before);
    wanted.conflict.force = true;
    job.recreate(&wanted, &seen(&job)).await.expect("given up");
    assert_eq!(job.values(), pairs(&[("username", "u"), ("password", "p")]));
}

#[tokio::test]
async fn row_68_a_finalizer_is_waited_for_and_named_when_it_takes_too_long() {
    let rule = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ALL}]);
    let job = Job::with_rules(&rule, std::time::Duration::from_secs(4)).await;
    job.create(&job.app(&[("password", "old")]))
        .await
        .expect("created");
    let finalizers =
        |names: Value| apply_as(&job, "holder", json!({"metadata": {"finalizers": names}}));
    finalizers(json!(["example.com/held"]));
    let wanted = again(&job);
    let outcome = job.recreate(&wanted, &seen(&job)).await;
    refused(
        outcome,
        Class::Unavailable,
        &["is being deleted, held by example.com/held"],
    );

    let patient = super::world(
        Cluster::shared().service_account_kubeconfig(&job.namespace, "job"),
        PATIENCE,
    )
    .await;
    let patient = Job {
        namespace: job.namespace.clone(),
        world: patient,
    };
    let first = seen(&job);
    let release = async {
        eventually("it is being deleted", PATIENCE, || {
            !job.stored()["metadata"]["deletionTimestamp"].is_null()
        });
        finalizers(json!([]));
    };
    let (outcome, ()) = tokio::join!(patient.recreate(&wanted, &first), release);
    outcome.expect("recreated once it was released");
    assert_eq!(job.values(), pairs(&[("username", "u"), ("password", "p")]));
}

#[tokio::test]
async fn row_68_a_signal_during_a_recreation_leaves_the_new_secret_or_the_old() {
    // Released while it may still end, and after that.
    for (held, value) in [(1, "p"), (3, "old")] {
        let job = Job::with(&["app"], &ALL).await;
        job.create(&job.app(&[("password", "old")]))
            .await
            .expect("created");
        let finalizers =
            |names: Value| apply_as(&job, "holder", json!({"metadata": {"finalizers": names}}));
        finalizers(json!(["example.com/held"]));
        let (wanted, first) = (again(&job), seen(&job));
        let signal = async {
            let mut deleting = false;
            while !deleting {
                tokio::time::sleep(Duration::from_millis(50)).await;
                deleting = !job.stored()["metadata"]["deletionTimestamp"].is_null();
            }
            job.world.shutdown.ask();
            tokio::time::sleep(Duration::from_secs(held)).await;
            finalizers(json!([]));
        };
        let (outcome, ()) = tokio::join!(job.recreate(&wanted, &first), signal);
        match value {
            "p" => outcome.expect("it came to its end"),
            _ => refused(
                outcome,
                Class::Unavailable,
                &["put back as it was", "stopped by a signal"],
            ),
        }
        assert_eq!(job.values()["password"], value);
        assert_ne!(uid(&job), first.uid);
    }
}
