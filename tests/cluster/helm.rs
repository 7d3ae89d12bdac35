//! The chart by the real `helm`: it makes what kustomize makes, it is applied to a real API server,
//! and neither an upgrade nor its removal touches what was delivered.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::kustomize::rendered;
use crate::support::process::Scratch;
use crate::support::run::{Output, Run, keyferry};
use crate::support::tools;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// `helm` with a home of its own and no cluster but the one that it is told of.
fn helm(home: &Path, args: &[&str]) -> Run {
    Run::of(tools::helm())
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("KUBECONFIG", "/nonexistent")
        .dir(home)
        .args(args)
}

/// A copy of the chart that a test may change.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a chart") {
        let (path, name) = entry
            .map(|one| (one.path(), one.file_name()))
            .expect("an entry");
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("a copy")),
        }
    }
}

fn template(home: &Path, namespace: &str, chart: &Path, values: &Value) -> Output {
    fs::write(home.join("values.json"), values.to_string()).expect("values");
    let chart = chart.to_str().expect("text");
    let args = ["template", "test", chart, "--namespace", namespace];
    let more = ["--kube-version", "1.36.3", "--values", "values.json"];
    helm(home, &[&args[..], &more].concat()).run()
}

fn objects(output: &Output) -> Vec<Value> {
    let all = serde_saphyr::from_multiple::<Value>(&output.stdout).expect("YAML");
    all.into_iter().filter(|one| !one.is_null()).collect()
}

/// What both ways must have alike: all but names of ConfigMaps, and the marks of the two tools.
fn plain(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let maps: Vec<String> = objects
        .iter()
        .filter(|one| one["kind"] == "ConfigMap")
        .map(|one| one["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect();
    let only_name = |labels: &mut Value| {
        if let Some(labels) = labels.as_object_mut() {
            labels.retain(|label, _| label == "app.kubernetes.io/name");
        }
    };
    let plain = objects.into_iter().map(|mut one| {
        let metadata = one["metadata"].as_object_mut().expect("metadata");
        metadata.remove("labels");
        // Known to both for the Argo CD kit; a mark of our component for itself.
        if let Some(annotations) = metadata.get_mut("annotations") {
            let annotations = annotations.as_object_mut().expect("a map");
            annotations.remove("keyferry.io/tracked");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
        if one["kind"] == "ConfigMap" {
            let tracked = one["metadata"]["name"]
                .as_str()
                .expect("a name")
                .ends_with("-tracked");
            one["metadata"]["name"] = json!(if tracked { "tracked" } else { "config" });
        }
        for pointer in ["/spec", "/spec/jobTemplate/spec"] {
            let Some(spec) = one
                .pointer_mut(pointer)
                .filter(|spec| spec["template"].is_object())
            else {
                continue;
            };
            if spec["selector"].is_object() {
                only_name(&mut spec["selector"]["matchLabels"]);
            }
            let template = &mut spec["template"];
            only_name(&mut template["metadata"]["labels"]);
            template["metadata"]
                .as_object_mut()
                .expect("metadata")
                .remove("annotations");
            let pod = &mut template["spec"];
            for list in ["initContainers", "containers"] {
                for container in pod[list].as_array_mut().into_iter().flatten() {
                    container
                        .as_object_mut()
                        .expect("a container")
                        .remove("imagePullPolicy");
                }
            }
            if pod["initContainers"].is_null() {
                pod.as_object_mut().expect("a pod").remove("initContainers");
            }
            for volume in pod["volumes"].as_array_mut().into_iter().flatten() {
                let name = volume["configMap"]["name"].as_str().unwrap_or_default();
                if maps.iter().any(|map| map == name) {
                    volume["configMap"]["name"] = json!("config");
                } else if volume["configMap"].is_null() {
                    volume
                        .as_object_mut()
                        .expect("a volume")
                        .remove("configMap");
                }
            }
        }
        let name = one["metadata"]["name"].as_str().expect("a name");
        (
            format!("{} {name}", one["kind"].as_str().expect("a kind")),
            one,
        )
    });
    plain.collect()
}

fn config(file: &str) -> Value {
    json!(fs::read_to_string(deploy().join(file)).expect("a configuration"))
}

#[test]
fn the_chart_makes_what_the_kits_make() {
    let job = |argocd: &str, own: bool| {
        json!({
            "mode": "job", "fullnameOverride": "registry-secret-sync",
            "config": config("argocd-job/base/keyferry.yaml"),
            "vault": {"ca": {"configMap": "vault-ca"}},
            "job": {"argocd": argocd},
            "serviceAccount": {"create": own, "name": "registry-secret-sync"},
            "rbac": {"create": own, "secrets": ["archpad-registry-secret"]},
        })
    };
    let cronjob = json!({
        "mode": "cronjob", "fullnameOverride": "registry-secret-sync",
        "config": config("cronjob/keyferry.yaml"), "vault": {"ca": {"configMap": "vault-ca"}},
        "rbac": {"secrets": ["archpad-registry-secret"]},
    });
    let reflector = json!({
        "mode": "reflector", "fullnameOverride": "keyferry-reflector",
        "config": config("reflector/keyferry.yaml"),
    });
    let home = Scratch::new("helm");
    for (kit, namespace, values) in [
        ("argocd-job/sync", "platform", job("sync", true)),
        ("argocd-job/presync", "platform", job("presync", false)),
        ("cronjob", "platform", cronjob),
        ("reflector", "keyferry", reflector),
    ] {
        let chart = deploy().join("helm/keyferry");
        let output = template(home.path(), namespace, &chart, &values).expect(0);
        let (want, made) = (
            plain(rendered(&deploy().join(kit)).1),
            plain(objects(&output)),
        );
        assert_eq!(
            want.keys().collect::<Vec<_>>(),
            made.keys().collect::<Vec<_>>(),
            "{kit}"
        );
        for (name, want) in &want {
            assert_eq!(*want, made[name], "{kit}: {name}");
        }
    }
}

/// A chart of a user: his own Deployment, with our container in it.
#[test]
fn a_chart_of_a_user_includes_the_init_container_and_the_sidecar() {
    for mode in ["init", "sidecar"] {
        let home = Scratch::new("theirs");
        let chart = home.path().join("theirs");
        copy(
            &deploy().join("helm/keyferry"),
            &chart.join("charts/keyferry"),
        );
        let kit = deploy().join(mode);
        let mut theirs = fs::read_to_string(kit.join("deployment.yaml")).expect("a Deployment");
        if mode == "sidecar" {
            theirs.push_str("      shareProcessNamespace: true\n");
        }
        let call = r#"(dict "values" .Values.keyferry "config" "keyferry") | nindent 8 }}"#;
        theirs.push_str(&format!(
            "      initContainers:\n        {{{{- include \"keyferry.{mode}\" {call}\n      \
             volumes:\n        {{{{- include \"keyferry.{mode}.volumes\" {call}\n"
        ));
        fs::create_dir_all(chart.join("templates")).expect("a folder");
        fs::write(chart.join("templates/deployment.yaml"), theirs).expect("a template");
        let about = "apiVersion: v2\nname: theirs\nversion: 1.0.0\ndependencies:\n- {name: \
            keyferry, version: 0.1.0}\n";
        fs::write(chart.join("Chart.yaml"), about).expect("a chart");
        let values =
            json!({"keyferry": {"mode": "none", "vault": {"ca": {"configMap": "vault-ca"}}}});
        let output = template(home.path(), "platform", &chart, &values).expect(0);
        let [made] = objects(&output)
            .try_into()
            .expect("one Deployment, and nothing of ours");
        let pod = |object: &Value| object["spec"]["template"]["spec"].clone();
        let mut made = pod(&made);
        made["initContainers"][0]
            .as_object_mut()
            .expect("ours")
            .remove("imagePullPolicy");
        let (_, of_kit) = rendered(&kit);
        let mut want = of_kit
            .iter()
            .find(|one| one["kind"] == "Deployment")
            .map(pod)
            .unwrap();
        for volume in want["volumes"].as_array_mut().expect("volumes") {
            if volume["name"] == "config" {
                volume["configMap"]["name"] = json!("keyferry");
            }
        }
        for images in ["initContainers", "containers"] {
            assert_eq!(made[images], want[images], "{mode}: {images}");
        }
        assert_eq!(made, want, "{mode}");
    }
}

#[test]
fn the_chart_is_linted_and_its_values_are_checked() {
    let home = Scratch::new("lint");
    let chart = deploy().join("helm/keyferry");
    let chart_text = chart.to_str().expect("text");
    let all = json!({
        "config": "name: x\n", "priorityClassName": "high", "podLabels": {"team": "a"},
        "image": {"digest": format!("sha256:{}", "a".repeat(64))},
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "extraVolumes": [{"name": "keys", "secret": {"secretName": "age"}}],
        "extraVolumeMounts": [{"name": "keys", "mountPath": "/keys"}],
        "networkPolicy": {"enabled": true, "from": [{"podSelector": {}}]},
        "podDisruptionBudget": {"enabled": true},
        "metrics": {"scrape": true, "podMonitor": {"enabled": true}},
    });
    for mode in ["job", "cronjob", "reflector", "none"] {
        let mut values = all.clone();
        values["mode"] = json!(mode);
        fs::write(home.path().join("values.json"), values.to_string()).expect("values");
        let lint = ["lint", "--strict", chart_text, "--values", "values.json"];
        helm(home.path(), &lint).run().expect(0);
        let made = objects(&template(home.path(), "platform", &chart, &values).expect(0));
        let kinds = |kind: &str| made.iter().filter(|one| one["kind"] == kind).count();
        assert_eq!(
            kinds("NetworkPolicy"),
            usize::from(mode != "none"),
            "{mode}"
        );
        let only = usize::from(mode == "reflector");
        assert_eq!(kinds("PodDisruptionBudget"), only, "{mode}");
        assert_eq!(kinds("PodMonitor"), only, "{mode}");
        if mode == "reflector" {
            let of = made
                .iter()
                .find(|one| one["kind"] == "Deployment")
                .expect("a Deployment");
            let pod = &of["spec"]["template"];
            assert_eq!(pod["metadata"]["annotations"]["prometheus.io/port"], "9733");
            assert_eq!(pod["spec"]["priorityClassName"], "high");
            let image = pod["spec"]["containers"][0]["image"]
                .as_str()
                .expect("an image");
            assert!(image.starts_with("keyferry@sha256:aaa"), "{image}");
            let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
            assert!(volumes.iter().any(|volume| volume["name"] == "keys"));
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let text = fs::read_to_string(chart.join("Chart.yaml")).expect("a chart");
    assert!(text.contains(&format!("appVersion: {version}\n")), "{text}");
    let helpers = fs::read_to_string(chart.join("templates/_helpers.tpl")).expect("helpers");
    assert!(helpers.contains(&format!(".tag | default \"{version}\"")));
    for (wrong, why) in [
        (json!({"mode": "daemon"}), "mode"),
        (
            json!({"mode": "job", "config": ""}),
            "config: the text of keyferry.yaml",
        ),
        (
            json!({"config": "x", "image": {"digest": "latest"}}),
            "digest",
        ),
        (json!({"config": "x", "imagee": {}}), "imagee"),
        (
            json!({"config": "x", "job": {"argocd": "presync"}}),
            "earlier application",
        ),
    ] {
        let output = template(home.path(), "platform", &chart, &wrong);
        assert_ne!(output.code, 0, "{wrong}");
        assert!(output.stderr.contains(why), "{wrong}: {}", output.stderr);
    }
}

/// A release in a namespace of its own on the shared server.
struct Release {
    cluster: &'static Cluster,
    home: Scratch,
    namespace: String,
}

impl Release {
    fn helm(&self, args: &[&str]) -> Output {
        let own = ["--namespace", &self.namespace];
        let run = helm(self.home.path(), &[args, &own].concat());
        run.env("KUBECONFIG", self.cluster.kubeconfig())
            .run()
            .expect(0)
    }

    fn find(&self, kind: &str, name: &str) -> Option<Value> {
        let group = match kind {
            "jobs" => "apis/batch/v1",
            "roles" => "apis/rbac.authorization.k8s.io/v1",
            _ => "api/v1",
        };
        let namespace = &self.namespace;
        self.cluster
            .find(&format!("/{group}/namespaces/{namespace}/{kind}/{name}"))
    }

    /// What the pod of the Job would do: with the rights and the configuration of the release.
    fn pass(&self) -> Output {
        let map = self
            .find("configmaps", "test-keyferry")
            .expect("a configuration");
        let text = map["data"]["keyferry.yaml"].as_str().expect("text");
        let file = self.home.write("keyferry.yaml", text);
        let account = self
            .cluster
            .service_account_kubeconfig(&self.namespace, "test-keyferry");
        let run = keyferry().args(["job", "--config"]).args([file]);
        run.env("KUBECONFIG", account).run().expect(0)
    }
}

#[test]
fn neither_an_upgrade_nor_the_removal_of_a_release_touches_a_delivered_secret() {
    let cluster = Cluster::shared();
    let release = Release {
        cluster,
        home: Scratch::new("release"),
        namespace: cluster.namespace(),
    };
    let namespace = &release.namespace;
    let config = |value: &str| {
        format!(
            "name: chart\ndeliveries:\n- name: app\n  fields: {{A: {value}}}\n  to: [{{secret: \
             {{name: app, namespace: {namespace}}}}}]\n"
        )
    };
    let chart = release.home.path().join("keyferry");
    copy(&deploy().join("helm/keyferry"), &chart);
    let values = |value: &str, level: &str| {
        let values = json!({
            "config": config(value), "rbac": {"secrets": ["app"]}, "log": {"level": level},
            "networkPolicy": {"enabled": true},
        });
        release.home.write("values.json", values.to_string());
    };
    values("one", "info");
    let told = release.helm(&["install", "test", "keyferry", "--values", "values.json"]);
    assert!(
        told.stdout.contains("job/test-keyferry-1"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("leaves what keyferry delivered"),
        "{}",
        told.stdout
    );
    assert!(release.find("jobs", "test-keyferry-1").is_some());
    release.pass();
    let first = release.find("secrets", "app").expect("delivered");

    // Nothing but the release changes: the Secret is the same object in the same version.
    let about = fs::read_to_string(chart.join("Chart.yaml")).expect("a chart");
    let raised = about.replace("version: 0.1.0", "version: 0.2.0");
    assert_ne!(about, raised);
    fs::write(chart.join("Chart.yaml"), raised).expect("a chart");
    values("one", "debug");
    release.helm(&["upgrade", "test", "keyferry", "--values", "values.json"]);
    assert!(
        release.find("jobs", "test-keyferry-1").is_none(),
        "a Job for each revision"
    );
    let job = release
        .find("jobs", "test-keyferry-2")
        .expect("a Job for each revision");
    assert_eq!(job["metadata"]["labels"]["helm.sh/chart"], "keyferry-0.2.0");
    release.pass();
    assert_eq!(release.find("secrets", "app").as_ref(), Some(&first));

    // The configuration changes: the next pass updates it in place.
    values("two", "debug");
    release.helm(&["upgrade", "test", "keyferry", "--values", "values.json"]);
    release.pass();
    let second = release.find("secrets", "app").expect("delivered");
    assert_eq!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(
        cluster.secret_value(namespace, "app", "A"),
        Some(b"two".to_vec())
    );

    release.helm(&["uninstall", "test"]);
    for (kind, name) in [
        ("serviceaccounts", "test-keyferry"),
        ("roles", "test-keyferry"),
        ("configmaps", "test-keyferry"),
        ("jobs", "test-keyferry-3"),
    ] {
        assert!(release.find(kind, name).is_none(), "{kind} {name} is gone");
    }
    assert_eq!(release.find("secrets", "app"), Some(second), "it stays");
}
