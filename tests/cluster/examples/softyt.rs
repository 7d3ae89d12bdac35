//! soft-yt: encrypted manifests out of Git, as kustomize lays them out for each cluster and a Job
//! applies them, and new pods when the environment changed.

use std::collections::BTreeSet;
use std::fs;
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

const WEBAPP: &str = "softyt/deploy/kustomize/apps/webapp/overlays";

/// The encrypted files as the Job gets them. Argo CD compares them, for they are no hook, and has
/// them before the Job, which is one.
fn files(documents: &[Value]) -> Mount {
    let of = |kind: &str| {
        let mut all = documents
            .iter()
            .filter(move |document| document["kind"] == kind);
        let found = all.find(|document| {
            let name = document["metadata"]["name"].as_str().unwrap_or_default();
            name.starts_with("webapp-secrets")
        });
        found.expect("one")
    };
    let (map, job) = (of("ConfigMap"), of("Job"));
    let volume = &job["spec"]["template"]["spec"]["volumes"][0];
    assert_eq!(volume["configMap"]["name"], map["metadata"]["name"]);
    let argo = |of: &Value, name: &str| {
        let annotations = &of["metadata"]["annotations"];
        let text = annotations[format!("argocd.argoproj.io/{name}")].as_str();
        text.map(str::to_owned)
    };
    assert_eq!(argo(map, "hook"), None);
    assert_eq!(argo(map, "sync-wave").as_deref(), Some("-2"));
    assert_eq!(argo(job, "hook").as_deref(), Some("Sync"));
    assert_eq!(argo(job, "sync-wave").as_deref(), Some("-1"));
    Mount::with(map)
}

/// A cluster that knows what their files hold, with Pod Security `restricted` where they run.
fn cluster() -> Cluster {
    let cluster = Cluster::start_own();
    for kind in [
        "applicationset-crd.yaml",
        "monitoring.coreos.com_podmonitors.yaml",
        "300-clusterimagepolicy.yaml",
    ] {
        cluster.know(kind);
    }
    cluster.named_namespace("argocd", &json!({}));
    let labels = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "default", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    cluster.apply_yaml("default", &labels.to_string());
    cluster
}

/// The key of a cluster, where the security team puts it.
fn give_key(cluster: &Cluster, overlay: &str) {
    let key = fs::read_to_string(example("softyt/keys").join(format!("{overlay}.key")));
    cluster.apply_yaml("default", &json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-age"}, "stringData": {"age.agekey": key.expect("a key")},
    }).to_string());
}

#[test]
fn softyt_gives_each_cluster_its_own_secrets_and_only_those() {
    let sets = documents(&example("softyt/clusters/applicationset.yaml"));
    let set = &sets[0];
    let sync = &set["spec"]["template"]["spec"]["syncPolicy"]["automated"];
    assert_eq!(*sync, json!({"prune": true, "selfHeal": true}));
    let template = &set["spec"]["template"];
    assert_eq!(template["metadata"]["name"], "webapp-{{ .overlay }}");
    assert_eq!(
        template["spec"]["source"]["path"],
        "deploy/kustomize/apps/webapp/overlays/{{ .overlay }}"
    );
    let elements = set["spec"]["generators"][0]["list"]["elements"].as_array();
    let overlays: Vec<&str> = elements
        .into_iter()
        .flatten()
        .filter_map(|element| element["overlay"].as_str())
        .collect();
    let folders = fs::read_dir(example(WEBAPP)).expect("overlays");
    let folders: BTreeSet<String> = folders
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        folders,
        overlays
            .iter()
            .map(|overlay| (*overlay).to_owned())
            .collect()
    );

    let cluster = cluster();
    cluster.apply_file("argocd", example("softyt/clusters/applicationset.yaml"));
    let (text, _) = rendered(&example(WEBAPP).join(overlays[0]));
    let kubeconfig = installed(&cluster, &text, "default", "webapp-secrets", "webapp-env");
    let mut before = "2 created";
    for overlay in overlays {
        // As Argo CD does with a hook before it makes it again.
        let job = "/apis/batch/v1/namespaces/default/jobs/webapp-secrets";
        cluster.request(
            "DELETE",
            &format!("{job}?propagationPolicy=Background"),
            None,
        );
        let objects = applied(&cluster, &format!("{WEBAPP}/{overlay}"));
        applied(&cluster, &format!("softyt/clusters/{overlay}"));
        let mount = files(&objects);
        if before != "2 created" {
            let done = mount.job(&kubeconfig).expect(5);
            says(&done, "age1");
        }
        give_key(&cluster, overlay);
        says(&mount.job(&kubeconfig).expect(0), before);
        let url = value(&cluster, "default", "webapp-env", "DATABASE_URL");
        assert!(
            url.ends_with(&format!("@db.{overlay}.example.com:5432/webapp")),
            "{overlay}"
        );
        let pull = value(&cluster, "default", "webapp-registry", ".dockerconfigjson");
        assert!(pull.contains(&format!("{overlay}-pull")), "{overlay}");
        says(&mount.job(&kubeconfig).expect(0), "nothing changed");
        before = "2 updated";
    }
    let registry = cluster.secret("default", "webapp-registry").expect("there");
    assert_eq!(registry["type"], "kubernetes.io/dockerconfigjson");
    assert_eq!(
        registry["metadata"]["labels"]["keyferry.io/manifests"],
        "webapp"
    );
}

#[test]
fn softyt_rotates_and_prunes_as_git_says() {
    let cluster = cluster();
    let (text, objects) = rendered(&example(WEBAPP).join("onprem"));
    let kubeconfig = installed(&cluster, &text, "default", "webapp-secrets", "webapp-env");
    let key_file = example("softyt/keys/onprem.key");
    give_key(&cluster, "onprem");
    let mount = files(&objects);
    says(&mount.job(&kubeconfig).expect(0), "2 created");
    let soon = Duration::from_secs(60);
    let restart = Part::of(&cluster, &objects, "webapp-restart");
    let state = Scratch::new("state");
    let staying = || {
        restart
            .call()
            .limit(soon * 5)
            .env("STATE_DIR", state.path())
            .start()
    };
    let restarted = || {
        let path = "/apis/apps/v1/namespaces/default/deployments/webapp";
        let deployment = cluster.find(path).expect("there");
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        annotations["keyferry/restarted-for"]
            .as_str()
            .map(str::to_owned)
    };
    // As the README says it.
    let rotate = |value: &str| {
        Run::of(tools::sops())
            .env("HOME", mount.path())
            .env("SOPS_AGE_KEY_FILE", &key_file)
            .args(["set"])
            .args([mount.file("env.enc.yaml")])
            .args([r#"["stringData"]["SESSION_KEY"]"#, &format!("\"{value}\"")])
            .run()
            .expect(0);
        let done = mount.job(&kubeconfig).expect(0);
        says(&done, "1 updated, 1 unchanged");
        done.assert_no_canary(&[value]);
    };
    let first = staying();
    eventually("it knows what the pods have", soon, || {
        cluster.secret("default", "webapp-env-used").is_some()
    });
    assert_eq!(restarted(), None, "a first delivery is no change");
    rotate("rotated by a test");
    let rotated = || self::value(&cluster, "default", "webapp-env", "SESSION_KEY");
    assert_eq!(rotated(), "rotated by a test");
    eventually("new pods for a change", soon, || restarted().is_some());
    first.signal(Signal::TERM);
    first.finish().expect(0);
    let before = restarted();
    rotate("rotated again by a test");
    let second = staying();
    eventually("a change while it was away", soon, || restarted() != before);
    second.signal(Signal::TERM);
    second.finish().expect(0);

    mount.remove("registry.enc.yaml");
    says(&mount.job(&kubeconfig).expect(0), "1 deleted");
    assert_eq!(cluster.secret("default", "webapp-registry"), None);
    assert!(
        cluster.secret("default", "sops-age").is_some(),
        "what is not ours stays"
    );
}

#[test]
fn softyts_readme_shows_what_keyferry_says() {
    let cluster = cluster();
    let [other_key, edited, elsewhere] = mistakes("softyt");
    let copy = copied("softyt");
    let overlay = copy.path().join("deploy/kustomize/apps/webapp/overlays/yc");
    let job = || {
        keyferry()
            .dir(copy.path())
            .env("KUBECONFIG", cluster.kubeconfig())
            .args([
                "job",
                "--config",
                "deploy/kustomize/apps/webapp/overlays/yc/keyferry.yaml",
            ])
            .run()
    };
    give_key(&cluster, "sber");
    answered(&other_key, &job().expect(5));
    give_key(&cluster, "yc");
    let env = overlay.join("env.enc.yaml");
    let text = fs::read_to_string(&env).expect("a file");
    let clear = text.replace(
        "    SESSION_KEY: ",
        "    SESSION_TTL: 1h\n    SESSION_KEY: ",
    );
    assert_ne!(text, clear);
    fs::write(&env, clear).expect("written");
    answered(&edited, &job().expect(5));
    fs::write(&env, text).expect("written");
    let config = overlay.join("keyferry.yaml");
    let text = fs::read_to_string(&config).expect("a file");
    fs::write(&config, text.replace("[default]", "[webapp]")).expect("written");
    answered(&elsewhere, &job().expect(6));
}

#[test]
fn the_rights_to_restart_are_exactly_what_is_printed() {
    let folder = example("softyt/deploy/kustomize/apps/webapp/base/restart");
    let printed = keyferry()
        .dir(&folder)
        .args(["grants", "kubernetes", "--config", "keyferry.yaml"])
        .args(["--service-account", "default/webapp-restart"])
        .run()
        .expect(0);
    let printed: Vec<Value> = serde_saphyr::from_multiple(&printed.stdout).expect("YAML");
    assert_eq!(documents(&folder.join("access.yaml")), printed);
}
