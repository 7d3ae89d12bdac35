//! What is written, what is left alone, and what is read.

use keyferry::base::artifact::{
    Artifact, Conflict, Desired, PullSecretLink, SecretArtifact, Wanted,
};
use keyferry::base::failure::Class;
use keyferry::base::material::Node;
use keyferry::config::SecretRef;
use keyferry::pass::apply;
use keyferry::pass::observe;
use keyferry::pass::source;
use keyferry::plan;
use keyferry::plan::Action;
use serde_json::json;

use super::{CANARY, Job, PATIENCE, pairs, refused};
use crate::support::cluster::Cluster;

#[tokio::test]
async fn row_54_a_second_run_writes_nothing() {
    let job = Job::usual().await;
    let app = job.app(&[("user", "u"), ("password", "p")]);
    job.create(&app).await.expect("created");
    let (first, writes) = (job.stored(), job.writes());
    assert_eq!(
        first["metadata"]["labels"],
        json!({"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "test"})
    );
    let seen = job.look(&app).await;
    assert!(seen.is_told && seen.data == app.data && seen.labels.is_empty());
    job.update(&app).await.expect("nothing to do");
    job.create(&app).await.expect("it is as wanted already");
    assert_eq!(job.stored(), first);
    let tried = job.writes() - writes;
    assert!(
        tried <= 1,
        "only the second creation asks the server: {tried}"
    );
}

#[tokio::test]
async fn each_write_costs_one_look_and_one_request_more() {
    let job = Job::usual().await;
    let mut asked = 0;
    let rows = [
        (
            "1",
            ["get secrets/app 404", "patch secrets/app 201"].as_slice(),
        ),
        ("2", &["get secrets/app 200", "patch secrets/app 200"]),
        ("2", &["get secrets/app 200"]),
    ];
    for (value, costs) in rows {
        pass_of(&job, vec![Artifact::Secret(job.app(&[("a", value)]))]).await;
        let all = job.requests();
        assert_eq!(all[asked..], *costs, "{value}");
        asked = all.len();
    }
    assert_eq!(job.values(), pairs(&[("a", "2")]));
    // One who was late looks once more, also where the object is gone by then.
    let path = format!("/api/v1/namespaces/{}/secrets/app", job.namespace);
    for (value, gone, found, written) in [("3", false, 200, 200), ("4", true, 404, 201)] {
        if gone {
            Cluster::shared().request("DELETE", &path, None);
            asked = job.requests().len();
        }
        let late = job.update_late(&job.app(&[("a", value)])).await;
        late.expect("written");
        let costs = [
            "patch secrets/app 409".to_owned(),
            format!("get secrets/app {found}"),
            format!("patch secrets/app {written}"),
        ];
        assert_eq!(job.requests()[asked..], costs);
        assert_eq!(job.values(), pairs(&[("a", value)]));
    }
}

#[tokio::test]
async fn an_update_changes_adds_and_removes_our_keys_and_leaves_those_of_others() {
    let job = Job::usual().await;
    let mut app = job.app(&[("a", "1"), ("b", "1")]);
    app.labels.insert("team".into(), "x".into());
    app.annotations.insert("note".into(), "x".into());
    job.create(&app).await.expect("created");
    apply_as(
        &job,
        "helm",
        json!({"data": {"theirs": "eA=="}, "metadata": {"labels": {"theirs": "x"}}}),
    );
    let seen = job.look(&app).await;
    assert!(
        seen.data == app.data && seen.labels == app.labels && seen.annotations == app.annotations
    );
    job.update(&app).await.expect("nothing to do");
    assert_eq!(
        job.stored()["metadata"]["managedFields"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );

    let next = job.app(&[("b", "2"), ("c", "2")]);
    let seen = job.look(&next).await;
    assert!(
        seen.data.contains_key("a") && seen.labels.contains_key("team"),
        "what goes is seen"
    );
    job.update(&next).await.expect("updated");
    assert_eq!(
        job.values(),
        pairs(&[("b", "2"), ("c", "2"), ("theirs", "x")])
    );
    let metadata = &job.stored()["metadata"];
    assert_eq!(
        metadata["labels"],
        json!({"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "test", "theirs": "x"})
    );
    assert_eq!(
        metadata["annotations"],
        json!({"keyferry.io/delivery": "app", "keyferry.io/sources": "[]"})
    );
}

/// What another tool applies to the same Secret.
pub(super) fn apply_as(job: &Job, manager: &str, mut fields: serde_json::Value) {
    fields["apiVersion"] = json!("v1");
    fields["kind"] = json!("Secret");
    fields["metadata"]["name"] = json!("app");
    let path = format!(
        "/api/v1/namespaces/{}/secrets/app?fieldManager={manager}&force=true",
        job.namespace
    );
    let (status, answer) = Cluster::shared().request("PATCH", &path, Some(&fields));
    assert!(status < 300, "{answer}");
}

#[tokio::test]
async fn each_type_is_stored_and_a_malformed_one_is_rejected_without_its_value() {
    let typed = |job: &Job, kind: &str, data: &[(&str, &str)]| SecretArtifact {
        kind: kind.to_owned(),
        ..job.app(data)
    };
    let auths = r#"{"auths":{"registry.example":{"username":"u","password":"VALUE"}}}"#
        .replace("VALUE", CANARY);
    let good = [
        (
            "kubernetes.io/dockerconfigjson",
            vec![(".dockerconfigjson", auths.as_str())],
        ),
        (
            "kubernetes.io/basic-auth",
            vec![("username", "u"), ("password", "p")],
        ),
        ("example.com/own", vec![("any", "thing")]),
    ];
    for (kind, data) in good {
        let job = Job::usual().await;
        let mut app = typed(&job, kind, &[]);
        let data = data.into_iter();
        app.data = data
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        job.create(&app).await.expect(kind);
        assert_eq!(job.stored()["type"], kind);
        assert_eq!(job.look(&app).await.data, app.data, "{kind}");
    }
    let bad = [
        (
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            "data[.dockerconfigjson]",
        ),
        ("kubernetes.io/tls", "tls.crt", "data[tls.key]"),
        ("kubernetes.io/ssh-auth", "key", "data[ssh-privatekey]"),
    ];
    for (kind, key, said) in bad {
        let job = Job::usual().await;
        let app = typed(&job, kind, &[(key, "{")]);
        refused(
            job.create(&app).await,
            Class::Refused,
            &["rejected", said, "(422)"],
        );
        assert_eq!(
            Cluster::shared().secret(&job.namespace, "app"),
            None,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn row_65_a_secret_of_exactly_one_mebibyte_is_stored() {
    let job = Job::usual().await;
    let half = "v".repeat((1 << 19) - CANARY.len());
    job.create(&job.app(&[("a", &half), ("b", &half)]))
        .await
        .expect("exactly 1 MiB is stored");
}

#[tokio::test]
async fn a_secret_is_a_source_whatever_its_bytes() {
    let job = Job::with(&["app", "none"], &["get"]).await;
    let secrets = format!("/api/v1/namespaces/{}/secrets", job.namespace);
    let object = json!({"metadata": {"name": "app"}, "data": {"port": "NTQzMg==", "raw": "/wD+", "empty": ""}});
    let stored = Cluster::shared().create(&secrets, &object);
    let named = |name: &str| SecretRef {
        namespace: None,
        name: name.to_owned(),
    };

    let material = source::secret::fetch(&named("app"), &job.world)
        .await
        .expect("read");
    assert_eq!(
        material.version.as_deref(),
        stored["metadata"]["resourceVersion"].as_str()
    );
    let [Node::Map(fields)] = material.documents.as_slice() else {
        panic!("one mapping")
    };
    let fields: Vec<(&str, Vec<u8>)> = fields
        .iter()
        .map(|(key, node)| (key.as_str(), node.leaf().expect("a leaf").expose().to_vec()))
        .collect();
    let want = [
        ("empty", vec![]),
        ("port", b"5432".to_vec()),
        ("raw", vec![0xff, 0, 0xfe]),
    ];
    assert_eq!(fields, want);

    let absent = source::secret::fetch(&named("none"), &job.world)
        .await
        .expect_err("absent");
    assert!(
        absent.absent && absent.class == Class::Missing,
        "{absent:?}"
    );
    assert_eq!(
        absent.what,
        format!("secret {}/none does not exist", job.namespace)
    );
    let denied = source::secret::fetch(&named("other"), &job.world)
        .await
        .expect_err("denied");
    assert!(
        !denied.absent && denied.class == Class::Denied,
        "a refusal is no absence: {denied:?}"
    );
}

/// One whole pass from what must exist: how each target ends, in the plan's words.
async fn pass(job: &Job, wanted: SecretArtifact) -> String {
    let link = PullSecretLink {
        account: job.at("job"),
        secret: "app".to_owned(),
    };
    pass_of(
        job,
        vec![Artifact::Secret(wanted), Artifact::PullSecret(link)],
    )
    .await
}

async fn pass_of(job: &Job, artifacts: Vec<Artifact>) -> String {
    let desired = Desired {
        deliveries: vec![Wanted {
            delivery: "app".to_owned(),
            artifacts: Ok(artifacts),
        }],
    };
    let observed = observe::observe(&desired, &job.world).await;
    let applied = apply::apply(plan::plan(desired, observed), &job.world).await;
    let steps = applied.plan.deliveries[0]
        .steps
        .as_deref()
        .expect("it is known");
    let results = &applied.results[0];
    let words = steps
        .iter()
        .zip(results)
        .map(|(step, result)| match (&step.action, result) {
            (_, Err(failure)) => failure.class.to_string(),
            (Action::Keep, Ok(())) => "kept".to_owned(),
            (Action::Create, Ok(())) => "created".to_owned(),
            (Action::Update(reason), Ok(())) => reason.to_string(),
            (Action::Recreate(_), Ok(())) => "recreated".to_owned(),
            (Action::Delete, Ok(())) => "deleted".to_owned(),
            (Action::Refuse(_) | Action::Wait, Ok(())) => panic!("nothing was done"),
        });
    words.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn row_54_passes_from_plan_to_apply_agree_on_what_is_to_be_done() {
    let rules = json!([
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get", "create", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["job"], "verbs": ["get", "patch"]},
    ]);
    let job = Job::with_rules(&rules, PATIENCE).await;
    let app = |value: &str| job.app(&[("password", value)]);
    let rows: [(SecretArtifact, &str); 6] = [
        (app("1"), "created, not in imagePullSecrets"),
        (app("1"), "kept, kept"),
        (app("2"), "content differs, kept"),
        (
            SecretArtifact {
                immutable: true,
                ..app("2")
            },
            "labels or annotations differ, kept",
        ),
        (app("3"), "refused, kept"),
        (
            SecretArtifact {
                conflict: Conflict {
                    recreate: true,
                    ..Conflict::default()
                },
                ..app("3")
            },
            "recreated, kept",
        ),
    ];
    for (wanted, want) in rows {
        let (before, kept) = (job.writes(), want == "kept, kept");
        assert_eq!(pass(&job, wanted).await, want);
        assert!(
            !kept || job.writes() == before,
            "nothing is written when nothing changed"
        );
    }
    apply_as(
        &job,
        "other",
        json!({"data": {"theirs": "eA=="}, "metadata": {"labels": {"theirs": "x"}}}),
    );
    assert_eq!(
        pass(&job, app("3")).await,
        "kept, kept",
        "keys of others are no difference"
    );
}
