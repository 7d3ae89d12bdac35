//! The GitOps platform: waves of applications, SealedSecret files opened by a Job, copies by
//! annotation, a database's address for tenants, policies and a health check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::kustomize::rendered;
use crate::support::process::{Scratch, eventually};
use crate::support::readme::{answered, mistakes};
use crate::support::run::{Run, keyferry};
use crate::support::tools;

use super::workload::{Mount, Part, applied, copied, documents, installed, value};
use super::{example, says};

const SOON: Duration = Duration::from_secs(60);

/// The throw-away sealing key, as the controller would keep it.
fn give_sealing_key(cluster: &Cluster, stage: &str) {
    let [key, certificate] = ["key", "crt"].map(|ending| {
        fs::read_to_string(example(&format!("gitops-platform/keys/{stage}.{ending}")))
            .expect("a key")
    });
    cluster.create("/api/v1/namespaces/kube-system/secrets", &json!({
        "metadata": {"name": "sealed-secrets-key", "labels": {"sealedsecrets.bitnami.com/sealed-secrets-key": "active"}},
        "type": "kubernetes.io/tls", "stringData": {"tls.key": key, "tls.crt": certificate},
    }));
}

#[test]
fn the_gitops_platform_opens_its_sealed_secrets_in_wave_3() {
    for stage in ["dev", "prd"] {
        let (_, applications) = rendered(&example(&format!("gitops-platform/clusters/{stage}")));
        let application = applications
            .iter()
            .find(|one| one["metadata"]["name"] == "secrets")
            .expect("an application");
        let wave = &application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        assert_eq!(wave, "3");
        let path = application["spec"]["source"]["path"]
            .as_str()
            .expect("a path");
        assert_eq!(path, format!("secrets/overlays/{stage}"));

        let cluster = Cluster::start_own();
        cluster.named_namespace("platform", &json!({}));
        cluster.named_namespace("chat", &json!({}));
        let (text, documents) = rendered(&example("gitops-platform").join(path));
        let kubeconfig = installed(&cluster, &text, "platform", "secrets", "dns-provider");
        let mount = Mount::of(&documents);
        says(
            &mount.job(&kubeconfig).expect(4),
            "sealed-secrets controller",
        );

        give_sealing_key(&cluster, stage);
        says(&mount.job(&kubeconfig).expect(0), "2 created");
        assert_eq!(
            value(&cluster, "chat", "chat-api", "JWT_SECRET"),
            format!("{stage}-jwt-secret")
        );
        let source = cluster.secret("platform", "dns-provider").expect("there");
        let mut annotations = source["metadata"]["annotations"].clone();
        let sources = annotations["keyferry.io/sources"].take();
        let version = r#"[{"source":"sealed file dns-provider.sealed.yaml","version":"sha256:"#;
        assert!(
            sources
                .as_str()
                .is_some_and(|text| text.starts_with(version)),
            "{sources}"
        );
        assert_eq!(
            annotations,
            json!({
                "keyferry.io/delivery": "manifests platform: dns-provider.sealed.yaml",
                "keyferry.io/sources": null,
                "reflector.v1.k8s.emberstack.com/reflection-allowed": "true",
                "reflector.v1.k8s.emberstack.com/reflection-allowed-namespaces": "cert-manager",
                "reflector.v1.k8s.emberstack.com/reflection-auto-enabled": "true",
                "reflector.v1.k8s.emberstack.com/reflection-auto-namespaces": "cert-manager",
            })
        );
        says(&mount.job(&kubeconfig).expect(0), "nothing changed");
        let user = "system:serviceaccount:platform:secrets";
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for namespace in ["platform", "chat", "kube-system"] {
            asked.extend(cluster.audited_by(namespace, user).into_iter().map(|line| {
                let verb = line.split(' ').next().unwrap_or_default();
                format!("{namespace} {verb}")
            }));
        }
        let needed = [
            "chat get",
            "chat patch",
            "kube-system list",
            "platform get",
            "platform patch",
        ];
        assert_eq!(asked, needed.map(str::to_owned).into());
    }
}

#[test]
fn the_gitops_platforms_waves_come_up_one_after_the_other() {
    let cluster = Cluster::start_own();
    cluster.know("application-crd.yaml");
    cluster.know("cert-manager.io_clusterissuers.yaml");
    cluster.know_any("postgresql.cnpg.io", "v1", "Cluster");
    cluster.named_namespace("argocd", &json!({}));
    cluster.apply_file("argocd", example("gitops-platform/clusters/dev/root.yaml"));
    let mut applications = applied(&cluster, "gitops-platform/clusters/dev");
    let wave = |application: &Value| -> u8 {
        let wave = &application["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        wave.as_str().expect("a wave").parse().expect("a number")
    };
    applications.sort_by_key(wave);
    let waves: BTreeSet<u8> = applications.iter().map(wave).collect();
    assert_eq!(waves, [0, 1, 2, 3, 5].into());
    give_sealing_key(&cluster, "dev");
    let mut reflector = None;
    for application in &applications {
        let Some(path) = application["spec"]["source"]["path"].as_str() else {
            assert!(application["spec"]["source"]["chart"].is_string());
            continue;
        };
        let objects = applied(&cluster, &format!("gitops-platform/{path}"));
        match application["metadata"]["name"].as_str().expect("a name") {
            "secrets" => {
                let part = Part::of(&cluster, &objects, "secrets");
                eventually("the Roles are known", SOON, || part.call().run().code == 0);
            }
            // As CloudNativePG does.
            "databases" => {
                cluster.create(
                    "/api/v1/namespaces/chat-db/secrets",
                    &json!({"metadata": {"name": "chat-db-cnpg-app"}, "type": "kubernetes.io/basic-auth", "stringData": {
                        "username": "chatapi", "user": "chatapi", "password": "p@ss/1", "host": "chat-db-cnpg-rw",
                        "port": "5432", "dbname": "chat", "uri": "postgresql://chatapi:p%40ss%2F1@chat-db-cnpg-rw.chat-db:5432/chat",
                    }}),
                );
            }
            "reflector" => {
                let part = Part::of(&cluster, &objects, "keyferry-reflector");
                let call = part.call().limit(Duration::from_secs(300));
                reflector = Some((call.start(), part));
            }
            _ => {}
        }
    }
    eventually("both are copied", SOON, || {
        cluster.secret("cert-manager", "dns-provider").is_some()
            && cluster.secret("chat", "chat-database").is_some()
    });
    let (going, _) = reflector.expect("one");
    going.signal(Signal::TERM);
    going.finish().expect(0);
    assert_eq!(
        value(&cluster, "cert-manager", "dns-provider", "api-token"),
        value(&cluster, "platform", "dns-provider", "api-token")
    );
    assert_eq!(
        value(&cluster, "chat", "chat-database", "DATABASE_URL"),
        "postgresql://chatapi:p%40ss%2F1@chat-db-cnpg-rw.chat-db.svc:5432/chat"
    );
    assert_eq!(
        cluster.secret("platform", "chat-database"),
        None,
        "tenants alone"
    );
}

#[test]
fn the_gitops_platforms_readme_shows_what_keyferry_says() {
    let cluster = Cluster::start_own();
    cluster.named_namespace("platform", &json!({}));
    cluster.named_namespace("chat", &json!({}));
    let [other_cluster, elsewhere, no_key] = mistakes("gitops-platform");
    let copy = copied("gitops-platform");
    let secrets = copy.path().join("secrets/overlays");
    let job = || {
        keyferry()
            .dir(copy.path())
            .env("KUBECONFIG", cluster.kubeconfig())
            .args(["job", "--config", "secrets/overlays/dev/keyferry.yaml"])
            .run()
    };
    answered(&no_key, &job().expect(4));
    give_sealing_key(&cluster, "dev");
    let chat = secrets.join("dev/chat-api.sealed.yaml");
    let text = fs::read_to_string(&chat).expect("a file");
    fs::copy(secrets.join("prd/chat-api.sealed.yaml"), &chat).expect("copied");
    answered(&other_cluster, &job().expect(5));
    fs::write(&chat, text).expect("written");
    let config = secrets.join("dev/keyferry.yaml");
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text.replace("[platform, chat]", "[platform]")).expect("written");
    answered(&elsewhere, &job().expect(6));
}

/// Folders of `deploy` and `examples` that kustomize renders, and their files that stand alone.
fn manifests() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["deploy", "examples"].map(|name| root.join(name)).into();
    let mut all = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("listed");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        folders.extend(paths.filter(|path| path.is_dir()));
        let kustomization = folder.join("kustomization.yaml");
        if !kustomization.exists() {
            continue;
        }
        if documents(&kustomization)[0]["kind"] != "Component" {
            all.extend(rendered(&folder).1);
        }
    }
    for alone in [
        "gitops-platform/clusters/dev/root.yaml",
        "gitops-platform/clusters/prd/root.yaml",
        "gitops-platform/argocd/argocd-cm.yaml",
        "softyt/clusters/applicationset.yaml",
        "archpad/infra/timeweb/10-gitops/backend.app.yaml",
    ] {
        all.extend(documents(&example(alone)));
    }
    all
}

/// What the policies say of the manifests.
fn denied(manifests: &[Value]) -> Vec<String> {
    let folder = Scratch::new("policies");
    let input = folder.write("input.json", json!({"all": manifests}).to_string());
    let policies = example("gitops-platform/policies");
    let query = "[m | some one in input.all; some m in data.main.deny with input as one]";
    let output = Run::of(tools::opa())
        .env("HOME", folder.path())
        .args(["eval", "--format", "values", "--data"])
        .args([&policies, Path::new("--input"), &input])
        .args([query])
        .run()
        .expect(0);
    let found: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let messages = found[0].as_array().expect("messages").iter();
    messages
        .map(|message| message.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn every_manifest_of_ours_passes_the_policies_and_a_bad_one_fails_each() {
    let manifests = manifests();
    assert!(manifests.len() > 100, "{} manifests", manifests.len());
    assert_eq!(denied(&manifests), Vec::<String>::new());

    let bad = documents(&example("gitops-platform/policies/refused.yaml"));
    let said = denied(&bad);
    let folder = fs::read_dir(example("gitops-platform/policies")).expect("policies");
    let mut rules = 0;
    for file in folder.map(|entry| entry.expect("an entry").path()) {
        if file.extension().is_none_or(|ending| ending != "rego") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a policy");
        for rule in text.split("\ndeny contains sprintf(").skip(1) {
            rules += 1;
            let (_, format) = rule.split_once('"').expect("a message");
            let (format, _) = format.split_once('"').expect("its end");
            let parts: Vec<&str> = format.split("%s").collect();
            let is_it = |message: &&String| {
                let mut rest = message.as_str();
                parts.iter().all(|part| match rest.split_once(part) {
                    Some((_, behind)) => {
                        rest = behind;
                        true
                    }
                    None => false,
                })
            };
            assert!(said.iter().any(|one| is_it(&one)), "{format}: {said:#?}");
        }
    }
    assert!(rules >= 15, "{rules} rules");
}

#[test]
fn an_application_is_healthy_only_when_its_sync_is_over_and_good() {
    let map = documents(&example("gitops-platform/argocd/argocd-cm.yaml"));
    let script = &map[0]["data"]["resource.customizations.health.argoproj.io_Application"];
    let folder = Scratch::new("lua");
    let script = folder.write("health.lua", script.as_str().expect("a script"));
    for (status, said) in [
        (Value::Null, "Progressing "),
        (json!({}), "Progressing "),
        (json!({"health": {"status": "Healthy"}}), "Healthy "),
        (
            json!({"health": {"status": "Healthy"}, "operationState": {"phase": "Running", "message": "wave 3"}}),
            "Progressing wave 3",
        ),
        (
            json!({"health": {"status": "Healthy"}, "operationState": {"phase": "Failed", "message": "a hook"}}),
            "Degraded a hook",
        ),
        (
            json!({"health": {"status": "Healthy"}, "operationState": {"phase": "Error", "message": "no Git"}}),
            "Degraded no Git",
        ),
        (
            json!({"health": {"status": "Degraded", "message": "a pod"}, "operationState": {"phase": "Succeeded"}}),
            "Degraded a pod",
        ),
    ] {
        let mut object = json!({"kind": "Application"});
        if !status.is_null() {
            object["status"] = status;
        }
        let output = Run::of(tools::lua())
            .args([&script])
            .stdin(object.to_string());
        assert_eq!(
            output.run().expect(0).stdout,
            format!("{said}\n"),
            "{object}"
        );
    }
}
