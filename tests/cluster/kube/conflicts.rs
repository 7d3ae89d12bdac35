//! Others who write the same Secret: strangers, other managers, and another run of ourselves.

use jiff::Timestamp;
use keyferry::base::artifact::{Artifact, Conflict, Owner, SecretArtifact, Wanted};
use keyferry::base::failure::Class;
use keyferry::copy_rules::marks::DECLARED;
use keyferry::copy_rules::place::ObjectPlace;
use keyferry::copy_rules::signature::Keys;
use keyferry::pass::apply;
use keyferry::plan::declared_copies::sign;
use keyferry::plan::{Action, Reason};
use serde_json::json;

use super::secrets::apply_as;
use super::{Job, pairs, refused};
use crate::support::cluster::Cluster;

const ADOPT: Conflict = Conflict {
    adopt: true,
    recreate: false,
    force: false,
};
const FORCE: Conflict = Conflict {
    adopt: false,
    recreate: false,
    force: true,
};

/// A Secret as a person makes it.
fn foreign(job: &Job, data: serde_json::Value) -> serde_json::Value {
    let path = format!(
        "/api/v1/namespaces/{}/secrets?fieldManager=kubectl-create",
        job.namespace
    );
    Cluster::shared().create(&path, &json!({"metadata": {"name": "app"}, "data": data}))
}

#[tokio::test]
async fn row_55_two_runs_at_once_end_with_the_content_of_one() {
    let job = Job::usual().await;
    let cluster = Cluster::shared();
    let kubeconfig = cluster.service_account_kubeconfig(&job.namespace, "job");
    let other = Job {
        namespace: job.namespace.clone(),
        world: super::world(kubeconfig, super::PATIENCE).await,
    };
    let path = format!("/api/v1/namespaces/{}/secrets/app", job.namespace);
    for round in 0..20 {
        let one = job.app(&[("one", "1"), ("both", "1")]);
        let two = job.app(&[("two", "2"), ("both", "2")]);
        let (first, second) = if round % 2 == 0 {
            tokio::join!(job.create(&one), other.create(&two))
        } else {
            tokio::join!(job.update_late(&one), other.update_late(&two))
        };
        first.expect("one ends well");
        second.expect("two ends well");
        let values = job.values();
        let whole = [
            pairs(&[("one", "1"), ("both", "1")]),
            pairs(&[("two", "2"), ("both", "2")]),
        ];
        assert!(
            whole.contains(&values),
            "mixed in round {round}: {:?}",
            values.keys()
        );
        if round % 4 == 3 {
            cluster.request("DELETE", &path, None);
        }
    }
}

#[tokio::test]
async fn row_66_a_foreign_secret_is_refused_and_stays_as_it_is() {
    let job = Job::usual().await;
    foreign(&job, json!({"theirs": "eA=="}));
    let before = job.stored();
    let app = job.app(&[("ours", "1")]);
    assert_eq!(job.look(&app).await.owner, Owner::Stranger);
    let outcomes = [
        job.update(&app).await,
        job.update_late(&app).await,
        job.create(&app).await,
    ];
    for outcome in outcomes {
        refused(
            outcome,
            Class::Refused,
            &["exists and was not made by keyferry", "adopt: true"],
        );
    }
    let force = job.app(&[("ours", "1")]);
    let force = keyferry::base::artifact::SecretArtifact {
        conflict: FORCE,
        ..force
    };
    refused(
        job.create(&force).await,
        Class::Refused,
        &["was not made by keyferry"],
    );
    assert_eq!(job.stored(), before);
}

#[tokio::test]
async fn row_66_an_adopted_secret_is_ours_from_then_on() {
    // The values that we bring are the same at first, which is when two managers would come to own
    // them.
    for rotated_at_once in [false, true] {
        let job = Job::usual().await;
        let coded = "YzRuYXJ5dmFsdWUx";
        foreign(&job, json!({"password": coded, "theirs": "eA=="}));
        let mut app = job.app(&[("password", if rotated_at_once { "2" } else { "1" })]);
        app.conflict = ADOPT;
        job.update(&app).await.expect("adopted");
        assert!(job.look(&app).await.is_told);
        let mut rotated = job.app(&[("password", "3")]);
        rotated.conflict = ADOPT;
        job.update(&rotated)
            .await
            .expect("a rotation is no conflict");
        assert_eq!(job.values(), pairs(&[("password", "3"), ("theirs", "x")]));
        let mut fewer = job.app(&[("user", "u")]);
        fewer.conflict = ADOPT;
        job.update(&fewer).await.expect("a key goes");
        assert_eq!(job.values(), pairs(&[("user", "u"), ("theirs", "x")]));
    }
}

#[tokio::test]
async fn row_66_adoption_does_not_take_fields_from_a_tool_that_applies_them() {
    let job = Job::usual().await;
    apply_as(
        &job,
        "argocd-controller",
        json!({"data": {"password": "eA=="}}),
    );
    let mut app = job.app(&[("password", "1")]);
    app.conflict = ADOPT;
    refused(
        job.update(&app).await,
        Class::Refused,
        &["`argocd-controller` has .data.password", "force: true"],
    );
    app.conflict.force = true;
    job.update(&app).await.expect("taken");
    assert_eq!(job.values(), pairs(&[("password", "1")]));
}

#[tokio::test]
async fn row_66_a_secret_without_managers_can_be_adopted() {
    let job = Job::usual().await;
    foreign(&job, json!({"password": "eA=="}));
    let path = format!("/api/v1/namespaces/{}/secrets/app", job.namespace);
    let mut object = job.stored();
    object["metadata"]["managedFields"] = json!([{}]);
    let (status, answer) = Cluster::shared().request("PUT", &path, Some(&object));
    assert_eq!(status, 200, "{answer}");
    let mut app = job.app(&[("password", "1")]);
    app.conflict = ADOPT;
    job.update(&app).await.expect("adopted");
    assert_eq!(job.values(), pairs(&[("password", "1")]));
}

#[tokio::test]
async fn row_67_a_conflict_names_manager_and_path_and_force_takes_the_field() {
    let job = Job::usual().await;
    job.create(&job.app(&[("a", "1"), ("b", "1"), ("c", "1")]))
        .await
        .expect("created");
    apply_as(&job, "helm", json!({"data": {"a": "eA==", "b": "eA=="}}));
    let before = job.stored();
    let mut app = job.app(&[("a", "2"), ("b", "2"), ("c", "2")]);
    let parts = ["`helm` has .data.a, .data.b", "force: true"];
    refused(job.update(&app).await, Class::Refused, &parts);
    refused(job.update_late(&app).await, Class::Refused, &parts);
    assert_eq!(
        job.stored(),
        before,
        "nothing of it was written, not even what is not in conflict"
    );
    app.conflict = FORCE;
    job.update(&app).await.expect("taken");
    assert_eq!(job.values(), pairs(&[("a", "2"), ("b", "2"), ("c", "2")]));
}

#[tokio::test]
async fn what_appears_after_the_look_is_never_merged_into() {
    let job = Job::usual().await;
    let app = job.app(&[("ours", "1")]);
    assert!(matches!(
        keyferry::pass::observe::secret::look(&app, &job.world).await,
        Ok(keyferry::base::observed::Observed::Absent)
    ));
    foreign(&job, json!({"theirs": "eA=="}));
    let before = job.stored();
    refused(
        job.create(&app).await,
        Class::Refused,
        &["was not made by keyferry"],
    );
    assert_eq!(job.stored(), before);
}

#[tokio::test]
async fn row_93_a_forgery_that_appears_after_the_look_is_not_written_over() {
    let job = Job::usual().await;
    let keys = |byte: u8| {
        let content = [("20260101-000000".to_owned(), vec![byte; 32].into())];
        Keys::read(ObjectPlace::new("home", "keys"), content).expect("they are keys")
    };
    let signed = |keys: &Keys, value: &str| {
        let mut copy = job.app(&[("password", value)]);
        copy.annotations = [(DECLARED.to_owned(), "home/app".to_owned())].into();
        let mut wanted = Wanted {
            delivery: "app".to_owned(),
            artifacts: Ok(vec![Artifact::Secret(copy)]),
        };
        sign(&mut wanted, keys, Timestamp::now().as_second());
        match wanted.artifacts.expect("it was given").remove(0) {
            Artifact::Secret(copy) => copy,
            other => panic!("not a Secret: {other}"),
        }
    };
    let (ours, theirs) = (keys(1), keys(2));
    let write = async |copy: &SecretArtifact, keys: &Keys| {
        apply::secret::write(copy, &Action::Create, None, Some(keys), &job.world).await
    };
    write(&signed(&theirs, "forged"), &theirs)
        .await
        .expect("created");
    let before = job.stored();
    let copy = signed(&ours, "1");
    refused(
        write(&copy, &ours).await,
        Class::Refused,
        &["no known key signed that", "to adopt it: kubectl annotate"],
    );
    let mut other = signed(&ours, "1");
    (other.kind, other.conflict.recreate) = ("kubernetes.io/basic-auth".to_owned(), true);
    let stands = super::basis(&job.look(&copy).await.basis.uid);
    let (again, stands) = (Action::Recreate(Reason::Immutable), Some(&stands));
    refused(
        apply::secret::write(&other, &again, stands, Some(&ours), &job.world).await,
        Class::Refused,
        &["no known key signed that"],
    );
    assert_eq!(job.stored(), before);
    // One that is good stays, whenever it was made.
    write(&signed(&theirs, "forged"), &theirs)
        .await
        .expect("kept");
    assert_eq!(job.stored(), before);
}
